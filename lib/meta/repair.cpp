// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/repair.hpp"
#include "meta/bitmap_contents.hpp"
#include "meta/writing.hpp"
#include <algorithm>

namespace blkctl::meta
{

namespace
{

// What makes a pair of slots whole without making the good one older or newer: the same in the
// generation before, or a slot that was never written.
Sector before(const Exact &good)
{
	auto older = good;

	if (good.generation == BLKCOPY_META_FIRST_GENERATION)
		return Sector{};
	older.generation--;
	return encode(older);
}

class Planner
{
      public:
	Planner(const Contents &contents, Older older)
		: contents_(contents), older_(older), layout_(*layout_of(contents.super.geometry))
	{
		plan_.super = contents.super;
		plan_.first_copy = 1 - contents.super_copy;
	}

	Repair make()
	{
		for (const auto &finding : contents_.findings)
			add(finding);
		if (contents_.super.has_bitmaps()) {
			plan_bitmap_repair(contents_, plan_);
			plan_.super.generation++;
			return std::move(plan_);
		}
		for (uint64_t i = 0; i < contents_.map.sectors(); i++) {
			if (!contents_.map.is_lost(i))
				continue;
			const bool pick = older_ == Older::pick && contents_.exact[i].good;
			add_range(pick ? plan_.picked : plan_.missing, contents_.map.range_of(i));
		}
		if (plan_.missing.empty() && contents_.super.doubtful) {
			plan_.super.doubtful = false;
			plan_.superblocks = true;
		}
		if (!plan_.picked.empty() && contents_.super.clean) {
			plan_.super.exact_sum = sum_of(contents_.exact);
			plan_.superblocks = true;
		}
		plan_.super.generation++;
		return std::move(plan_);
	}

      private:
	void add(const Finding &finding)
	{
		switch (finding.place) {
		case Place::superblock:
			plan_.superblocks = true;
			break;
		case Place::intent:
			if (finding.verdict == Verdict::marked)
				plan_.rewrites.push_back(
					{layout_.first_intent + finding.index,
					 "write intent sector " + std::to_string(finding.index) +
						 " with every segment marked",
					 encode(intent_of(contents_.super, contents_.segments,
							  finding.index))});
			break;
		case Place::exact:
			if (!contents_.super.has_bitmaps())
				add_exact(finding);
			break;
		}
	}

	void add_exact(const Finding &finding)
	{
		const auto &state = contents_.exact[finding.index];
		const bool pick =
			finding.verdict == Verdict::doubtful && older_ == Older::pick && state.good;

		if (!finding.damage || (finding.verdict != Verdict::spare && !pick))
			return;
		const Exact good{.uuid = contents_.super.uuid,
				 .index = finding.index,
				 .generation = state.generation,
				 .words = pick ? contents_.doubtful.at(finding.index)
					       : contents_.map.sector(finding.index)};
		plan_.rewrites.push_back({layout_.slot(finding.index, finding.slot),
					  "write exact sector " + std::to_string(finding.index) +
						  ", slot " + std::to_string(finding.slot) +
						  (pick ? ", from the other one, maybe an older one"
							: ", from the other one, the newest"),
					  before(good)});
	}

	const Contents &contents_;
	const Older older_;
	const Layout layout_;
	Repair plan_;
};

} // namespace

Repair plan_repair(const Contents &contents, Older older)
{
	return Planner(contents, older).make();
}

Result<void> repair(Device &device, const Repair &plan)
{
	if (plan.superblocks && plan.superblocks_first)
		BLKCTL_CHECK(write_superblocks(device, plan.super, plan.first_copy));
	for (const auto &rewrite : plan.rewrites)
		BLKCTL_CHECK(device.write(rewrite.sector, rewrite.content));
	if (!plan.rewrites.empty())
		BLKCTL_CHECK(device.flush());
	if (plan.superblocks && !plan.superblocks_first)
		return write_superblocks(device, plan.super, plan.first_copy);
	return {};
}

} // namespace blkctl::meta
