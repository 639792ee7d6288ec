// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/show_text.hpp"
#include "base/size.hpp"
#include "cli/progress.hpp"
#include <fmt/format.h>

namespace blkctl::cli
{

namespace
{

std::string line(std::string_view name, const std::string &text)
{
	return fmt::format("  {:<12} {}\n", name, text);
}

std::string leg_text(const std::string &path, const table::Leg &leg)
{
	std::string text = path;
	if (path != leg.device.str())
		text += fmt::format(" ({})", leg.device.str());
	if (leg.offset != 0)
		text += fmt::format(", from sector {}", leg.offset);
	return text;
}

std::string blocks_text(const report::Row &row)
{
	const auto &status = row.volume.status;
	std::string text = fmt::format("{} of {}", status.total,
				       format_size(uint64_t{status.block_sectors} * 512));
	if (row.volume.table.mode == table::Mode::track)
		return text;
	text += fmt::format(": {} on the source only, {} on both", status.base_only, status.both);
	if (status.top_only != 0)
		text += fmt::format(", {} on the target only", status.top_only);
	if (status.zero != 0)
		text += fmt::format(", {} zero", status.zero);
	return text;
}

std::string copy_text(const report::Row &row)
{
	const auto &table = row.volume.table;
	auto mode = table.params.copy_mode.value_or(table::CopyMode::dual);
	std::string text =
		fmt::format("{}, {} moved", table::word(mode), format_size(row.job.copied_bytes));
	if (row.job.state == job::State::copying)
		text += fmt::format(", {} now",
				    format_rate(static_cast<double>(row.job.rate_bytes)));
	if (row.job.rate_limit_bytes.value_or(0) != 0)
		text += fmt::format(", at most {}",
				    format_rate(static_cast<double>(*row.job.rate_limit_bytes)));
	if (row.job.inflight_bytes != 0)
		text += fmt::format(", {} in flight", format_size(row.job.inflight_bytes));
	if (table.features.detect_zeroes)
		text += ", looks for zeroes";
	return text;
}

// What is in the store of its view, and what becomes of that on an error of the store.
std::string kept_text(const report::Row &row)
{
	const auto &volume = row.volume;
	std::string text = "what is overwritten";

	if (volume.status.base_only == 0)
		text = "all of it";
	else if (volume.is_filling())
		text = fmt::format("what is overwritten, and the rest, {} now",
				   format_rate(static_cast<double>(row.job.rate_bytes)));
	text += fmt::format(", {} moved", format_size(row.job.copied_bytes));
	if (row.job.rate_limit_bytes.value_or(0) != 0)
		text += fmt::format(", at most {}",
				    format_rate(static_cast<double>(*row.job.rate_limit_bytes)));
	if (row.job.inflight_bytes != 0)
		text += fmt::format(", {} in flight", format_size(row.job.inflight_bytes));
	switch (volume.table.params.on_top_error.value_or(table::Policy::report)) {
	case table::Policy::stop:
		return text + "; it holds if the store fails";
	case table::Policy::enospc:
		return text + "; it holds if the store is full";
	case table::Policy::report:
	case table::Policy::ignore:
		break;
	}
	return text + "; it breaks if the store fails";
}

// The volume itself is above them all.
std::string layer_lines(const report::Row &row)
{
	std::string out;

	for (auto layer = row.layers.rbegin(); layer != row.layers.rend(); ++layer) {
		const auto &[number, volume, base, target, meta] = *layer;
		auto text = fmt::format("{} on {}", table::word(volume.table.mode),
					leg_text(base, volume.table.base));
		if (volume.table.top)
			text += fmt::format(", written to {}", leg_text(target, *volume.table.top));
		if (volume.table.mode == table::Mode::commit)
			text += fmt::format(", {}", table::word(volume.status.phase));
		if (volume.status.health != table::Health::rw)
			text += fmt::format(" ({})", table::word(volume.status.health));
		if (!meta.empty())
			text += fmt::format(", metadata {}", meta);
		out += line(fmt::format("layer {}", number), text);
	}
	return out;
}

std::string backup_text(const job::BackupLeft &backup)
{
	std::string text = backup.full ? "full" : "incremental";

	if (!backup.bitmap.empty())
		text += fmt::format(", with bitmap {}", backup.bitmap);
	if (!backup.target.empty())
		text += fmt::format(", to {}", backup.target);
	if (backup.copied)
		return text + ": all copied, its end is missing";
	if (backup.runs)
		return text + ": at work";
	return text +
	       fmt::format(": interrupted, the first {} are safe", format_size(backup.safe_bytes));
}

// One that is at work goes on by itself.
std::string next_of(const job::BackupLeft &backup, const std::string &name)
{
	const auto abort = fmt::format("blkctl abort {}, to give it up", name);

	return backup.runs ? abort : "the same blkctl backup again, to go on with it; or " + abort;
}

std::string next_text(const report::Row &row)
{
	const std::string &name = row.volume.name();
	if (!row.to_mend.empty())
		return row.to_mend;
	switch (row.job.state) {
	case job::State::copying:
		if (row.volume.table.is_durable())
			return "blkctl wait " + name;
		return "blkctl wait " + name + ", or blkctl abort " + name;
	case job::State::paused:
	case job::State::needs_attention:
		if (row.volume.table.is_durable())
			return "blkctl resume " + name;
		return "blkctl resume " + name + ", or blkctl abort " + name;
	case job::State::ready:
		if (row.volume.table.is_durable())
			return "blkctl " + std::string(table::word(row.volume.table.mode)) + " " +
			       name + ", to finish it";
		return "blkctl pivot " + name + ", or blkctl abort " + name;
	case job::State::pivoted:
		return "blkctl pivot " + name + ", to finish it";
	case job::State::aborted:
	case job::State::failed:
		return "blkctl abort " + name + ", to clear it";
	case job::State::preserving:
		if (row.backup)
			return next_of(*row.backup, name);
		return "blkctl remove VIEW, when it has been read";
	case job::State::none:
		// One that was killed in its end.
		if (row.backup)
			return next_of(*row.backup, name);
		break;
	}
	return "";
}

std::string next_line(const report::Row &row)
{
	const auto text = next_text(row);

	return text.empty() ? "" : line("next", text);
}

std::string job_lines(const report::Row &row)
{
	const auto &volume = row.volume;
	if (row.job.state == job::State::none)
		return "";
	const bool has_view = volume.table.mode == table::Mode::backup;
	const auto *const top = has_view ? "store" : "target";
	std::string out = line(top, leg_text(row.target_path, *volume.table.top));
	if (volume.is_preserving())
		out += line("kept", kept_text(row));
	else if (!has_view)
		out += line("copy", copy_text(row));
	out += line("errors", fmt::format("{} on the source, {} on the {}", row.job.base_errors,
					  row.job.top_errors, top));
	return out;
}

std::string bitmaps_text(const report::Row &row)
{
	const auto &status = row.volume.status;
	auto text = fmt::format("{}, ", status.bitmaps.size());

	if (row.bitmaps_path.empty())
		return text + "in memory";
	return text + fmt::format("on {}, {} of {} segments marked", row.bitmaps_path,
				  status.segments_marked, status.segments);
}

std::string boot_text(const report::Row &row)
{
	if (row.at_boot)
		return "comes back, by /etc/blkctltab";
	return row.volume.kind == volume::Kind::created
		       ? "does not come back"
		       : "comes back as it was before it was attached";
}

} // namespace

std::string show_text(const report::Row &row)
{
	const auto &volume = row.volume;
	std::string out = fmt::format("{} ({})\n", volume.name(), volume.devno().str());
	std::string kind(volume::word(volume.kind));
	if (volume.lvm)
		kind += ", an LV";
	if (volume.info.read_only)
		kind += ", read-only";
	if (volume.info.suspended)
		kind += ", SUSPENDED";
	out += line("made", kind);
	out += line("size", format_size(volume.sectors * 512));
	std::string state(job::word(row.job.state));
	if (row.job.state == job::State::none)
		state = "no job";
	else
		state += " " + percent_text(row.job.percent());
	if (volume.status.health != table::Health::rw)
		state += fmt::format(" ({})", table::word(volume.status.health));
	out += line("state", state);
	out += line(row.job.state == job::State::none ? "on" : "source",
		    leg_text(row.base_path, volume.table.base));
	if (row.job.state == job::State::none && volume.table.top)
		out += line("written to", leg_text(row.target_path, *volume.table.top));
	if (!row.meta_path.empty())
		out += line("metadata",
			    fmt::format("{}, {} commits, {} torn", row.meta_path,
					volume.status.meta_commits, volume.status.meta_torn));
	if (!volume.status.bitmaps.empty() || !row.bitmaps_path.empty())
		out += line("bitmaps", bitmaps_text(row));
	out += line("at boot", boot_text(row));
	out += line("blocks", blocks_text(row));
	out += layer_lines(row);
	out += job_lines(row);
	if (row.backup)
		out += line("backup", backup_text(*row.backup));
	out += next_line(row);
	if (volume.info.inactive_table)
		out += line("loaded", "a table that is not live: run the command that was cut off "
				      "again, or, if it was a copy, blkctl abort " +
					      volume.name());
	if (row.last)
		out += line("last switch",
			    fmt::format("{}, {}, at {}", row.last->verb,
					stall_text(row.last->stall_ms), row.last->time));
	return out;
}

} // namespace blkctl::cli
