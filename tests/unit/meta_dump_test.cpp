// SPDX-License-Identifier: GPL-2.0-or-later
// Dump and restore are inverse functions; repair makes up nothing.
#include "bitmap_device.hpp"
#include "meta/dump.hpp"
#include "meta/repair.hpp"
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

using namespace blkctl;
using namespace blkctl::meta;
using fake::close, fake::formatted, fake::MemoryDevice, fake::some_super, fake::write_exact;

namespace
{

std::string some_text(size_t max)
{
	const auto text = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
	return text.substr(0, max);
}

// As a bitmap may be called: one word.
std::string some_word(size_t max)
{
	const auto text = *rc::gen::container<std::string>(
		rc::gen::elementOf(std::string("abcxyzABCXYZ0189-_.+:")));
	return text.substr(0, max);
}

meta::Leg some_leg()
{
	meta::Leg leg;
	leg.identity = some_text(identity_max);
	leg.sectors = *rc::gen::arbitrary<uint64_t>();
	leg.start = *rc::gen::arbitrary<uint64_t>();
	if (*rc::gen::arbitrary<bool>())
		leg.stamp = *rc::gen::arbitrary<uint32_t>();
	return leg;
}

Dump some_dump()
{
	Dump dump;
	auto &super = dump.super;
	super.uuid = *rc::gen::arbitrary<Uuid>();
	super.name = some_text(name_max);
	super.geometry.block_sectors = 8u << *rc::gen::inRange(0, 3);
	super.geometry.sectors = *rc::gen::inRange<uint64_t>(1, 1000000);
	super.geometry.segment_mib = *rc::gen::inRange(1, 9);
	super.mode = *rc::gen::element(Mode::mirror, Mode::stream, Mode::overlay, Mode::commit,
				       Mode::backup);
	super.phase = static_cast<meta::Phase>(*rc::gen::inRange(0, 11));
	super.unordered = super.mode == Mode::backup && *rc::gen::arbitrary<bool>();
	super.clean = *rc::gen::arbitrary<bool>();
	super.base_stale = *rc::gen::arbitrary<bool>();
	super.top_stale = *rc::gen::arbitrary<bool>();
	super.base_mixed = *rc::gen::arbitrary<bool>();
	super.legs = {some_leg(), some_leg()};

	const auto layout = *layout_of(super.geometry);
	dump.map = BlockMap(layout.blocks);
	dump.segments = SegmentMap(layout.segments);
	const auto fills = *rc::gen::inRange(0, 40);
	for (int i = 0; i < fills; i++) {
		const auto first = *rc::gen::inRange<uint64_t>(0, layout.blocks);
		const auto count = *rc::gen::inRange<uint64_t>(1, layout.blocks - first + 1);
		dump.map.fill({first, count}, static_cast<Valid>(*rc::gen::inRange(0, 4)));
		const auto segment = *rc::gen::inRange<uint64_t>(0, layout.segments);
		dump.segments.mark({segment, 1});
	}
	for (uint64_t i = 0; i < layout.nr_exact; i++)
		if (*rc::gen::inRange(0, 4) == 0)
			dump.map.set_lost(i, true);
	return dump;
}

Dump some_bitmap_dump()
{
	auto dump = some_dump();
	auto &super = dump.super;
	super.mode = Mode::track;
	super.unordered = false;
	super.unsealed = *rc::gen::arbitrary<bool>();
	super.geometry.bitmap_slots = *rc::gen::inRange(1, 5);
	dump.map = BlockMap();
	const auto count = *rc::gen::inRange<uint32_t>(0, super.geometry.bitmap_slots + 1);
	for (uint32_t slot = 0; slot < count; slot++) {
		Bitmap bitmap;
		bitmap.slot = slot;
		bitmap.name = std::to_string(slot) + some_word(bitmap_name_max - 2);
		bitmap.granule_sectors = super.geometry.block_sectors << *rc::gen::inRange(0, 5);
		bitmap.recording = *rc::gen::arbitrary<bool>();
		bitmap.inconsistent = *rc::gen::arbitrary<bool>();
		const auto granules = granules_of(super.geometry, bitmap.granule_sectors);
		bitmap.changes = Changes(granules);
		const auto marks = *rc::gen::inRange(0, 10);
		for (int i = 0; i < marks; i++) {
			const auto first = *rc::gen::inRange<uint64_t>(0, granules);
			bitmap.changes.mark(
				{first, *rc::gen::inRange<uint64_t>(1, granules - first + 1)});
		}
		dump.bitmaps.push_back(bitmap);
	}
	return dump;
}

std::string dumped(MemoryDevice &device)
{
	const auto contents = read_contents(device);
	return contents ? print(dump_of(*contents)) : contents.error().message();
}

std::string replaced(std::string text, const std::string &from, const std::string &to)
{
	const auto at = text.find(from);
	EXPECT_NE(at, std::string::npos) << from;
	return text.replace(at, from.size(), to);
}

// What is printed is read, restored and dumped as it was. Returns what was read.
Dump comes_back(const Dump &dump)
{
	const auto text = print(dump);
	MemoryDevice device(layout_of(dump.super.geometry)->end());

	const auto parsed = parse_dump(text);
	RC_ASSERT(parsed.has_value());
	RC_ASSERT(print(*parsed) == text);
	RC_ASSERT(restore(device, *parsed, Overwrite::no).has_value());
	RC_ASSERT(dumped(device) == text);
	if (dump.super.has_bitmaps())
		RC_ASSERT(read_contents(device)->findings.empty());

	// And from the device's side: what is restored from its dump is the same device.
	MemoryDevice other(layout_of(dump.super.geometry)->end());
	RC_ASSERT(restore(other, *parse_dump(dumped(device)), Overwrite::no).has_value());
	RC_ASSERT(other.memory == device.memory);
	return *parsed;
}

} // namespace

