// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/json_meta.hpp"
#include <boost/json.hpp>

namespace json = boost::json;

namespace blkctl::report
{

namespace
{

constexpr int meta_schema = 1;

json::array ranges_array(const std::vector<meta::Range> &ranges)
{
	json::array list;

	for (const auto &range : ranges) {
		json::object object;
		object["first"] = range.first;
		object["count"] = range.count;
		list.push_back(std::move(object));
	}
	return list;
}

json::object finding_object(const meta::Finding &finding)
{
	json::object object;

	object["place"] = word(finding.place);
	object["index"] = finding.index;
	object["slot"] = finding.place == meta::Place::exact ? json::value(finding.slot)
							     : json::value(nullptr);
	object["damage"] = finding.damage ? word(*finding.damage) : "sum";
	object["verdict"] = word(finding.verdict);
	object["text"] = describe(finding);
	return object;
}

json::object blocks_object(const meta::BlockMap &map)
{
	uint64_t counts[4] = {}, unreadable = 0;
	json::object object;

	map.each_run([&](const meta::StateRun &run) {
		auto &count = run.valid ? counts[static_cast<size_t>(*run.valid)] : unreadable;
		count += run.range.count;
	});
	object["base_only"] = counts[static_cast<size_t>(meta::Valid::base)];
	object["both"] = counts[static_cast<size_t>(meta::Valid::both)];
	object["top_only"] = counts[static_cast<size_t>(meta::Valid::top)];
	object["zero"] = counts[static_cast<size_t>(meta::Valid::zero)];
	object["unreadable"] = unreadable;
	object["total"] = map.blocks();
	return object;
}

json::array bitmaps_array(const meta::Contents &contents)
{
	json::array list;

	for (const auto &bitmap : contents.bitmaps) {
		json::object object;
		object["name"] = bitmap.name;
		object["slot"] = bitmap.slot;
		object["granule_sectors"] = bitmap.granule_sectors;
		object["recording"] = bitmap.recording;
		object["inconsistent"] = contents.is_inconsistent(bitmap);
		object["granules"] = bitmap.changes.granules();
		object["changed"] = contents.changed(bitmap).count();
		object["unreadable_granules"] = ranges_array(bitmap.unreadable);
		list.push_back(std::move(object));
	}
	return list;
}

json::array slots_array(const std::vector<uint32_t> &slots)
{
	json::array list;

	for (const auto slot : slots)
		list.push_back(json::value(slot));
	return list;
}

} // namespace

std::string json_check(const volume::Checked &checked)
{
	const auto &contents = checked.contents;
	json::object object;
	json::array findings, legs;

	object["schema"] = meta_schema;
	object["type"] = "check";
	object["path"] = checked.path;
	object["in_use"] = checked.in_use;
	object["well"] = checked.is_well();
	object["name"] = contents.super.name;
	object["uuid"] = meta::hex(contents.super.uuid);
	object["mode"] = word(contents.super.mode);
	object["phase"] = word(contents.super.phase);
	object["clean"] = contents.super.clean;
	object["torn"] = contents.count(meta::Verdict::torn);
	if (contents.super.has_bitmaps()) {
		object["unsealed"] = contents.super.unsealed;
		object["bitmap_slots"] = contents.super.geometry.bitmap_slots;
		object["bitmaps"] = bitmaps_array(contents);
		object["lost_bitmaps"] = slots_array(contents.lost_bitmaps);
	} else {
		object["blocks"] = blocks_object(contents.map);
	}
	if (contents.super.mode == meta::Mode::backup)
		object["unordered"] = contents.super.unordered;
	object["segments_marked"] = contents.segments.count();
	object["segments"] = contents.segments.segments();
	for (const auto &finding : contents.findings)
		findings.push_back(finding_object(finding));
	object["findings"] = std::move(findings);
	for (const auto &error : checked.legs)
		legs.push_back(json::value(error.message()));
	object["legs"] = std::move(legs);
	object["unreadable_blocks"] = ranges_array(contents.unreadable());
	return json::serialize(object);
}

std::string json_repair(const volume::Repaired &repaired, bool dry_run)
{
	json::object object;
	json::array steps;

	object["schema"] = meta_schema;
	object["type"] = "repair";
	object["path"] = repaired.outcome.name;
	object["dry_run"] = dry_run;
	object["already"] = repaired.outcome.already;
	for (const auto &step : repaired.outcome.steps)
		steps.push_back(json::value(step));
	object["steps"] = std::move(steps);
	object["picked_blocks"] = ranges_array(repaired.picked);
	object["unreadable_blocks"] = ranges_array(repaired.missing);
	json::array changed, inconsistent;
	for (const auto &[name, granules] : repaired.changed) {
		json::object each;
		each["name"] = name;
		each["granules"] = ranges_array(granules);
		changed.push_back(std::move(each));
	}
	for (const auto &name : repaired.inconsistent)
		inconsistent.push_back(json::value(name));
	object["changed_bitmaps"] = std::move(changed);
	object["inconsistent_bitmaps"] = std::move(inconsistent);
	object["lost_bitmaps"] = slots_array(repaired.lost_bitmaps);
	return json::serialize(object);
}

} // namespace blkctl::report
