// SPDX-License-Identifier: GPL-2.0-or-later
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
