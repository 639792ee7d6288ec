// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "base/size.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "report/report.hpp"
#include "uapi/blkcopy.h"
#include <charconv>
#include <fmt/format.h>
#include <limits>

namespace blkctl::cli
{

namespace
{

constexpr const char *break_snapshot = "break-snapshot";

} // namespace

Positional volume_positional()
{
	return {.name = "NAME",
		.help = "the volume: its name, /dev/mapper/NAME, /dev/VG/LV or MAJ:MIN",
		.offer = Offer::volume};
}

Option dry_run_option()
{
	return {.name = "dry-run",
		.letter = 'n',
		.value = "",
		.help = "make every check, print the steps that would be taken, change nothing"};
}

Option json_option()
{
	return {.name = "json",
		.value = "",
		.help = "print JSON lines, one object each, instead of text"};
}

Option until_reboot_option()
{
	return {.name = "until-reboot",
		.value = "",
		.help = "agree that the move of an LV lasts until it is next activated: LVM's own "
			"metadata goes on naming the old place"};
}

Option persist_option()
{
	return {.name = "persist",
		.value = "",
		.help = "of an LV: let it come back at boot where it is then, by /etc/blkctltab, "
			"and have LVM leave it alone"};
}

Option block_size_option()
{
	return {.name = "block-size",
		.value = "SIZE",
		.help = "the unit in which the volume remembers what has been copied: a power of "
			"two from 4k to 1M; 64k if not given"};
}

Option bitmaps_option()
{
	return {.name = "bitmaps",
		.value = "N",
		.help = "room for so many bitmaps, 1 to 64; 16 if not given"};
}

Option segment_option()
{
	return {.name = "segment",
		.value = "SIZE",
		.help = "after a crash each segment that was being written to counts as changed; "
			"the first write to one waits for the metadata. 1M or more; 64M if not "
			"given"};
}

Option metadata_option()
{
	return {.name = "metadata",
		.value = "META",
		.help = "the device, or the file, that remembers which blocks are where; a file in "
			"/var/lib/blkctl if not given",
		.words = {},
		.offer = Offer::block_device};
}

Option no_boot_option()
{
	return {.name = "no-boot",
		.value = "",
		.help = "write nothing in /etc/blkctltab: it does not come back at boot"};
}

Option no_freeze_option()
{
	return {.name = "no-freeze",
		.value = "",
		.help = "do not freeze the filesystem: what is found is as after a power cut"};
}

Option when_full_option()
{
	return {.name = "when-full",
		.value = "WHAT",
		.help = "what a write does that the store, or DEVICE with --from, has no room for: "
			"fail (if not given), or wait, for a minute at most",
		.words = {"fail", "wait"}};
}

Option store_error_option()
{
	return {.name = "on-store-error",
		.value = "WHAT",
		.help = "what becomes of the view when STORE takes nothing: break-snapshot (if not "
			"given; report is the same): it is lost, and the volume goes on; stop: it "
			"holds for a minute, until blkctl-resume(8); enospc: so when STORE is "
			"full, and it is lost otherwise",
		.words = {break_snapshot, BLKCOPY_POLICY_REPORT, BLKCOPY_POLICY_STOP,
			  BLKCOPY_POLICY_ENOSPC}};
}

std::optional<table::Policy> store_error_of(const Arguments &args)
{
	const auto text = args.value("on-store-error");

	if (!text)
		return std::nullopt;
	return *text == break_snapshot ? table::Policy::report : table::policy_from(*text);
}

Option fill_option()
{
	return {.name = "fill",
		.value = "",
		.help = "copy to STORE, in the background, what nobody overwrites as well; if not "
			"given, only what is overwritten goes there"};
}

bool waits_for_space(const Arguments &args)
{
	return args.value("when-full") == "wait";
}

Option force_store_option()
{
	return {.name = "force",
		.value = "",
		.help = "overwrite what is known to be on STORE: a signature, metadata, or a "
			"volume that is not active"};
}

uint32_t segment_mib_of(const std::string &text)
{
	auto bytes = take_value("segment", text, parse_size(text));
	uint64_t mib = bytes >> 20;
	if (bytes % (uint64_t{1} << 20) != 0 || mib > std::numeric_limits<uint32_t>::max())
		bad_usage(fmt::format("--segment \"{}\": not a whole number of MiB", text));
	return static_cast<uint32_t>(mib);
}

std::optional<uint32_t> parse_count(const std::string &text)
{
	uint32_t number = 0;
	const auto *const last = text.data() + text.size();
	const auto [end, error] = std::from_chars(text.data(), last, number);

	if (error != std::errc() || end != last || number == 0)
		return std::nullopt;
	return number;
}

uint32_t bitmaps_of(const std::string &text)
{
	constexpr uint32_t most = BLKCOPY_BITMAPS_MAX;
	const auto number = parse_count(text);

	if (!number || *number > most)
		bad_usage(fmt::format("--bitmaps \"{}\": not a number from 1 to {}", text, most));
	return *number;
}

uint32_t block_sectors_of(const Arguments &args)
{
	constexpr uint32_t usual = 128;
	auto size = args.value("block-size");
	return size ? take_value("block-size", *size, parse_block_sectors(*size)) : usual;
}

std::vector<Option> join(std::initializer_list<std::vector<Option>> groups)
{
	std::vector<Option> all;
	for (const auto &group : groups)
		all.insert(all.end(), group.begin(), group.end());
	return all;
}

std::vector<Rule> join_rules(std::vector<Rule> rules, const std::vector<Rule> &more)
{
	rules.insert(rules.end(), more.begin(), more.end());
	return rules;
}

volume::Run run_of(const Arguments &args)
{
	return args.flag("dry-run") ? volume::Run::dry : volume::Run::doit;
}

namespace
{

void print_plan(const volume::Outcome &outcome)
{
	if (outcome.already || outcome.steps.empty()) {
		say("nothing would be done: it is so already");
		return;
	}
	say("would be done, in this order; nothing was changed:");
	size_t number = 0;
	for (const std::string &step : outcome.steps)
		say(fmt::format("{:3}. {}", ++number, step));
}

} // namespace

void report_outcome_as(const std::string &verb, const Arguments &args,
		       const volume::Outcome &outcome, const std::string &said)
{
	bool dry = args.flag("dry-run");
	// Of a plan the text is all there is; what was done is done, whoever hears of it.
	const auto put = dry ? say : tell;
	if (args.flag("json"))
		put(report::json_outcome(verb, outcome.name, dry, outcome.already, outcome.steps,
					 outcome.stall_ms, outcome.freeze_ms,
					 outcome.to_copy_bytes));
	else if (dry)
		print_plan(outcome);
	else if (outcome.already)
		put(fmt::format("{}: nothing to do, it is so already", outcome.name));
	else
		put(fmt::format("{}: {}", outcome.name, said));
	if (!outcome.note.empty())
		complain("blkctl: " + outcome.note);
}

Status run_operation(const Arguments &args, Operation operation,
		     const std::function<std::string(const volume::Outcome &)> &said)
{
	auto host = take(volume::Host::open());
	auto outcome = take(operation(host.context(), args.at(0), run_of(args)));
	report_outcome(args, outcome, said(outcome));
	return Status::ok;
}

void report_outcome(const Arguments &args, const volume::Outcome &outcome, const std::string &said)
{
	report_outcome_as(args.verb().name, args, outcome, said);
}

} // namespace blkctl::cli
