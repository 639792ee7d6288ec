// SPDX-License-Identifier: GPL-2.0-or-later
// Bitmaps on a metadata device: where they are, their records, and formatting room for them.
#include "bitmap_device.hpp"
#include "meta/contents.hpp"
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

using namespace blkctl;
using namespace blkctl::meta;
using fake::MemoryDevice, fake::some_bitmap, fake::some_uuid, fake::track_super;

namespace
{

Geometry with_slots(Geometry geometry, uint32_t slots)
{
	geometry.bitmap_slots = slots;
	return geometry;
}

template <class Change> Decoded<Superblock> decoded_track(Change change)
{
	Sector sector = encode(track_super(), 0);
	blkcopy_meta_super raw;
	std::memcpy(&raw, sector.data(), sizeof(raw));
	change(raw);
	std::memcpy(sector.data(), &raw, sizeof(raw));
	seal(sector, {BLKCOPY_META_MAGIC_SUPER, some_uuid, 0, 2});
	return decode_superblock(sector, 0);
}

template <class Change> std::string_view record_damage(Change change)
{
	Sector sector = {};
	blkcopy_meta_bitmap raw;
	const auto encoded =
		encode(Exact{.uuid = some_uuid, .index = 3, .words = encode_record(some_bitmap())});
	std::memcpy(&raw, encoded.data(), sizeof(raw));
	change(raw);
	std::memcpy(sector.data(), &raw, sizeof(raw));
	seal(sector, {BLKCOPY_META_MAGIC_EXACT, some_uuid, 3, 2});
	const auto found = decode_bitmap_sector(sector, some_uuid, track_super().geometry, 3, 0);
	return found ? "good" : word(found.error());
}

} // namespace

TEST(MetaBitmap, TheLayoutFollowsFromTheVolume)
{
	struct Case {
		Geometry geometry;
		Layout layout;
	};
	const Case cases[] = {
		{with_slots({1, 8, 1}, 1), {1, 1, 2, 1, 3, 2, 2}},
		{with_slots({uint64_t{32256} * 8, 8, 64}, 1), {32256, 2, 2, 1, 3, 2, 2}},
		{with_slots({uint64_t{32256} * 8 + 1, 8, 64}, 4), {32257, 2, 2, 1, 3, 12, 3}},
		{track_super().geometry, {40000, 157, 2, 1, 3, 6, 3}},
		// 16 TiB at 64 KiB
		{with_slots({uint64_t{1} << 35, 128, 64}, 64),
		 {1u << 28, 1u << 18, 2, 9, 11, uint64_t{64} * 8324, 8324}},
	};
	for (const auto &[geometry, layout] : cases) {
		const auto found = layout_of(geometry);
		ASSERT_TRUE(found);
		EXPECT_EQ(*found, layout) << geometry.sectors;
	}
	EXPECT_EQ(layout_of(with_slots({1, 8, 1}, 65)).error().status, Status::usage);
}

TEST(MetaBitmap, TheSuperblockComesBack)
{
	auto super = track_super();
	super.unsealed = true;
	super.top_stale = true;
	for (const uint32_t slots : {1u, 2u, 63u, 64u}) {
		super.geometry.bitmap_slots = slots;
		const auto found = decode_superblock(encode(super, 1), 1);
		ASSERT_TRUE(found) << word(found.error());
		EXPECT_EQ(*found, super);
	}
	EXPECT_EQ(word(Mode::track), "track");
	EXPECT_EQ(mode_from("track"), Mode::track);
	EXPECT_EQ(first_phase(Mode::track), Phase::idle);
}

