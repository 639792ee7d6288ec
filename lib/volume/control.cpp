// SPDX-License-Identifier: GPL-2.0-or-later
// pause, resume and set: changing a running copy.
#include "base/size.hpp"
#include "uapi/blkcopy.h"
#include "volume/damage.hpp"
#include "volume/steps.hpp"
#include <algorithm>
#include <charconv>

namespace blkctl::volume
{

namespace
{

// One key as the kernel takes it.
struct Setting {
	std::string key;
	std::string value;
};

// An overlay has no copy, but a store that may be full: `overlay_too`.
Result<Volume> find_running(Change &change, const std::string &name, bool overlay_too)
{
	BLKCTL_TRY(const auto found, change.open(name));
	BLKCTL_TRY(auto volume, find_for_change(change, found.devno));

	if (is_damaged(volume))
		return damaged(change.context(), change.verb(), volume.name(), volume);
	switch (volume.state()) {
	case JobState::none:
		if (overlay_too && volume.table.mode == table::Mode::overlay)
			break;
		return refusal(Status::not_found, change.verb(), volume.name(), "it has no copy",
			       "blkctl copy " + volume.name() + " TARGET");
	case JobState::pivoted:
		return refusal(Status::failed, change.verb(), volume.name(), "its copy is pivoted",
			       "blkctl pivot " + volume.name());
	case JobState::aborted:
	case JobState::failed:
		return refusal(Status::failed, change.verb(), volume.name(), "its copy has ended",
			       "blkctl abort " + volume.name());
	case JobState::copying:
	case JobState::paused:
	case JobState::ready:
	case JobState::needs_attention:
	case JobState::preserving:
		break;
	}
	return volume;
}

Error bad_value(const std::string &key, const std::string &value, const std::string &why)
{
	return refusal(Status::usage, "set", key + "=" + value, why);
}

struct Range {
	const char *key;
	uint32_t min;
	uint32_t max;
	uint32_t standard;
	std::optional<uint32_t> table::Params::*given;
};

constexpr Range ranges[] = {
	{BLKCOPY_PARAM_RATE_KIB, 0, BLKCOPY_RATE_KIB_MAX, 0, &table::Params::rate_kib},
	{BLKCOPY_PARAM_INFLIGHT_KIB, BLKCOPY_INFLIGHT_KIB_MIN, BLKCOPY_INFLIGHT_KIB_MAX,
	 BLKCOPY_INFLIGHT_KIB_DEFAULT, &table::Params::inflight_kib},
	{BLKCOPY_PARAM_RUN_KIB, BLKCOPY_RUN_KIB_MIN, BLKCOPY_RUN_KIB_MAX, BLKCOPY_RUN_KIB_DEFAULT,
	 &table::Params::run_kib},
};

Result<Setting> parse_number(const Range &range, const std::string &key, const std::string &value)
{
	uint32_t number = 0;
	const auto *const end = value.data() + value.size();
	const auto [rest, error] = std::from_chars(value.data(), end, number);

	if (error != std::errc() || rest != end || number < range.min || number > range.max)
		return bad_value(key, value,
				 "not a number from " + std::to_string(range.min) + " to " +
					 std::to_string(range.max));
	return Setting{key, value};
}

Result<Setting> parse_setting(const std::string &key, const std::string &value)
{
	if (key == "rate") {
		BLKCTL_TRY(const auto kib, parse_rate_kib(value));
		return Setting{BLKCOPY_PARAM_RATE_KIB, std::to_string(kib)};
	}
	for (const auto &range : ranges)
		if (key == range.key)
			return parse_number(range, key, value);
	if (key == BLKCOPY_PARAM_COPY_MODE) {
		if (!table::copy_mode_from(value))
			return bad_value(key, value, "not dual or background");
		return Setting{key, value};
	}
	if (key == BLKCOPY_PARAM_ON_BASE_ERROR || key == BLKCOPY_PARAM_ON_TOP_ERROR) {
		if (!table::policy_from(value))
			return bad_value(key, value, "not report, ignore, stop or enospc");
		return Setting{key, value};
	}
	return bad_value(key, value,
			 "unknown key; there are rate, rate_kib, inflight_kib, run_kib, copy_mode, "
			 "on_base_error and on_top_error");
}

// What is in force now, to go back to if a later message is refused.
std::string value_before(const table::Params &params, const std::string &key)
{
	for (const auto &range : ranges)
		if (key == range.key)
			return std::to_string((params.*range.given).value_or(range.standard));
	if (key == BLKCOPY_PARAM_COPY_MODE)
		return std::string(word(params.copy_mode.value_or(table::CopyMode::dual)));
	const auto &policy =
		key == BLKCOPY_PARAM_ON_BASE_ERROR ? params.on_base_error : params.on_top_error;
	return std::string(word(policy.value_or(table::Policy::report)));
}

Result<Outcome> hold(Context &context, const std::string &name, Run run, bool pause)
{
	Change change(context, pause ? "pause" : "resume", run);
	BLKCTL_TRY(const auto volume, find_running(change, name, !pause));

	// Of an overlay: try the writes again that wait for space.
	if (volume.table.mode != table::Mode::overlay && volume.table.features.paused == pause)
		return change.nothing_to_do(volume.info);
	change.message(volume.info, pause ? "copy pause" : "copy resume");
	return change.finish(volume.info);
}

} // namespace

Result<Outcome> pause(Context &context, const std::string &name, Run run)
{
	return hold(context, name, run, true);
}

Result<Outcome> resume(Context &context, const std::string &name, Run run)
{
	return hold(context, name, run, false);
}

Result<Outcome> set(Context &context, const std::string &name, const Settings &settings, Run run)
{
	Change change(context, "set", run);
	std::vector<Setting> parsed;

	for (const auto &[key, value] : settings) {
		BLKCTL_TRY(auto setting, parse_setting(key, value));
		parsed.push_back(std::move(setting));
	}
	if (parsed.empty())
		return refusal(Status::usage, "set", name, "nothing to set",
			       "blkctl set NAME KEY=VALUE");
	const bool about_space = std::all_of(parsed.begin(), parsed.end(), [](const auto &setting) {
		return setting.key == BLKCOPY_PARAM_ON_TOP_ERROR;
	});
	BLKCTL_TRY(const auto volume, find_running(change, name, about_space));
	const auto text = [](const std::string &key, const std::string &value) {
		return std::string("set ").append(key).append(" ").append(value);
	};
	for (const auto &[key, value] : parsed)
		change.message(volume.info, text(key, value),
			       text(key, value_before(volume.table.params, key)));
	return change.finish(volume.info);
}

} // namespace blkctl::volume
