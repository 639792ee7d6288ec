// SPDX-License-Identifier: GPL-2.0-or-later
// What is believed of bitmaps that something has happened to, and what a repair makes of them: they
// may say more than has changed, never less.
#include "bitmap_device.hpp"
#include "meta/contents.hpp"
#include "meta/repair.hpp"
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

using namespace blkctl;
using namespace blkctl::meta;
using fake::bitmap_place, fake::close, fake::formatted_track, fake::MemoryDevice, fake::some_bitmap,
	fake::track_in_use, fake::write_bits, fake::write_record;

namespace
{

constexpr Range first_sector{0, granules_a_sector}, last_sector{granules_a_sector, 40000 - 32256};

Contents contents_of(MemoryDevice &device)
{
	const auto contents = read_contents(device);
	EXPECT_TRUE(contents) << contents.error().message();
	return contents ? *contents : Contents();
}

std::string verdicts(const Contents &contents)
{
	std::string text;
	for (const auto &each : contents.findings)
		text += (text.empty() ? "" : " ") + std::to_string(each.index) + "." +
			std::to_string(each.slot) + (each.damage ? "" : "!") + "=" +
			std::string(word(each.verdict));
	return text;
}

std::vector<Range> changed_in(const Contents &contents, size_t bitmap = 0)
{
	return contents.bitmaps.at(bitmap).changes.ranges();
}

void repair_all(MemoryDevice &device)
{
	EXPECT_TRUE(meta::repair(device, plan_repair(contents_of(device), Older::never)));
}

} // namespace

TEST(MetaBitmapCheck, WhatIsWhole)
{
	for (const bool clean : {true, false}) {
		auto device = track_in_use(clean);
		const auto contents = contents_of(device);
		EXPECT_EQ(verdicts(contents), "");
		ASSERT_EQ(contents.bitmaps.size(), 1u);
		EXPECT_EQ(contents.bitmaps[0].name, "one");
		EXPECT_TRUE(contents.bitmaps[0].recording);
		EXPECT_FALSE(contents.is_inconsistent(contents.bitmaps[0]));
		EXPECT_EQ(changed_in(contents), (std::vector<Range>{{3, 1}, {35000, 1}}));
		EXPECT_TRUE(plan_repair(contents, Older::pick).is_empty());
	}
}

TEST(MetaBitmapCheck, BitsOfARemovedOneAreNothing)
{
	auto device = track_in_use(true);
	write_record(device, 0, 3, std::nullopt);
	close(device, true, {3, 3, 3, 1, 1, 1});
	EXPECT_EQ(verdicts(contents_of(device)), "");
	EXPECT_TRUE(contents_of(device).bitmaps.empty());
	device.spoil(bitmap_place(0, 1, 0));
	device.spoil(bitmap_place(0, 1, 1));
	const auto contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "1.0=spare 1.1=spare");
	repair_all(device);
	EXPECT_EQ(verdicts(contents_of(device)), "");
	EXPECT_TRUE(is_blank({&*device.at(bitmap_place(0, 1, 0)), 2 * sector_bytes}));
}

TEST(MetaBitmapCheck, MarkedSegmentsHaveChanged)
{
	auto device = track_in_use(false);
	Intent intent{.uuid = fake::some_uuid};
	// Segments 1 and 156: sectors 2048-4095 and the last 512.
	intent.bits[0] = 2;
	intent.bits[156 / 8] = 1u << (156 % 8);
	device.put(2, encode(intent));
	auto bitmap = some_bitmap("wide", 4096);
	write_record(device, 1, 2, bitmap);
	bitmap.recording = false;
	const auto contents = contents_of(device);
	EXPECT_EQ(contents.changed(contents.bitmaps[0]).ranges(),
		  (std::vector<Range>{{3, 1}, {256, 256}, {35000, 1}, {39936, 64}}));
	EXPECT_EQ(contents.changed(contents.bitmaps[1]).ranges(),
		  (std::vector<Range>{{0, 1}, {78, 1}}));
	EXPECT_EQ(contents.changed(bitmap).count(), 0u);
	EXPECT_EQ(contents.bitmaps[1].changes.granules(), 79u);
}