// One word of the status line, in whatever metadata it is found.
TEST(MetaBitmap, Names)
{
	const Geometry geometry = track_super().geometry;
	const auto decoded = [&](const std::string &name) {
		Bitmap bitmap;
		bitmap.name = name;
		bitmap.granule_sectors = geometry.block_sectors;
		return decode_record(encode_record(bitmap), geometry).has_value();
	};

	for (const std::string name : {"a", "nightly-2026_11.x+y:z", "0"}) {
		EXPECT_TRUE(is_bitmap_name(name)) << name;
		EXPECT_TRUE(decoded(name)) << name;
	}
	for (const std::string name : {"", "two words", "a\n", "a/b", "a\xc3\xa9"}) {
		EXPECT_FALSE(is_bitmap_name(name)) << name;
		EXPECT_FALSE(decoded(name)) << name;
	}
	EXPECT_TRUE(is_bitmap_name(std::string(bitmap_name_max, 'n')));
	EXPECT_FALSE(is_bitmap_name(std::string(bitmap_name_max + 1, 'n')));
}

// As the kernel has it: whole slots, 64 at most.
TEST(MetaBitmap, TheSuperblockThatTheKernelTakes)
{
	using Raw = blkcopy_meta_super;
	const auto with = [](uint64_t nr) {
		return decoded_track([&](Raw &raw) { raw.nr_exact = nr; });
	};
	for (const uint64_t nr : {3, 6, 9, 3 * 64})
		EXPECT_EQ(with(nr)->geometry.bitmap_slots, nr / 3);
	for (const uint64_t nr :
	     {uint64_t{1}, uint64_t{4}, uint64_t{3} * 65, ~uint64_t{0}, ~uint64_t{0} / 3 * 3})
		EXPECT_EQ(with(nr).error(), Damage::fields) << nr;
	EXPECT_FALSE(decoded_track([](Raw &raw) { raw.sectors = 0; }));
	EXPECT_FALSE(decoded_track([](Raw &raw) { raw.flags = BLKCOPY_META_FLAGS + 1; }));
	EXPECT_TRUE(decoded_track([](Raw &raw) { raw.flags = BLKCOPY_META_FLAGS; }));
	// Its sectors are those of a map by chance, or are not.
	EXPECT_FALSE(decoded_track([](Raw &raw) { raw.mode = BLKCOPY_META_MODE_MIRROR; }));
}

TEST(MetaBitmap, ARecordComesBack)
{
	auto bitmap = some_bitmap(std::string(bitmap_name_max, 'n'), 1u << 21);
	bitmap.inconsistent = true;
	bitmap.lapsed = true;
	EXPECT_EQ(*decode_record(encode_record(bitmap), track_super().geometry), bitmap);
	EXPECT_EQ(bitmap.changes.granules(), 1u);
	EXPECT_EQ(*decode_record(Words{}, track_super().geometry), std::nullopt);

	// Where the format has it.
	blkcopy_meta_bitmap raw;
	const auto sector = encode(Exact{.words = encode_record(some_bitmap())});
	std::memcpy(&raw, sector.data(), sizeof(raw));
	EXPECT_EQ(raw.flags, 3u);
	EXPECT_EQ(raw.granule_sectors, 8u);
	EXPECT_STREQ(raw.name, "one");
}

TEST(MetaBitmap, ARecordThatMakesNoSense)
{
	using Raw = blkcopy_meta_bitmap;
	EXPECT_EQ(record_damage([](Raw &) {}), "good");
	EXPECT_EQ(record_damage([](Raw &raw) { raw.granule_sectors = 1u << 31; }), "good");
	const std::function<void(Raw &)> bad[] = {
		[](Raw &raw) { raw.flags = 16 + 1; },
		[](Raw &raw) { raw.flags = 2; },
		[](Raw &raw) { raw.flags = 0; },
		[](Raw &raw) { raw.granule_sectors = 4; },
		[](Raw &raw) { raw.granule_sectors = 24; },
		[](Raw &raw) { raw.granule_sectors = 0; },
		[](Raw &raw) { raw.name[0] = 0; },
		[](Raw &raw) { raw.name[10] = 'x'; },
		[](Raw &raw) { std::fill_n(raw.name, 65, 'x'); },
		[](Raw &raw) { raw.zero[3895] = 1; },
	};
	for (const auto &change : bad)
		EXPECT_EQ(record_damage(change), "fields") << &change - bad;
}

