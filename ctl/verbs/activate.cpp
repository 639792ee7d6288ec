// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size.hpp"
#include "cli/all.hpp"
#include "cli/common.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_activate
{

namespace
{

using Clock = std::chrono::steady_clock;

std::string said(const volume::Outcome &outcome)
{
	return fmt::format("active; it is /dev/mapper/{}", outcome.name);
}

std::chrono::milliseconds timeout_of(const Arguments &args)
{
	const auto text = args.value("timeout");

	return std::chrono::milliseconds(
		text ? take_value("timeout", *text, parse_duration_ms(*text)) : 0);
}

Status run_all(const Arguments &args)
{
	auto host = take(volume::Host::open());
	auto &context = host.context();
	const auto wanted = take(volume::to_activate(context));
	// What is waited for by one is waited for by all.
	const auto deadline = Clock::now() + timeout_of(args);
	All all(args);

	for (const auto &error : wanted.bad)
		all.complain_of(error);
	for (const auto &name : wanted.names) {
		const auto left = std::max(
			std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()),
			std::chrono::milliseconds(0));
		const auto outcome =
			volume::activate(context, {.what = name, .timeout = left}, run_of(args));
		if (outcome)
			report_outcome(args, *outcome, said(*outcome));
		else
			all.complain_of(outcome.error());
	}
	return all.status();
}

Status run(const Arguments &args)
{
	const bool named = args.count() > 0;

	if (named == args.flag("all"))
		bad_usage("give one of NAME, META and --all", "blkctl help activate");
	if (!named)
		return run_all(args);
	auto host = take(volume::Host::open());
	const auto outcome = take(volume::activate(host.context(),
						   {.what = args.at(0),
						    .timeout = timeout_of(args),
						    .break_view = args.flag("break-view")},
						   run_of(args)));
	report_outcome(args, outcome, said(outcome));
	return Status::ok;
}

const Register entry{Verb{
	.name = "activate",
	.group = Group::volumes,
	.rank = 5,
	.summary = "bring a volume back from what is written down of it",
	.description =
		{"Makes /dev/mapper/NAME again out of its metadata, which says what the volume is, "
		 "how far its job was, and which devices it is on; a job that ran goes on, as "
		 "/etc/blkctltab has what it was told. NAME is "
		 "looked up in /etc/blkctltab, see blkctltab(5), and then in /var/lib/blkctl. "
		 "META, "
		 "with a slash or as MAJ:MIN, is a metadata device or file that is named itself.",
		 "The devices are found by names that last over a boot. One that is not there (3), "
		 "that is in use (4), or that is not the one recorded, too small, or changed since "
		 "(8) is named, and nothing is changed.",
		 "A volume with bitmaps on metadata that was mounted or else written to after "
		 "blkctl-deactivate(8) comes back with a note: its bitmaps are inconsistent, and "
		 "the next backup with one is a full one. What is looked at is where a mount "
		 "writes first, see blkctl-deactivate(8).",
		 "With --all every volume of /etc/blkctltab that is not marked noauto. One that "
		 "cannot be brought back keeps no other from it; the status is that of the first. "
		 "blkctl-activate.service does this at boot, before what is in /etc/fstab is "
		 "mounted."},
	.positionals = {{.name = "NAME",
			 .help = "the volume, or META: where its metadata is",
			 .offer = Offer::block_device,
			 .optional = true}},
	.options = {{.name = "all",
		     .value = "",
		     .help = "all volumes of /etc/blkctltab that are not marked noauto"},
		    {.name = "timeout",
		     .value = "TIME",
		     .help = "wait so long for devices that are not there yet; not at all if not "
			     "given"},
		    {.name = "break-view",
		     .value = "",
		     .help = "come up without the store of a persistent view; the view is lost for "
			     "good"},
		    dry_run_option(),
		    json_option()},
	.rules = {{.options = {"break-view"},
		   .excludes = {"all"},
		   .why = "a view is of one volume, which has to be named"}},
	.examples = {{"blkctl activate data", "Brings back one volume."},
		     {"blkctl activate /dev/vdm", "The volume whose metadata is on /dev/vdm."},
		     {"blkctl activate --all --timeout 30s", "What is done at boot."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_activate