TEST(MetaBitmapCheck, AfterAnUncleanStopTheOlderSlotCounts)
{
	auto device = track_in_use(false);
	device.spoil(bitmap_place(0, 1, 1));
	auto contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "1.1=torn");
	EXPECT_EQ(changed_in(contents), (std::vector<Range>{{35000, 1}}));
	EXPECT_TRUE(contents.is_well());
	EXPECT_TRUE(plan_repair(contents, Older::pick).is_empty());

	// Unless it is the device that does not give it: it may have been durable.
	device = track_in_use(false);
	device.broken = {bitmap_place(0, 1, 1), bitmap_place(0, 0, 1)};
	contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "0.1=doubtful 1.1=doubtful");
	EXPECT_EQ(changed_in(contents), (std::vector<Range>{first_sector, {35000, 1}}));
	EXPECT_EQ(contents.bitmaps[0].unreadable, (std::vector<Range>{first_sector}));
	EXPECT_TRUE(contents.bitmaps[0].inconsistent);

	// Of both nothing is known.
	device = track_in_use(false);
	device.spoil(bitmap_place(0, 2, 0));
	device.spoil(bitmap_place(0, 2, 1));
	contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "2.0=lost 2.1=lost");
	EXPECT_EQ(changed_in(contents), (std::vector<Range>{{3, 1}, last_sector}));
	EXPECT_FALSE(contents.is_well());
}

TEST(MetaBitmapCheck, AFirstWriteThatWasTorn)
{
	auto device = track_in_use(false);
	const auto bitmap = some_bitmap("new");
	write_record(device, 1, 2, bitmap);
	device.put(bitmap_place(1, 1, 0), Sector{7});
	auto contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "4.0=torn");
	EXPECT_EQ(changed_in(contents, 1), (std::vector<Range>{first_sector}));
	// The record: the bitmap was never there.
	device.put(bitmap_place(1, 0, 0), Sector{7});
	contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "3.0=torn 4.0=torn");
	EXPECT_EQ(contents.bitmaps.size(), 1u);
	EXPECT_TRUE(contents.lost_bitmaps.empty());
	EXPECT_TRUE(contents.is_well());
}

TEST(MetaBitmapCheck, AfterACleanStopABadSlotIsSpareOrAnError)
{
	auto device = track_in_use(true);
	device.spoil(bitmap_place(0, 1, 0)); // generation 2
	auto contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "1.0=spare");
	EXPECT_EQ(changed_in(contents), (std::vector<Range>{{3, 1}, {35000, 1}}));
	device.spoil(bitmap_place(0, 2, 1)); // generation 3
	contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "1.0=spare 2.1=doubtful");
	EXPECT_EQ(changed_in(contents), (std::vector<Range>{{3, 1}, last_sector}));
	repair_all(device);
	contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "");
	EXPECT_EQ(changed_in(contents), (std::vector<Range>{{3, 1}, last_sector}));
	EXPECT_TRUE(contents.bitmaps[0].unreadable.empty());
}

TEST(MetaBitmapCheck, AWriteThatNeverArrived)
{
	auto device = track_in_use(true);
	close(device, true, {2, 4, 3, 1, 1, 1});
	const auto contents = contents_of(device);
	// Nobody can tell which it was; of the bits of no bitmap nobody asks.
	EXPECT_EQ(verdicts(contents), "0.0!=doubtful 1.1!=doubtful 2.1!=doubtful 3.0!=doubtful");
	EXPECT_EQ(changed_in(contents), (std::vector<Range>{{0, 40000}}));
	EXPECT_TRUE(contents.bitmaps[0].inconsistent);
	EXPECT_EQ(contents.lost_bitmaps, (std::vector<uint32_t>{1}));
	repair_all(device);
	EXPECT_EQ(verdicts(contents_of(device)), "");
	EXPECT_EQ(changed_in(contents_of(device)), (std::vector<Range>{{0, 40000}}));
	EXPECT_TRUE(contents_of(device).bitmaps[0].inconsistent);
}