// Against a set of granules one by one.
RC_GTEST_PROP(MetaBitmap, ChangesAreASetOfGranules, ())
{
	const auto granules = *rc::gen::inRange<uint64_t>(1, 70000);
	const auto marks = *rc::gen::inRange(0, 30);
	Changes changes(granules);
	std::vector<bool> model(granules);

	for (int i = 0; i < marks; i++) {
		const auto first = *rc::gen::inRange<uint64_t>(0, granules);
		const auto most = std::min<uint64_t>(granules - first, 300);
		const auto count = *rc::gen::inRange<uint64_t>(1, most + 1);
		changes.mark({first, count});
		std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(first), count, true);
	}
	RC_ASSERT(changes.count() ==
		  static_cast<uint64_t>(std::count(model.begin(), model.end(), true)));
	std::vector<bool> said(granules);
	uint64_t before = 0;
	for (const auto &range : changes.ranges()) {
		RC_ASSERT(range.count > 0 && (before == 0 || range.first > before));
		before = range.first + range.count;
		std::fill_n(said.begin() + static_cast<std::ptrdiff_t>(range.first), range.count,
			    true);
	}
	RC_ASSERT(said == model);

	// Through its sectors; what is behind the end is nothing.
	Changes again(granules);
	Words all;
	all.fill(~uint64_t{0});
	for (uint64_t i = 0; i < changes.sectors(); i++) {
		again.add_sector(i, changes.sector(i));
		RC_ASSERT(again.has_any(i) == (changes.sector(i) != Words{}));
	}
	RC_ASSERT(again == changes);
	for (uint64_t i = 0; i < changes.sectors(); i++)
		again.add_sector(i, all);
	RC_ASSERT(again.ranges() == (std::vector<Range>{{0, granules}}));
}

TEST(MetaBitmap, FormatMakesRoom)
{
	auto device = fake::formatted_track();
	const auto contents = read_contents(device);
	ASSERT_TRUE(contents) << contents.error().message();
	EXPECT_TRUE(contents->findings.empty());
	EXPECT_TRUE(contents->bitmaps.empty());
	EXPECT_TRUE(contents->super.clean);
	EXPECT_FALSE(contents->super.unsealed);
	EXPECT_EQ(contents->super.geometry.bitmap_slots, 2u);
	EXPECT_EQ(contents->map.blocks(), 0u);
	EXPECT_EQ(contents->segments.segments(), 157u);
	EXPECT_EQ(contents->super.exact_sum, sum_of(std::vector<ExactState>(6, {.generation = 1})));
	EXPECT_TRUE(is_blank({&*device.at(3), 12 * sector_bytes}));
	EXPECT_EQ(device.memory.size(), 15 * sector_bytes);
}

TEST(MetaBitmap, FormatWritesToWhatIsNotZeroOnly)
{
	// 64 bitmaps of 256 sectors, twice.
	auto super = track_super();
	super.geometry.sectors = uint64_t{255} * 32256 * 8;
	super.geometry.bitmap_slots = 64;
	MemoryDevice device(layout_of(super.geometry)->end());
	ASSERT_TRUE(format(device, super, Overwrite::no));
	const auto whole = device.memory;
	// The superblocks, twice, and the intents.
	EXPECT_EQ(device.writes, 4u);

	device.put(30000, Sector{1});
	device.broken = {20000};
	device.writes = 0;
	ASSERT_TRUE(format(device, super, Overwrite::force));
	EXPECT_EQ(device.writes, 6u);
	EXPECT_EQ(device.memory, whole);
}

TEST(MetaBitmap, FormatRefusesSlotsOfNoUse)
{
	MemoryDevice device(100);
	auto super = track_super();
	super.geometry.bitmap_slots = 0;
	EXPECT_EQ(format(device, super, Overwrite::no).error().why,
		  "mode track needs room for a bitmap");
	super = fake::some_super();
	super.geometry.bitmap_slots = 1;
	EXPECT_EQ(format(device, super, Overwrite::no).error().why,
		  "there are bitmaps in mode track only");
	EXPECT_EQ(device.writes, 0u);
}