RC_GTEST_PROP(MetaDump, RestoreIsItsInverse, ())
{
	comes_back(some_dump());
}

RC_GTEST_PROP(MetaDump, RestoreIsItsInverseForBitmaps, ())
{
	const auto dump = some_bitmap_dump();

	RC_ASSERT(comes_back(dump).bitmaps == dump.bitmaps);
}

TEST(MetaDump, SaysWhatIsThere)
{
	auto device = formatted();
	write_exact(device, 0, 3, 2);
	close(device, false, {});
	EXPECT_EQ(dumped(device),
		  R"({"schema":1,"type":"metadata","uuid":"0102030405060708090a0b0c0d0e0f10",)"
		  R"("name":"data","sectors":258845,"block_sectors":8,"segment_mib":1,)"
		  R"("mode":"overlay","phase":"idle","flags":{"clean":false,"base_stale":false,)"
		  R"("top_stale":false,"base_mixed":false},"legs":{"base":{"identity":"dm:x",)"
		  R"("sectors":300000,"start":8,"stamp":7},"top":{"identity":"serial:y",)"
		  R"("sectors":400000,"start":0,"stamp":null}},"runs":[{"first":0,"count":1,)"
		  R"("state":"top"},{"first":1,"count":32355,"state":"base"}],"marked":[]})");
}

TEST(MetaDump, SaysWhatBitmapsThereAre)
{
	auto device = fake::track_in_use(true);
	EXPECT_EQ(dumped(device),
		  R"({"schema":1,"type":"metadata","uuid":"0102030405060708090a0b0c0d0e0f10",)"
		  R"("name":"data","sectors":320000,"block_sectors":8,"segment_mib":1,)"
		  R"("bitmap_slots":2,"mode":"track","phase":"idle","flags":{"clean":true,)"
		  R"("base_stale":false,"top_stale":false,"base_mixed":false,"unsealed":false},)"
		  R"("legs":{"base":{"identity":"dm:x","sectors":320000,"start":0,"stamp":null},)"
		  R"("top":{"identity":"","sectors":0,"start":0,"stamp":null}},)"
		  R"("bitmaps":[{"name":"one","granule_sectors":8,"recording":true,)"
		  R"("inconsistent":false,"changed":[{"first":3,"count":1},)"
		  R"({"first":35000,"count":1}]}],"marked":[]})");
	// What cannot be read counts as changed, and is so in what is restored from it.
	device.spoil(fake::bitmap_place(0, 1, 1));
	const auto text = dumped(device);
	EXPECT_NE(text.find(R"("changed":[{"first":0,"count":32256},{"first":35000,"count":1}])"),
		  std::string::npos)
		<< text;
	MemoryDevice other(15);
	ASSERT_TRUE(restore(other, *parse_dump(text), Overwrite::no));
	EXPECT_EQ(dumped(other), text);
}

