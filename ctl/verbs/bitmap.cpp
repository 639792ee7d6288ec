// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size.hpp"
#include "cli/common.hpp"
#include "cli/pages.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "report/report.hpp"
#include "volume/bitmaps.hpp"
#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <functional>

namespace blkctl::cli::verb_bitmap
{

namespace
{

constexpr uint64_t sector_size = 512;

std::string quoted(const std::string &text)
{
	return boost::json::serialize(boost::json::string_view(text));
}

// What is done, and the words that come after it.
struct Action {
	std::string name;
	size_t words;
	std::string usage;
	std::function<Status(const Arguments &, volume::Context &)> run;
	std::vector<std::string> options = {}; // besides --json, which all take
};

volume::NewBitmap new_bitmap_of(const Arguments &args)
{
	volume::NewBitmap options;
	options.disabled = args.flag("disabled");
	if (auto text = args.value("granularity")) {
		const auto bytes = take_value("granularity", *text, parse_size(*text));
		if (bytes % sector_size != 0 || bytes / sector_size > UINT32_MAX)
			bad_usage("--granularity \"" + *text + "\": not a size it can have");
		options.granularity_sectors = uint32_t(bytes / sector_size);
	}
	return options;
}

Status report(const Arguments &args, const volume::Outcome &outcome, const std::string &said)
{
	report_outcome_as("bitmap " + args.at(0), args, outcome, said);
	return Status::ok;
}

Status add(const Arguments &args, volume::Context &context)
{
	return report(args,
		      take(volume::bitmap_add(context, args.at(1), args.at(2), new_bitmap_of(args),
					      run_of(args))),
		      "bitmap " + args.at(2) + " records what changes from now on");
}

Status remove(const Arguments &args, volume::Context &context)
{
	return report(args,
		      take(volume::bitmap_remove(context, args.at(1), args.at(2), run_of(args))),
		      "bitmap " + args.at(2) + " is gone");
}

Status clear(const Arguments &args, volume::Context &context)
{
	return report(args,
		      take(volume::bitmap_clear(context, args.at(1), args.at(2), run_of(args))),
		      "bitmap " + args.at(2) + ": nothing has changed, as of now");
}

Status enable(const Arguments &args, volume::Context &context)
{
	const bool enabled = args.at(0) == "enable";
	return report(
		args,
		take(volume::bitmap_enable(context, args.at(1), args.at(2), enabled, run_of(args))),
		"bitmap " + args.at(2) + (enabled ? " records" : " does not record") +
			" what changes from now on");
}

Status freeze(const Arguments &args, volume::Context &context)
{
	return report(args,
		      take(volume::bitmap_freeze(context, args.at(1), args.at(2), run_of(args))),
		      "bitmap " + args.at(2) +
			      " keeps what has changed by now; clear it when that is copied, or "
			      "thaw it");
}

Status thaw(const Arguments &args, volume::Context &context)
{
	return report(args,
		      take(volume::bitmap_thaw(context, args.at(1), args.at(2), run_of(args))),
		      "bitmap " + args.at(2) + " has all that has changed again");
}

Status merge(const Arguments &args, volume::Context &context)
{
	return report(args,
		      take(volume::bitmap_merge(context, args.at(1), args.at(2), args.at(3),
						run_of(args))),
		      "bitmap " + args.at(2) + " has what had changed in " + args.at(3) + ", too");
}

// A module that does not say what a bit stands for leaves it out.
std::string granule_text(const table::BitmapStatus &bitmap)
{
	const auto bytes = bitmap.granule_bytes();

	return bytes ? ", a bit for " + format_size(*bytes) : "";
}

Status list(const Arguments &args, volume::Context &context)
{
	const auto found = take(volume::find(context, args.at(1)));
	const uint64_t block = found.status.block_sectors * sector_size;

	if (args.flag("json")) {
		say(report::json_bitmaps(found));
		return Status::ok;
	}
	for (const auto &bitmap : found.status.bitmaps)
		say(fmt::format("{}  {}  {} changed at most{}", bitmap.name, bitmap.state,
				format_size(bitmap.dirty_blocks * block), granule_text(bitmap)));
	return Status::ok;
}

// One bit a block, the lowest first.
void print_raw(const volume::Volume &volume, const std::vector<volume::BlockRun> &runs)
{
	std::string bits((volume.status.total + 7) / 8, '\0');
	for (const auto &run : runs)
		for (uint64_t block = run.first; block < run.first + run.count; block++)
			bits[block / 8] = char(bits[block / 8] | 1 << block % 8);
	print_all(bits);
}

Status dump(const Arguments &args, volume::Context &context)
{
	const auto found = take(volume::find(context, args.at(1)));
	const auto runs = take(volume::read_bitmap(context, found, args.at(2)));
	const auto format = args.value("format").value_or(args.flag("json") ? "json" : "ranges");
	const uint64_t block = found.status.block_sectors * sector_size;
	const uint64_t size = found.sectors * sector_size;

	if (format == "raw") {
		print_raw(found, runs);
		return Status::ok;
	}
	// There may be millions: nothing is built of them.
	const bool as_json = format == "json";
	Pages out;
	if (as_json)
		out.text(fmt::format(
			R"({{"schema":1,"name":{},"bitmap":{},"block_bytes":{},"size":{},"dirty":[)",
			quoted(found.name()), quoted(args.at(2)), block, size));
	bool first = true;
	for (const auto &run : runs) {
		const auto [offset, length] = volume::range_of(found, run);
		if (!as_json) {
			out.number(offset);
			out.literal(" ");
			out.number(length);
			out.literal("\n");
			continue;
		}
		if (!first)
			out.literal(",");
		first = false;
		out.literal(R"({"offset":)");
		out.number(offset);
		out.literal(R"(,"length":)");
		out.number(length);
		out.literal("}");
	}
	if (as_json)
		out.literal("]}\n");
	out.finish();
	return Status::ok;
}

const std::vector<Action> &actions()
{
	static const std::vector<Action> all = {
		{"add", 3, "NAME BITMAP", add, {"granularity", "disabled", "dry-run"}},
		{"remove", 3, "NAME BITMAP", remove, {"dry-run"}},
		{"clear", 3, "NAME BITMAP", clear, {"dry-run"}},
		{"enable", 3, "NAME BITMAP", enable, {"dry-run"}},
		{"disable", 3, "NAME BITMAP", enable, {"dry-run"}},
		{"freeze", 3, "NAME BITMAP", freeze, {"dry-run"}},
		{"thaw", 3, "NAME BITMAP", thaw, {"dry-run"}},
		{"merge", 4, "NAME BITMAP SOURCE", merge, {"dry-run"}},
		{"list", 2, "NAME", list},
		{"dump", 3, "NAME BITMAP", dump, {"format"}},
	};
	return all;
}

Status run(const Arguments &args)
{
	const auto &all = actions();
	const auto action = std::find_if(all.begin(), all.end(),
					 [&](const auto &one) { return one.name == args.at(0); });
	if (action == all.end())
		bad_usage("there is no \"" + args.at(0) + "\"", "blkctl help bitmap");
	const auto takes = [&](const std::string &option) {
		const auto &all = action->options;
		return std::find(all.begin(), all.end(), option) != all.end();
	};
	for (const char *option : {"granularity", "disabled", "format", "dry-run"})
		if (args.given(option) && !takes(option))
			bad_usage(fmt::format("{} takes no --{}", action->name, option));
	if (args.count() != action->words)
		bad_usage("it is: blkctl bitmap " + action->name + " " + action->usage);
	auto host = take(volume::Host::open());
	return action->run(args, host.context());
}

const Register entry{Verb{
	.name = "bitmap",
	.group = Group::volumes,
	.rank = 8,
	.summary = "know which blocks of a volume have changed",
	.description =
		{"add NAME BITMAP records, from now on, which blocks are written to, discarded or "
		 "zeroed; up to 64 of them, each for whoever has to know. clear: nothing has "
		 "changed, as of now; of a frozen one, what was kept is forgotten. disable and "
		 "enable: stops recording, and goes on. merge NAME BITMAP SOURCE: what has changed "
		 "in SOURCE has changed in BITMAP too. remove: forgets it.",
		 "freeze keeps what has changed by now, to be copied, and records apart what "
		 "changes meanwhile: a write between a dump and a clear would be in neither "
		 "otherwise. Then clear, when it is copied; or thaw, when that has failed, and "
		 "nothing is lost. A bitmap is of one chain of backups: after add, clear or "
		 "disable the next blkctl-backup(8) with it is a full one.",
		 "list NAME: what there is, how much has changed, and what one bit stands for. A "
		 "bitmap that is inconsistent may have missed writes, "
		 "as another tool had the device meanwhile: frozen, all of it has changed, "
		 "and it begins anew. "
		 "dump NAME BITMAP: the ranges that have changed, as offset and length in bytes, "
		 "one a line; --format json, or raw: a bit a block, the lowest first.",
		 "Bitmaps belong to the volume and go on recording through copy, pivot, snapshot, "
		 "commit and stream. They are in memory, and end with the device, unless the "
		 "volume "
		 "was created or attached with --metadata: then they come back with it, also after "
		 "a crash, "
		 "when what was being written to counts as changed."},
	.positionals =
		{{.name = "ACTION",
		  .help = "add, remove, clear, enable, disable, freeze, thaw, merge, list or dump",
		  .words = {"add", "remove", "clear", "enable", "disable", "freeze", "thaw",
			    "merge", "list", "dump"}},
		 {.name = "NAME", .help = "the volume", .offer = Offer::volume},
		 {.name = "BITMAP",
		  .help = "the bitmap, and for merge the other one",
		  .optional = true,
		  .repeated = true}},
	.options =
		{{.name = "granularity",
		  .value = "SIZE",
		  .help = "add: what one bit stands for, a power of two, a block or more; a block "
			  "if not given"},
		 {.name = "disabled", .value = "", .help = "add: it records when it is enabled"},
		 {.name = "format",
		  .value = "FORMAT",
		  .help = "dump: ranges, json or raw; ranges if not given",
		  .words = {"ranges", "json", "raw"}},
		 dry_run_option(),
		 json_option()},
	.rules = {{.options = {"json"}, .excludes = {"format ranges", "format raw"}}},
	.examples = {{"blkctl bitmap add data nightly", "Begins to record, before a full backup."},
		     {"blkctl bitmap dump data nightly --format json",
		      "What an incremental has to copy, of one that was frozen before."},
		     {"blkctl bitmap list data",
		      "How much has changed, and in what units that is known."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_bitmap
