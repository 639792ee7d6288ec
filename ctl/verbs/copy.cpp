// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size.hpp"
#include "cli/common.hpp"
#include "cli/copy_options.hpp"
#include "cli/pivoting.hpp"
#include "cli/progress.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "cli/waiting.hpp"
#include "uapi/blkcopy.h"
#include <fmt/format.h>

namespace blkctl::cli::verb_copy
{

namespace
{

volume::CopyRequest request_of(const Arguments &args)
{
	volume::CopyRequest request;
	request.name = args.at(0);
	request.target = args.at(1);
	request.params = read_copy_options(args);
	request.detect_zeroes = args.flag("detect-zeroes");
	request.no_discard_passdown = args.flag("no-discard-passdown");
	request.force = args.flag("force");
	request.pivot = args.flag("pivot");
	request.metadata = args.value("metadata").value_or("");
	request.boot = !args.flag("no-boot");
	std::string sync = args.value("sync").value_or("full");
	constexpr std::string_view from_bitmap = "bitmap=";
	if (sync == "bitmap" || sync == from_bitmap)
		bad_usage(fmt::format("--sync \"{}\": it names no bitmap", sync),
			  "blkctl bitmap list " + request.name);
	if (sync.starts_with(from_bitmap))
		request.sync_bitmap = sync.substr(from_bitmap.size());
	else if (sync != "full" && sync != "none")
		bad_usage(fmt::format("--sync \"{}\": none of full, none, bitmap=BITMAP", sync));
	request.sync_none = sync == "none";
	return request;
}

// Of a copy from a bitmap; "" of others.
std::string how_much(const Arguments &args, const volume::Outcome &outcome)
{
	if (!outcome.to_copy_bytes)
		return "";
	return fmt::format("{} {} to be copied", format_size(*outcome.to_copy_bytes),
			   args.flag("dry-run") ? "would have" : "have");
}

// The copy ran already: what was asked for now holds for the rest of it. One that is pivoted has
// no rest. Returns the steps.
std::vector<std::string> apply_to_running(volume::Context &context, const volume::CopyId &copy,
					  const table::Params &params, volume::Run run)
{
	if (take(volume::find(context, copy.device)).state() == volume::JobState::pivoted)
		return {};
	volume::Settings settings;
	auto number = [&](const char *key, const std::optional<uint32_t> &value) {
		if (value)
			settings.emplace_back(key, std::to_string(*value));
	};
	auto word = [&](const char *key, const auto &value) {
		if (value)
			settings.emplace_back(key, std::string(table::word(*value)));
	};
	number(BLKCOPY_PARAM_RATE_KIB, params.rate_kib);
	number(BLKCOPY_PARAM_INFLIGHT_KIB, params.inflight_kib);
	number(BLKCOPY_PARAM_RUN_KIB, params.run_kib);
	word(BLKCOPY_PARAM_COPY_MODE, params.copy_mode);
	word(BLKCOPY_PARAM_ON_BASE_ERROR, params.on_base_error);
	word(BLKCOPY_PARAM_ON_TOP_ERROR, params.on_top_error);
	if (settings.empty())
		return {};
	return take(volume::set(context, copy.device.str(), settings, run)).steps;
}

Status dry_run(const Arguments &args, volume::Context &context, const table::Params &params,
	       volume::Outcome outcome)
{
	if (outcome.copy) {
		if (outcome.already)
			outcome.steps =
				apply_to_running(context, *outcome.copy, params, volume::Run::dry);
		if (args.flag("pivot"))
			outcome.steps.push_back(
				"wait until every block is on both devices, then pivot");
		outcome.already = outcome.steps.empty();
	}
	report_outcome(args, outcome, "");
	if (outcome.to_copy_bytes && !args.flag("json"))
		say(fmt::format("{}: {}", outcome.name, how_much(args, outcome)));
	return Status::ok;
}

void report_start(const Arguments &args, const volume::Outcome &outcome, bool over,
		  const Waiting &waiting)
{
	const std::string amount = how_much(args, outcome);
	std::string said = fmt::format("the copy to {} runs{}{}; follow it with: blkctl wait {}",
				       args.at(1), outcome.already ? " already" : "",
				       amount.empty() ? "" : ", " + amount, outcome.name);
	if (over || waiting.json)
		report_outcome(args, outcome, said);
	else if (!waiting.wait)
		tell(outcome.name + ": " + said);
	else if (!amount.empty())
		tell(outcome.name + ": " + amount);
	if (!over && !waiting.json && !outcome.note.empty())
		complain("blkctl: " + outcome.note);
}

Status run(const Arguments &args)
{
	volume::CopyRequest request = request_of(args);
	auto downtime = downtime_of(args, args.flag("pivot"));
	Waiting waiting = waiting_of(args, downtime.has_value());
	waiting.downtime = downtime;

	auto host = take(volume::Host::open());
	auto &context = host.context();
	if (args.flag("pivot"))
		check_pivot(context, request.name, args);
	Start since = std::chrono::steady_clock::now();
	auto outcome = take(volume::copy(context, request, run_of(args)));
	if (args.flag("dry-run"))
		return dry_run(args, context, request.params, std::move(outcome));

	const std::string name = outcome.name;
	const bool over = !outcome.copy;
	if (outcome.already && !over)
		apply_to_running(context, *outcome.copy, request.params, volume::Run::doit);
	report_start(args, outcome, over, waiting);
	if (over || !waiting.wait)
		return Status::ok;

	auto job = wait_for(context, *outcome.copy, Until::ready, waiting,
			    "blkctl wait " + name + options_again(args));
	if (args.flag("pivot")) {
		pivot_now(context, args, *outcome.copy, since);
	} else if (!waiting.json && job.state == job::State::none) {
		tell(fmt::format("{}: somebody else has pivoted the copy: it is on {} now", name,
				 request.target));
	} else if (!waiting.json && job.state == job::State::pivoted) {
		tell(fmt::format("{}: the pivot is not finished yet; finish it with: blkctl pivot "
				 "{}",
				 name, name));
	} else if (!waiting.json) {
		auto took = std::chrono::steady_clock::now() - since;
		tell(fmt::format(
			"{}: ready after {}, every block is on {} too; next: blkctl pivot "
			"{}, or blkctl abort {}",
			name,
			span_text(std::chrono::duration_cast<std::chrono::milliseconds>(took)),
			request.target, name, name));
	}
	return Status::ok;
}

constexpr const char *about_bitmaps =
	"With --sync bitmap=BITMAP a device that has held the volume before is brought up "
	"to date: after a pivot the one it came from, if BITMAP was added or cleared "
	"before that. Nobody else may have written to TARGET since. "
	"BITMAP (see blkctl-bitmap(8)) has to have recorded all the time since then: one "
	"that is frozen, disabled or inconsistent is refused; of one that was disabled "
	"for a while, or that the kernel cannot rely on for another reason, everything is "
	"copied, and that is said. The copy does not clear it.";

const Register entry{Verb{
	.name = "copy",
	.group = Group::copy,
	.rank = 1,
	.summary = "copy a volume to another device while it is in use",
	.description =
		{"Copies all of the volume to TARGET while it is read and written, and keeps both "
		 "equal. With --pivot the volume then moves to TARGET and the old device is free; "
		 "without, it stays on both until blkctl-pivot(8) or blkctl-abort(8).",
		 "TARGET must be at least as large as the volume, and not in use: a mounted or "
		 "held "
		 "device is refused. What is on TARGET is lost; one that carries a filesystem, a "
		 "RAID member, an encrypted or LVM volume or a partition table is refused unless "
		 "--force is given.",
		 about_bitmaps,
		 "With --metadata the copy survives the system: what was copied is not copied "
		 "again, "
		 "and after a crash only what was being written to is. The volume is written down "
		 "in "
		 "/etc/blkctltab and comes back with it. "
		 "The copy runs in the kernel. Ctrl-C, or the end of the terminal, leaves it "
		 "running; "
		 "blkctl-wait(8) comes back to it. --pivot is done by this command, so what was "
		 "left "
		 "that way is finished by \"blkctl wait NAME --pivot\" or blkctl-pivot(8). The "
		 "same "
		 "command run again goes on where it was, with the options that are given now. "
		 "An error on TARGET never reaches the users of the volume. If the copy fails, the "
		 "volume stays on its source, and the status is 5; if a policy stopped it, 8."},
	.positionals = {volume_positional(),
			{.name = "TARGET",
			 .help = "the block device to copy to; it is overwritten",
			 .offer = Offer::block_device}},
	.options = join(
		{{{.name = "pivot",
		   .value = "",
		   .help = "when everything is copied, move the volume to TARGET"},
		  {.name = "keep",
		   .value = "",
		   .help = "when everything is copied, stay on both: so it is if not given"},
		  {.name = "force",
		   .value = "",
		   .help = "overwrite what is known to be on TARGET: a signature, metadata, or a "
			   "volume that is not active; overrides no other refusal"},
		  {.name = "sync",
		   .value = "WHAT",
		   .help = "what to copy: full (if not given); none: TARGET is known to be equal "
			   "already, and only kept so; or bitmap=BITMAP: TARGET holds what the "
			   "volume held when BITMAP began or was cleared, or later, and only what "
			   "has changed since is copied. For the latter two it must carry the "
			   "same signature as the volume, unless --force is given, and --metadata "
			   "is not for them",
		   .words = {},
		   .offer = Offer::nothing}},
		 copy_options(),
		 {{.name = "metadata",
		   .value = "META",
		   .help = "remember on this device, or in this file, what has been copied: after "
			   "a "
			   "boot, or a crash, the copy goes on from there; in memory alone if not "
			   "given",
		   .words = {},
		   .offer = Offer::block_device},
		  no_boot_option(),
		  downtime_option(),
		  {.name = "detect-zeroes",
		   .value = "",
		   .help = "look for zeroes in what is copied, and write none of them to a TARGET "
			   "that can zero blocks by itself"},
		  {.name = "no-discard-passdown",
		   .value = "",
		   .help = "keep discards from the devices below; blocks then read as before"},
		  until_reboot_option(),
		  persist_option()},
		 wait_choice_options(),
		 {dry_run_option(), json_option()}}),
	.rules =
		join_rules({{.options = {"pivot"}, .excludes = {"keep"}},
			    {.options = {"pivot", "max-downtime"},
			     .excludes = {"no-wait"},
			     .why = "somebody has to wait for the copy; blkctl wait does so later"},
			    {.options = {"until-reboot", "persist"}, .needs = {"pivot"}},
			    {.options = {"max-downtime"},
			     .needs = {"mode background"},
			     .why = "a dual copy never falls behind"},
			    {.options = {"no-boot"},
			     .needs = {"metadata"},
			     .why = "without, nothing is written down anyway"}},
			   wait_choice_rules()),
	.examples = {{"blkctl copy data /dev/vdc --pivot",
		      "Moves the mounted volume to /dev/vdc; /dev/vdb can be pulled out then."},
		     {"blkctl copy data /dev/vdc --rate 50M --no-wait",
		      "Starts a copy of at most 50 MiB a second and returns."},
		     {"blkctl copy data /dev/vdc --metadata /var/lib/blkctl/data.copy",
		      "A copy that goes on after a boot."},
		     {"blkctl copy data /dev/vdb --sync bitmap=moved --pivot",
		      "Moves back to /dev/vdb, where data was when bitmap moved was added, and "
		      "copies what has changed since."},
		     {"blkctl copy data /dev/vdc --pivot --dry-run",
		      "Only says what would be done."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_copy
