// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/metadata.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "report/json_meta.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_repair
{

namespace
{

Error still_missing(const volume::Repaired &repaired, bool picked)
{
	Error error;
	error.status = Status::needs_attention;
	error.device = repaired.outcome.name;
	error.why = "these stay unreadable: " + ranges_text(repaired.missing);
	error.next = "blkctl restore " + repaired.outcome.name + " DUMP";
	if (!picked)
		error.next += ", or give --older-slot";
	return error;
}

Error still_lost(const volume::Repaired &repaired)
{
	Error error;
	error.status = Status::needs_attention;
	error.device = repaired.outcome.name;
	error.why = "the bitmap in a slot stays lost, if there was one:";
	for (const auto slot : repaired.lost_bitmaps)
		error.why += fmt::format(" {}", slot);
	error.next = "blkctl dump " + repaired.outcome.name + ", for those that are left";
	return error;
}

void say_bitmaps(const volume::Repaired &repaired, void (*put)(std::string_view))
{
	for (const auto &[name, granules] : repaired.changed)
		put(fmt::format(
			"{}: of bitmap '{}' these could not be read, and count as changed: {}",
			repaired.outcome.name, name, ranges_text(granules, "granules")));
	for (const auto &name : repaired.inconsistent)
		put(fmt::format("{}: bitmap '{}' is inconsistent: it may have missed writes",
				repaired.outcome.name, name));
}

Status run(const Arguments &args)
{
	bool pick = args.flag("older-slot");
	auto host = open_offline();
	auto repaired =
		take(volume::repair(host.offline(), args.at(0),
				    pick ? meta::Older::pick : meta::Older::never, run_of(args)));
	const auto &outcome = repaired.outcome;
	const auto put = args.flag("dry-run") ? say : tell;
	if (args.flag("json"))
		put(report::json_repair(repaired, args.flag("dry-run")));
	else
		report_outcome(args, outcome,
			       fmt::format("repaired, {} rewritten", outcome.steps.size()));
	if (!args.flag("json") && !repaired.picked.empty())
		put(fmt::format("{}: these may be as they once were: {}", outcome.name,
				ranges_text(repaired.picked)));
	if (!args.flag("json"))
		say_bitmaps(repaired, put);
	if (!repaired.missing.empty())
		refuse(still_missing(repaired, pick));
	if (!repaired.lost_bitmaps.empty())
		refuse(still_lost(repaired));
	return Status::ok;
}

const Register entry{Verb{
	.name = "repair",
	.group = Group::metadata,
	.rank = 5,
	.summary = "make a metadata device whole again, from what is there",
	.description =
		{"Writes a bad superblock again from its other copy, and a bad sector from its "
		 "other "
		 "slot if that is known to be the newest. It makes up nothing: blocks whose place "
		 "is "
		 "not known stay unreadable, and are named; the status is then 8.",
		 "Of a bitmap, bits that cannot be read are written as all changed: it says more "
		 "than has changed, never less. One that may have missed writes is written as "
		 "inconsistent. One whose name cannot be read stays lost; the status is then 8, "
		 "and the next activation goes on without it.",
		 "What is torn needs no repair: the next activation goes on from the good slot.",
		 "Keep a dump first: see blkctl-dump(8)."},
	.positionals = {meta_positional()},
	.options = {{.name = "older-slot",
		     .value = "",
		     .help = "where only a slot is left that may be outdated, take it: its blocks "
			     "may then read as they once were, or as never written"},
		    dry_run_option(),
		    json_option()},
	.examples = {{"blkctl repair /dev/vdm --dry-run", "Only says what would be written."},
		     {"blkctl repair /dev/vdm", "Repairs what can be repaired without a guess."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_repair
