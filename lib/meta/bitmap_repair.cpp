// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/bitmap_contents.hpp"
#include <algorithm>
#include <map>

namespace blkctl::meta
{

namespace
{

/*
 * The generations after it are known before, and so is their sum: the superblocks are written
 * first. Until a sector is written as well, what it says is what its bad slot makes of it, and that
 * is the same.
 */
class BitmapPlanner
{
      public:
	BitmapPlanner(const Contents &contents, Repair &plan)
		: contents_(contents), plan_(plan), layout_(*layout_of(contents.super.geometry)),
		  after_(contents.exact)
	{
	}

	void make()
	{
		std::map<uint64_t, const Finding *> first;

		for (const auto &finding : contents_.findings)
			if (finding.place == Place::exact)
				first.try_emplace(finding.index, &finding);
		for (const auto &[index, finding] : first)
			add(*finding);
		plan_.lost_bitmaps = contents_.lost_bitmaps;
		if (!contents_.super.clean || !has_moved_)
			return;
		plan_.super.exact_sum = sum_of(after_);
		plan_.superblocks = plan_.superblocks_first = true;
	}

      private:
	void add(const Finding &finding)
	{
		const auto index = finding.index;
		const auto at = in_slot(contents_.super, index);
		const auto *const bitmap = bitmap_in(contents_, at.slot);

		switch (finding.verdict) {
		case Verdict::torn:
		case Verdict::marked:
			return;
		case Verdict::spare:
			if (says_something(contents_, index))
				add_spare(finding, said(at, bitmap));
			else if (!is_lost(at.slot))
				add_nothing(index);
			return;
		case Verdict::doubtful:
		case Verdict::lost:
			break;
		}
		if (at.is_record() && bitmap) {
			auto missed = *bitmap;
			missed.inconsistent = true;
			add_next(index, encode_record(missed),
				 "with '" + bitmap->name + "' inconsistent");
			plan_.inconsistent.push_back(bitmap->name);
		} else if (at.is_record()) {
			// It stays what it is, by the new sum as well.
			after_[index].generation += after_[index].good && after_[index].bad > 0;
		} else {
			add_all_changed(finding, at, *bitmap);
		}
	}

	// What there is of it stays.
	bool is_lost(uint32_t slot) const
	{
		const auto &slots = contents_.lost_bitmaps;

		return std::find(slots.begin(), slots.end(), slot) != slots.end();
	}

	static Words said(const InSlot &at, const Bitmap *bitmap)
	{
		if (!at.is_record())
			return bitmap->changes.sector(at.sector - 1);
		return encode_record(bitmap ? std::optional<Bitmap>(*bitmap) : std::nullopt);
	}

	void add_all_changed(const Finding &finding, const InSlot &at, const Bitmap &bitmap)
	{
		const auto text = "with all of '" + bitmap.name + "' there changed";

		if (plan_.changed.empty() || plan_.changed.back().name != bitmap.name)
			plan_.changed.push_back({bitmap.name, {}});
		add_range(plan_.changed.back().granules, bitmap.changes.range_of(at.sector - 1));
		if (finding.verdict == Verdict::doubtful) {
			add_next(finding.index, said(at, &bitmap), text);
			return;
		}
		add_rewrite(finding.index, 0,
			    sealed(finding.index, BLKCOPY_META_FIRST_GENERATION, said(at, &bitmap)),
			    text);
		add_rewrite(finding.index, 1, Sector{}, "as never written");
		move(finding.index, BLKCOPY_META_FIRST_GENERATION);
	}

	// The slot that is good is the newest, and stays so if there can be an older one.
	void add_spare(const Finding &finding, const Words &words)
	{
		const auto generation = contents_.exact[finding.index].generation;

		if (generation < BLKCOPY_META_FIRST_GENERATION)
			add_next(finding.index, words, "from the other one, the newest");
		else if (generation == BLKCOPY_META_FIRST_GENERATION)
			add_rewrite(finding.index, finding.slot, Sector{}, "as never written");
		else
			add_rewrite(finding.index, finding.slot,
				    sealed(finding.index, generation - 1, words),
				    "from the other one, the newest");
	}

	// Bits of no bitmap.
	void add_nothing(uint64_t index)
	{
		for (const unsigned slot : {0u, 1u})
			add_rewrite(index, slot, Sector{}, "as never written");
		move(index, BLKCOPY_META_FIRST_GENERATION - 1);
	}

	void add_next(uint64_t index, const Words &words, const std::string &text)
	{
		const auto generation = contents_.exact[index].generation + 1;

		add_rewrite(index, slot_of(generation), sealed(index, generation, words), text);
		move(index, generation);
	}

	Sector sealed(uint64_t index, uint64_t generation, const Words &words) const
	{
		return encode(Exact{.uuid = contents_.super.uuid,
				    .index = index,
				    .generation = generation,
				    .words = words});
	}

	void add_rewrite(uint64_t index, unsigned slot, const Sector &content,
			 const std::string &text)
	{
		plan_.rewrites.push_back({layout_.slot(index, slot),
					  "write exact sector " + std::to_string(index) +
						  ", slot " + std::to_string(slot) + ", " + text,
					  content});
	}

	void move(uint64_t index, uint64_t generation)
	{
		after_[index].generation = generation;
		has_moved_ = true;
	}

	const Contents &contents_;
	Repair &plan_;
	const Layout layout_;
	std::vector<ExactState> after_;
	bool has_moved_ = false;
};

} // namespace

void plan_bitmap_repair(const Contents &contents, Repair &plan)
{
	BitmapPlanner(contents, plan).make();
}

} // namespace blkctl::meta