TEST(MetaDump, ABadBitmapIsNamed)
{
	auto device = fake::track_in_use(true);
	const auto good = dumped(device);
	const auto change = [&](const std::string &from, const std::string &to,
				const std::string &words) {
		const auto dump = parse_dump(replaced(good, from, to));
		ASSERT_FALSE(dump) << to;
		EXPECT_NE(dump.error().message().find(words), std::string::npos)
			<< dump.error().message();
	};
	const std::string another = R"({"name":"one","granule_sectors":8,"recording":true,)"
				    R"("inconsistent":false,"changed":[]},)";
	change("\"bitmap_slots\":2,", "", "'bitmap_slots' is missing");
	change("\"bitmap_slots\":2", "\"bitmap_slots\":0", "'bitmap_slots' is 0");
	change("\"bitmap_slots\":2", "\"bitmap_slots\":65", "65 bitmaps");
	change(",\"unsealed\":false", "", "'flags.unsealed' is missing");
	change("\"bitmaps\"", "\"runs\"", "'bitmaps' is missing");
	change("\"name\":\"one\"", "\"name\":\"\"", "'bitmaps[0].name' is empty");
	change("\"one\"", "\"" + std::string(65, 'x') + "\"",
	       "'bitmaps[0].name' is empty, too long");
	change("\"granule_sectors\":8", "\"granule_sectors\":4", "less than a block");
	change("\"granule_sectors\":8", "\"granule_sectors\":24", "no power of two");
	change("\"granule_sectors\":8", "\"granule_sectors\":16",
	       "'bitmaps[0].changed[1].first' is out of order");
	change("\"count\":1", "\"count\":0", "'bitmaps[0].changed[0].count' is 0");
	change("\"first\":35000", "\"first\":3", "'bitmaps[0].changed[1].first' is out of order");
	change("\"recording\":true", "\"recording\":1", "'bitmaps[0].recording' is neither");
	change("\"bitmaps\":[", "\"bitmaps\":[" + another, "'bitmaps[1].name' is that of another");
	change("\"bitmaps\":[", "\"bitmaps\":[" + another + another, "more than there is room for");
}

TEST(MetaDump, ABadOneIsNamed)
{
	auto device = formatted();
	const auto good = dumped(device);
	ASSERT_TRUE(parse_dump(good));
	const auto expect = [](const std::string &text, const std::string &words) {
		const auto dump = parse_dump(text);
		ASSERT_FALSE(dump) << text;
		EXPECT_EQ(dump.error().status, Status::usage);
		EXPECT_NE(dump.error().message().find(words), std::string::npos)
			<< dump.error().message();
	};
	const auto change = [&](const std::string &from, const std::string &to,
				const std::string &words) {
		expect(replaced(good, from, to), words);
	};
	expect("", "no JSON");
	expect("[]", "no dump of metadata");
	expect(good.substr(0, good.size() - 1), "no JSON");
	change("\"schema\":1", "\"schema\":2", "schema 1");
	change("\"name\":\"data\",", "", "'name' is missing");
	change("0102030405", "010203040", "'uuid' is not 32");
	change("\"sectors\":258845", "\"sectors\":-1", "'sectors' is not a number");
	change("\"sectors\":258845", "\"sectors\":0", "no size");
	change("\"sectors\":258845", "\"sectors\":9000000000000000000", "8 EiB");
	change("\"sectors\":258845", "\"sectors\":9000000000000000", "'sectors' is more than");
	change("\"block_sectors\":8", "\"block_sectors\":9", "power of two");
	change("\"overlay\"", "\"over\"", "'mode' is no mode");
	change("\"clean\":true", "\"clean\":1", "'flags.clean' is neither");
	change("\"stamp\":7", "\"stamp\":4294967296", "'legs.base.stamp' is not a number");
	change("\"dm:x\"", "\"" + std::string(240, 'x') + "\"", "'legs.base.identity' is too long");
	change("\"count\":32356", "\"count\":32357", "'runs[0].count' is 0 or goes behind");
	change("\"count\":32356", "\"count\":32355", "'runs' is not the whole map");
	change("\"first\":0", "\"first\":1", "'runs[0]");
	change("\"state\":\"base\"", "\"state\":\"x\"", "'runs[0].state' is no state");
	change("\"count\":32356,\"state\":\"base\"",
	       "\"count\":5,\"state\":\"unreadable\"},{\"first\":5,\"count\":32351,\"state\":"
	       "\"top\"",
	       "not of whole sectors of 16128 blocks");
	change("\"marked\":[]", "\"marked\":[{\"first\":200,\"count\":1}]", "'marked[0].first'");
	change("\"marked\":[]", "\"marked\":[7]", "'marked[0]' is not an object");
}

TEST(MetaRepair, ASuperblockFromTheOtherCopy)
{
	for (const unsigned copy : {0u, 1u}) {
		auto device = formatted();
		const auto before = dumped(device);
		device.spoil(copy);
		const auto plan = plan_repair(*read_contents(device), Older::never);
		EXPECT_TRUE(plan.rewrites.empty());
		EXPECT_TRUE(plan.superblocks);
		EXPECT_EQ(plan.first_copy, copy);
		EXPECT_TRUE(plan.missing.empty());
		// At no moment without a good one.
		device.writes_left = 1;
		EXPECT_FALSE(meta::repair(device, plan));
		EXPECT_EQ(dumped(device), before);
		EXPECT_TRUE(read_contents(device)->findings.empty());
		device.writes_left = -1;
		EXPECT_TRUE(meta::repair(device, plan));
		EXPECT_EQ(dumped(device), before);
		EXPECT_TRUE(read_contents(device)->findings.empty());
		EXPECT_TRUE(plan_repair(*read_contents(device), Older::never).is_empty());
	}
}