TEST(MetaBitmapCheck, ARecordThatIsLostLosesTheBitmap)
{
	for (const bool clean : {true, false}) {
		auto device = track_in_use(clean);
		device.spoil(bitmap_place(0, 0, 0));
		device.put(bitmap_place(0, 0, 1), Sector{1});
		const auto contents = contents_of(device);
		EXPECT_EQ(verdicts(contents), "0.0=lost 0.1=lost");
		EXPECT_TRUE(contents.bitmaps.empty());
		EXPECT_EQ(contents.lost_bitmaps, (std::vector<uint32_t>{0}));
		EXPECT_FALSE(contents.is_well());
		const auto plan = plan_repair(contents, Older::pick);
		EXPECT_TRUE(plan.is_empty());
		EXPECT_EQ(plan.lost_bitmaps, contents.lost_bitmaps);
	}
	// Its only slot after a stop in good order.
	auto device = track_in_use(true);
	device.spoil(bitmap_place(0, 0, 0));
	EXPECT_EQ(verdicts(contents_of(device)), "0.0=lost");
	EXPECT_EQ(contents_of(device).lost_bitmaps, (std::vector<uint32_t>{0}));
}

TEST(MetaBitmapCheck, ARecordThatIsDoubtfulIsInconsistent)
{
	auto device = track_in_use(true);
	auto bitmap = some_bitmap();
	bitmap.recording = false;
	write_record(device, 0, 3, bitmap);
	close(device, true, {3, 3, 3, 1, 1, 1});
	device.spoil(bitmap_place(0, 0, 1));
	EXPECT_EQ(verdicts(contents_of(device)), "0.1=doubtful");
	const auto plan = plan_repair(contents_of(device), Older::never);
	EXPECT_EQ(plan.inconsistent, (std::vector<std::string>{"one"}));
	EXPECT_TRUE(meta::repair(device, plan));
	const auto contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "");
	EXPECT_TRUE(contents.bitmaps[0].inconsistent);
	EXPECT_EQ(changed_in(contents), (std::vector<Range>{{3, 1}, {35000, 1}}));

	// The older one said that the slot is free.
	device = track_in_use(true);
	write_record(device, 1, 2, std::nullopt);
	write_record(device, 1, 3, some_bitmap("two"));
	close(device, true, {2, 3, 3, 3, 1, 1});
	device.spoil(bitmap_place(1, 0, 1));
	EXPECT_EQ(verdicts(contents_of(device)), "3.1=doubtful");
	EXPECT_EQ(contents_of(device).lost_bitmaps, (std::vector<uint32_t>{1}));
	EXPECT_TRUE(plan_repair(contents_of(device), Older::pick).is_empty());
}

TEST(MetaBitmapCheck, ARecordOfZeroesWithBitsBehindIt)
{
	// What the sum cannot tell, as bits are lost.
	auto device = track_in_use(true);
	device.put(bitmap_place(0, 0, 0), Sector{});
	device.spoil(bitmap_place(0, 1, 0));
	device.spoil(bitmap_place(0, 1, 1));
	auto contents = contents_of(device);
	EXPECT_EQ(verdicts(contents), "1.0=spare 1.1=spare 0.0=lost");
	EXPECT_EQ(contents.lost_bitmaps, (std::vector<uint32_t>{0}));
	const auto plan = plan_repair(contents, Older::never);
	EXPECT_TRUE(plan.is_empty());
	EXPECT_EQ(plan.lost_bitmaps, contents.lost_bitmaps);
	// A bitmap was just being added.
	device = formatted_track();
	write_bits(device, 0, 1, 2, some_bitmap().changes);
	close(device, false, {});
	EXPECT_EQ(verdicts(contents_of(device)), "");
}

