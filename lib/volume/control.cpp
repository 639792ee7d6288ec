// SPDX-License-Identifier: GPL-2.0-or-later
// pause, resume and set: changing a running copy, and how it comes back.
#include "base/size.hpp"
#include "table/settings.hpp"
#include "uapi/blkcopy.h"
#include "volume/boot.hpp"
#include "volume/cache.hpp"
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
		return refusal(Status::failed, change.verb(), volume.name(),
			       volume.table.mode == table::Mode::backup ? "its view is broken"
									: "its copy has ended",
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

// Which settings a view has a use for: it is no copy, but for its fill.
enum class OfView { always, filled, never };

struct ViewRule {
	std::string_view key;
	std::string_view name; // as it is typed
	OfView use;
	std::string_view why_never = {};
};

constexpr ViewRule view_rules[] = {
	{BLKCOPY_PARAM_RATE_KIB, "rate", OfView::filled},
	{BLKCOPY_PARAM_INFLIGHT_KIB, "inflight", OfView::always},
	{BLKCOPY_PARAM_RUN_KIB, "run", OfView::filled},
	{BLKCOPY_PARAM_COPY_MODE, "mode", OfView::never, "writes go to the source alone"},
	{BLKCOPY_PARAM_ON_BASE_ERROR, "on-base-error", OfView::never,
	 "a source that cannot be read breaks it"},
	{BLKCOPY_PARAM_ON_TOP_ERROR, "on-top-error", OfView::always},
};

/*
 * Whether a fill may have been paused that can go on. The kernel calls whoever paused it a user,
 * and so it calls a view that was made without a fill: that is taken for a paused one. Not after a
 * store that has failed and was tried again: then who goes on has to say that it is to be filled.
 */
bool has_paused_fill(const Volume &volume)
{
	return volume.status.cause == table::Cause::user && volume.status.top_errors == 0;
}

// What there is to be told of a fill, where there is none.
Error not_filled(Change &change, const Volume &volume, const std::string &why)
{
	const bool is_backup = backup_record(change.context(), volume.info).has_value();

	return refusal(Status::not_found, change.verb(), volume.name(),
		       why + ": its view keeps what is overwritten, no more",
		       std::string("the same blkctl ") + (is_backup ? "backup" : "view") +
			       " again, with --fill");
}

// Errors: usage, not_found.
Result<void> check_of_view(Change &change, const Volume &volume, const Setting &setting)
{
	if (!volume.is_preserving())
		return {};
	for (const auto &rule : view_rules) {
		const std::string name(rule.name);
		if (rule.key != setting.key)
			continue;
		if (rule.use == OfView::never)
			return refusal(Status::usage, change.verb(), volume.name(),
				       name + " means nothing to its view: in any case " +
					       std::string(rule.why_never),
				       "blkctl help set");
		if (rule.use == OfView::filled && !volume.is_filling() && !has_paused_fill(volume))
			return not_filled(change, volume,
					  name + " is of what is copied in the background");
	}
	if (setting.key == BLKCOPY_PARAM_ON_TOP_ERROR && setting.value == BLKCOPY_POLICY_IGNORE)
		return refusal(Status::usage, change.verb(), volume.name(),
			       "on-top-error=ignore means nothing to its view: what the store has "
			       "not taken is lost to it",
			       "blkctl set " + volume.name() + " on-top-error=stop");
	return {};
}

// Of a view: whether there is something to hold, or to go on with. Errors: not_found,
// needs_attention.
Result<void> check_hold_of_view(Change &change, const Volume &volume, bool pause)
{
	const bool is_held = volume.state() == JobState::needs_attention;

	if (!volume.is_preserving() || volume.is_filling() || has_paused_fill(volume))
		return {};
	if (is_held && pause)
		return refusal(Status::needs_attention, change.verb(), volume.name(),
			       "its store has failed, and is held: " + volume.errors_text(),
			       "blkctl resume " + volume.name() + ", once the store is well");
	return is_held ? Result<void>()
		       : not_filled(change, volume, "nothing is copied in the background");
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

	BLKCTL_CHECK(check_hold_of_view(change, volume, pause));
	auto table = volume.table;
	table.features.paused = pause;
	// Whether one that is held was being filled, its entry says and nobody else.
	const bool is_known =
		!volume.is_preserving() || volume.state() != JobState::needs_attention;
	const bool writes = is_known && add_told(change, volume, [table](tab::Entry &entry) {
				    keep_told(table, entry);
			    });
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
	for (const auto &setting : parsed)
		BLKCTL_CHECK(check_of_view(change, volume, setting));
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