TEST(MetaRepair, ASpareSlotAndTheIntents)
{
	auto device = formatted();
	write_exact(device, 0, 3, 1);
	write_exact(device, 0, 4, 2);
	write_exact(device, 1, 3, 3);
	close(device, true, {4, 3, 2});
	const auto before = dumped(device);
	device.spoil(4);            // generation 3 of sector 0
	device.put(8, Sector{'x'}); // never written
	const auto plan = plan_repair(*read_contents(device), Older::never);
	EXPECT_EQ(plan.rewrites.size(), 2u);
	EXPECT_FALSE(plan.superblocks);
	EXPECT_TRUE(meta::repair(device, plan));
	EXPECT_EQ(dumped(device), before);
	EXPECT_TRUE(read_contents(device)->findings.empty());
	EXPECT_TRUE(is_blank(device.sector(8)));

	device.spoil(2);
	EXPECT_TRUE(meta::repair(device, plan_repair(*read_contents(device), Older::never)));
	const auto contents = *read_contents(device);
	EXPECT_TRUE(contents.findings.empty());
	EXPECT_EQ(contents.segments.count(), contents.segments.segments());
}

TEST(MetaRepair, MakesUpNothing)
{
	auto device = formatted();
	write_exact(device, 0, 3, 1);
	write_exact(device, 1, 3, 2);
	close(device, true, {3, 3, 2});
	device.spoil(4); // the newest of sector 0
	device.spoil(7); // all
	device.spoil(8); // of sector 2
	const auto image = device.memory;
	auto plan = plan_repair(*read_contents(device), Older::never);
	EXPECT_TRUE(plan.is_empty());
	EXPECT_EQ(plan.missing,
		  (std::vector<Range>{{0, blocks_a_sector}, {2 * blocks_a_sector, 100}}));
	EXPECT_TRUE(meta::repair(device, plan));
	EXPECT_EQ(device.memory, image);

	// Only when told to, and only what is there.
	plan = plan_repair(*read_contents(device), Older::pick);
	EXPECT_EQ(plan.picked, (std::vector<Range>{{0, blocks_a_sector}}));
	EXPECT_EQ(plan.missing, (std::vector<Range>{{2 * blocks_a_sector, 100}}));
	for (int writes = 0; writes < 4; writes++) {
		device.memory = image;
		device.writes_left = writes;
		const bool done = meta::repair(device, plan).has_value();
		device.writes_left = -1;
		if (!done) {
			EXPECT_TRUE(meta::repair(device,
						 plan_repair(*read_contents(device), Older::pick)));
		}
		const auto contents = *read_contents(device);
		EXPECT_EQ(contents.map.at(0), Valid::base);
		EXPECT_EQ(contents.map.at(blocks_a_sector), Valid::top);
		EXPECT_EQ(contents.map.at(2 * blocks_a_sector), std::nullopt);
		EXPECT_EQ(contents.count(Verdict::lost), contents.findings.size());
	}
}

TEST(MetaRepair, EndsTheDoubt)
{
	for (const bool clean : {true, false}) {
		auto device = formatted();
		write_exact(device, 0, 3, 1);
		write_exact(device, 0, 4, 2);
		device.spoil(3); // the first exact sector
		close(device, clean, {4, 2, 2}, true);
		auto plan = plan_repair(*read_contents(device), Older::never);
		EXPECT_EQ(plan.missing.size(), 1u);
		EXPECT_FALSE(plan.superblocks);
		plan = plan_repair(*read_contents(device), Older::pick);
		ASSERT_TRUE(meta::repair(device, plan));
		const auto contents = *read_contents(device);
		EXPECT_FALSE(contents.super.doubtful);
		EXPECT_EQ(contents.super.clean, clean);
		EXPECT_TRUE(contents.findings.empty());
		EXPECT_EQ(contents.map.at(0), Valid::both);
	}
}

TEST(MetaRepair, LeavesWhatIsTornToTheKernel)
{
	auto device = formatted();
	write_exact(device, 0, 3, 1);
	close(device, false, {});
	device.spoil(4);
	EXPECT_TRUE(plan_repair(*read_contents(device), Older::pick).is_empty());
}