// As the kernel does where it could read neither slot.
TEST(MetaBitmapCheck, GenerationOneIsAGoodOne)
{
	auto device = track_in_use(true);
	auto all = some_bitmap().changes;
	all.mark(first_sector);
	device.spoil(bitmap_place(0, 1, 0));
	write_bits(device, 0, 1, 1, all);
	close(device, true, {2, 1, 3, 1, 1, 1});
	EXPECT_EQ(verdicts(contents_of(device)), "1.0=spare");
	EXPECT_EQ(changed_in(contents_of(device)), (std::vector<Range>{first_sector, {35000, 1}}));
	repair_all(device);
	EXPECT_EQ(verdicts(contents_of(device)), "");
	EXPECT_EQ(changed_in(contents_of(device)), (std::vector<Range>{first_sector, {35000, 1}}));
}

TEST(MetaBitmapCheck, WithoutASealNoneIsConsistent)
{
	auto device = track_in_use(true);
	auto super = *read_superblock(device);
	super.unsealed = true;
	EXPECT_TRUE(update_superblock(device, super));
	const auto contents = contents_of(device);
	EXPECT_TRUE(contents.is_well());
	EXPECT_FALSE(contents.bitmaps[0].inconsistent);
	EXPECT_TRUE(contents.is_inconsistent(contents.bitmaps[0]));
}

TEST(MetaBitmapCheck, AnyFlippedBitOfABitSector)
{
	auto device = track_in_use(true);
	for (size_t byte = 0; byte < sector_bytes; byte += 13) {
		const auto place = bitmap_place(0, 1, 1);
		auto &at = *(device.at(place) + static_cast<std::ptrdiff_t>(byte));
		at ^= 16;
		const auto contents = contents_of(device);
		EXPECT_EQ(verdicts(contents), "1.1=doubtful") << byte;
		EXPECT_EQ(changed_in(contents), (std::vector<Range>{first_sector, {35000, 1}}));
		at ^= 16;
	}
}

/*
 * Whatever has become bad after a stop in good order, a bitmap that is there has all that had
 * changed; so it has at every write of the repair, and after it.
 */
RC_GTEST_PROP(MetaBitmapCheck, NeverLessThanHasChanged, ())
{
	auto device = track_in_use(true);
	const auto damages = *rc::gen::inRange(1, 6);
	const auto holds = [&] {
		const auto contents = contents_of(device);
		// One that is gone claims nothing.
		if (contents.bitmaps.empty())
			return true;
		const auto &changes = contents.bitmaps[0].changes;
		return changes.at(3) && changes.at(35000);
	};

	for (int i = 0; i < damages; i++) {
		const auto sector = *rc::gen::inRange<uint64_t>(3, 15);
		switch (*rc::gen::inRange(0, 4)) {
		case 0:
			// Discarded: both slots.
			device.put(sector - (sector + 1) % 2, Sector{});
			device.put(sector + sector % 2, Sector{});
			break;
		case 1:
			device.put(sector, Sector{3});
			break;
		case 2:
			device.broken.insert(sector);
			break;
		default:
			if (!is_blank(device.sector(sector)))
				device.spoil(sector);
		}
	}
	RC_ASSERT(holds());
	const auto found = contents_of(device);
	if (found.bitmaps.empty())
		RC_ASSERT(!found.is_well());

	const auto plan = plan_repair(found, Older::never);
	RC_ASSERT(plan.lost_bitmaps == found.lost_bitmaps);
	const auto writes = static_cast<int>(plan.rewrites.size()) + 2 * plan.superblocks;
	const auto image = device.memory;
	for (int cut = 0; cut <= writes; cut++) {
		device.memory = image;
		device.writes_left = cut;
		(void)meta::repair(device, plan);
		device.writes_left = -1;
		RC_ASSERT(holds());
		auto again = device;
		RC_ASSERT(meta::repair(again, plan_repair(contents_of(again), Older::never))
				  .has_value());
	}
	// What was written can be read again.
	for (const auto &rewrite : plan.rewrites)
		device.broken.erase(rewrite.sector);
	RC_ASSERT(meta::repair(device, plan).has_value());
	RC_ASSERT(holds());
	const auto after = contents_of(device);
	for (const auto &finding : after.findings)
		RC_ASSERT(std::count(after.lost_bitmaps.begin(), after.lost_bitmaps.end(),
				     finding.index / 3) == 1);
}
