// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/all.hpp"
#include "cli/common.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_deactivate
{

namespace
{

std::string said(const volume::Outcome &outcome)
{
	return fmt::format("not active any more; blkctl activate {} brings it back",
			   outcome.brought_back_by);
}

// One after the other, as one may be on another; false when none has gone.
bool take_away(const Arguments &args, volume::Context &context)
{
	bool any = false;

	for (const auto &volume : take(volume::list(context)).volumes) {
		if (!volume::can_go(context, volume) || volume.info.open_count != 0)
			continue;
		const auto outcome = volume::deactivate(context, volume.name(), run_of(args));
		if (!outcome)
			continue;
		report_outcome(args, *outcome, said(*outcome));
		any = true;
	}
	return any && !args.flag("dry-run");
}

// A shutdown takes it away, and nothing is lost by that.
void pass_over(const Arguments &args, const volume::Volume &volume)
{
	volume::Outcome outcome;

	outcome.name = volume.name();
	report_outcome(args, outcome,
		       fmt::format("stays: nothing would bring it back; it ends with the system, "
				   "or by: blkctl remove {}",
				   volume.name()));
}

// Whoever removes what cannot go is the shutdown.
Status run_all(const Arguments &args)
{
	auto host = take(volume::Host::open());
	auto &context = host.context();
	All all(args);

	while (take_away(args, context))
		;
	for (const auto &volume : take(volume::list(context)).volumes) {
		const bool goes = volume::can_go(context, volume);
		// What was attached is not ours to take away.
		if (!goes && volume.kind != volume::Kind::created)
			continue;
		const bool has_seal = volume.table.bitmaps || volume.table.meta_device();
		if (!goes && !has_seal) {
			pass_over(args, volume);
			continue;
		}
		if (args.flag("dry-run") && volume.info.open_count == 0)
			continue;
		const auto outcome = volume::seal(context, volume.name(), run_of(args));
		if (outcome)
			report_outcome(args, *outcome,
				       "in use, or it has a job; what removes it next is taken "
				       "for the shutdown");
		else
			all.complain_of(outcome.error());
	}
	return all.status();
}

Status run(const Arguments &args)
{
	const bool named = args.count() > 0;

	if (named == args.flag("all"))
		bad_usage(named ? "--all goes without NAME" : "it takes NAME, or --all");
	if (!named)
		return run_all(args);
	return run_operation(args, volume::deactivate, said);
}

const Register entry{Verb{
	.name = "deactivate",
	.group = Group::volumes,
	.rank = 6,
	.summary = "take a volume away in good order; it can come back as it is",
	.description =
		{"Removes /dev/mapper/NAME and its layers. What was written is on its devices, its "
		 "metadata says where and is closed in good order, and /etc/blkctltab goes on "
		 "naming it: blkctl-activate(8), or the next boot, brings it back. Bitmaps in "
		 "memory end with it.",
		 "Of a volume with bitmaps on metadata what its data looks like is written down, "
		 "for blkctl-activate(8) to compare: its first 2 MiB, its last 1 MiB, and the "
		 "first 128 KiB of each of its partitions, where ext4, xfs, btrfs and LVM write "
		 "when it is mounted or changed. Writes that touch none of that, to an LV on it "
		 "for one, are not seen: make the next backup with --full then.",
		 "It must not be mounted or open. A copy whose state is in memory alone would be "
		 "lost and is refused; so is a volume that /etc/blkctltab does not name and that "
		 "has no metadata to come back from: blkctl-remove(8) ends that. So is one that "
		 "was made by blkctl-attach(8), whose "
		 "device is somebody else's, unless it is an LV that /etc/blkctltab names.",
		 "With --all every volume that comes back; others stay. One that is in use stays, "
		 "and whatever "
		 "removes it next is taken for the shutdown: what its metadata says, and its "
		 "bitmaps, stay valid. blkctl-activate.service does this when the machine is shut "
		 "down; a volume removed by another tool has bitmaps that are inconsistent."},
	.positionals =
		{{.name = "NAME", .help = "the volume", .offer = Offer::volume, .optional = true}},
	.options = {{.name = "all", .value = "", .help = "all volumes that can come back"},
		    dry_run_option(),
		    json_option()},
	.examples = {{"blkctl deactivate data", "Its devices are free then."},
		     {"blkctl deactivate --all", "What is done at a shutdown."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_deactivate
