// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size.hpp"
#include "cli/common.hpp"
#include "cli/metadata.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "report/json_meta.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_check
{

namespace
{

// Of many findings the first are enough for a person; --json has them all.
constexpr size_t most = 20;

void say_bitmaps(const volume::Checked &checked)
{
	const auto &contents = checked.contents;
	if (!contents.super.has_bitmaps())
		return;
	say(fmt::format("{}: bitmaps: {}, room for {}", checked.path, contents.bitmaps.size(),
			contents.super.geometry.bitmap_slots));
	for (const auto &bitmap : contents.bitmaps) {
		const auto changed = contents.changed(bitmap).count();
		auto text = fmt::format("{}: bitmap '{}': {}{}, {} of {} granules of {} changed",
					checked.path, bitmap.name,
					bitmap.recording ? "recording" : "disabled",
					contents.is_inconsistent(bitmap)    ? ", inconsistent"
					: bitmap.lapsed && bitmap.recording ? ", not all the time"
									    : "",
					changed, bitmap.changes.granules(),
					format_size(uint64_t{bitmap.granule_sectors} * 512));
		if (!bitmap.unreadable.empty())
			text += "; they include all whose bits cannot be read: " +
				ranges_text(bitmap.unreadable, "granules");
		say(text);
	}
	for (const auto slot : contents.lost_bitmaps)
		say(fmt::format("{}: the bitmap in slot {} is lost, if there was one", checked.path,
				slot));
	if (contents.super.unsealed)
		say(fmt::format("{}: writes may have gone past the volume, or its bitmaps are of "
				"a dump: none says what has changed",
				checked.path));
	if (auto marked = contents.segments.count())
		say(fmt::format("{}: {} of {} segments are marked: while a bitmap records, all of "
				"them counts as changed",
				checked.path, marked, contents.segments.segments()));
}

void say_findings(const volume::Checked &checked)
{
	const auto &contents = checked.contents;
	const auto &super = contents.super;
	say(fmt::format("{}: metadata of '{}', {}, {}, stopped {}", checked.path, super.name,
			word(super.mode), word(super.phase),
			super.clean ? "in good order" : "without warning"));
	if (checked.in_use)
		say(fmt::format("{}: it is in use: what is found may be what is just being written",
				checked.path));
	size_t said = 0;
	for (const auto &finding : contents.findings)
		if (said++ < most)
			say(fmt::format("{}: {}", checked.path, describe(finding)));
	if (said > most)
		say(fmt::format("{}: and {} more", checked.path, said - most));
	if (auto torn = contents.count(meta::Verdict::torn))
		say(fmt::format("{}: torn: {}; nothing is lost by that", checked.path, torn));
	say_bitmaps(checked);
}

// "'one': granules 0-255; the one in slot 3, if there was one"
std::string lost_in_bitmaps(const meta::Contents &contents)
{
	std::string text;
	const auto add = [&](const std::string &each) {
		text += (text.empty() ? "" : "; ") + each;
	};

	for (const auto &bitmap : contents.bitmaps)
		if (!bitmap.unreadable.empty())
			add(fmt::format("of bitmap '{}': {}, which count as changed", bitmap.name,
					ranges_text(bitmap.unreadable, "granules")));
	for (const auto slot : contents.lost_bitmaps)
		add(fmt::format("the bitmap in slot {}, if there was one: it is lost", slot));
	return text;
}

Error damaged(const volume::Checked &checked)
{
	const auto &contents = checked.contents;
	const auto lost = contents.unreadable();
	Error error;
	error.status = Status::needs_attention;
	error.device = checked.path;
	if (!checked.legs.empty())
		return checked.legs.front();
	error.next = "blkctl repair " + checked.path;
	error.why = "something is bad, but nothing is lost";
	if (!lost.empty())
		error.why = "these cannot be read: " + ranges_text(lost);
	if (const auto bitmaps = lost_in_bitmaps(contents); !bitmaps.empty())
		error.why = "these cannot be read: " + bitmaps;
	return error;
}

Status run(const Arguments &args)
{
	auto host = open_offline();
	auto checked = take(volume::check(host.offline(), {.meta = args.at(0),
							   .base = args.value("base").value_or(""),
							   .top = args.value("top").value_or("")}));
	if (args.flag("json"))
		say(report::json_check(checked));
	else
		say_findings(checked);
	if (!checked.is_well())
		refuse(damaged(checked));
	if (!args.flag("json"))
		say(fmt::format("{}: well", checked.path));
	return Status::ok;
}

const Register entry{Verb{
	.name = "check",
	.group = Group::metadata,
	.rank = 2,
	.summary = "look whether a metadata device is whole",
	.description =
		{"Reads all of META and changes nothing. The status is 0 if it is whole, or torn "
		 "only, and 8 if somebody has to look at it; then the blocks are named whose place "
		 "is not known any more. The volume answers reads of those with an error.",
		 "A stop without warning may tear the sectors that were just being written. Each "
		 "is "
		 "there twice, and the one that is good counts; that is what \"torn\" says. After "
		 "a "
		 "stop in good order nothing may be torn: a bad sector is then harmless only if it "
		 "is known to be the older one.",
		 "Of mode track the bitmaps are listed. Bits that cannot be read count as all "
		 "changed, so that a bitmap says more than has changed, never less; one is "
		 "inconsistent if it may have missed writes. A bitmap whose name cannot be read "
		 "is lost.",
		 "With --base and --top it is also checked whether these are the devices that the "
		 "metadata is about, and whether the base has been changed by somebody else."},
	.positionals = {meta_positional()},
	.options = {{.name = "base",
		     .value = "DEVICE",
		     .help = "the device that should be the base",
		     .words = {},
		     .offer = Offer::block_device},
		    {.name = "top",
		     .value = "DEVICE",
		     .help = "the device that should be the top",
		     .words = {},
		     .offer = Offer::block_device},
		    json_option()},
	.examples = {{"blkctl check /dev/vdm", "Says how it stands and what is bad."},
		     {"blkctl check /dev/vdm --base /dev/vdb --top /dev/vdc",
		      "Also whether these are its legs."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_check
