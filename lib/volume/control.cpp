// SPDX-License-Identifier: GPL-2.0-or-later
// pause, resume and set: changing a running copy, and how it comes back.
#include "base/size.hpp"
#include "table/settings.hpp"
#include "uapi/blkcopy.h"
#include "volume/boot.hpp"
#include "volume/damage.hpp"
#include <algorithm>

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
	BLKCTL_TRY(auto volume, find_for_change(change, found.devno, Hidden::allowed));

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

Result<Setting> parse_setting(const std::string &key, const std::string &value)
{
	Setting setting{key, value};
	table::Params scratch;

	if (key == "rate") {
		BLKCTL_TRY(const auto kib, parse_rate_kib(value));
		setting = {BLKCOPY_PARAM_RATE_KIB, std::to_string(kib)};
	}
	if (!table::is_setting(setting.key))
		return bad_value(key, value,
				 "unknown key; there are rate, rate_kib, inflight_kib, run_kib, "
				 "copy_mode, on_base_error and on_top_error");
	const auto read = table::set(scratch, setting.key, setting.value);
	if (!read)
		return bad_value(key, value, read.error().why);
	return setting;
}

Result<Outcome> hold(Context &context, const std::string &name, Run run, bool pause)
{
	Change change(context, pause ? "pause" : "resume", run);
	BLKCTL_TRY(const auto volume, find_running(change, name, !pause));

	auto table = volume.table;
	table.features.paused = pause;
	const bool writes =
		add_told(change, volume, [table](tab::Entry &entry) { keep_told(table, entry); });
	// Of an overlay: try the writes again that wait for space.
	const bool sends =
		table.mode == table::Mode::overlay || volume.table.features.paused != pause;
	if (sends)
		change.message(volume.info, pause ? "copy pause" : "copy resume");
	return writes || sends ? change.finish(volume.info) : change.nothing_to_do(volume.info);
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
	auto params = volume.table.params;
	for (const auto &[key, value] : parsed)
		BLKCTL_CHECK(table::set(params, key, value));
	add_told(change, volume,
		 [params](tab::Entry &entry) { entry.params = table::told(params); });
	const auto text = [](const std::string &key, const std::string &value) {
		return std::string("set ").append(key).append(" ").append(value);
	};
	// Undone by what is in force now, if a later one is refused.
	for (const auto &[key, value] : parsed)
		change.message(volume.info, text(key, value),
			       text(key, table::value_of(volume.table.params, key)));
	return change.finish(volume.info);
}

} // namespace blkctl::volume
