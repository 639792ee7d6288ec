// SPDX-License-Identifier: GPL-2.0-or-later
// What is believed of a metadata device that something has happened to.
#include "memory_device.hpp"
#include "meta/contents.hpp"
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::meta;
using fake::close, fake::formatted, fake::MemoryDevice, fake::some_super, fake::write_exact;

namespace
{

// Where things are on the device of some_super().
constexpr uint64_t intent_at = 2, exact_at = 3;

Contents read(MemoryDevice &device)
{
	const auto before = device.memory;
	auto contents = read_contents(device);
	EXPECT_TRUE(contents) << contents.error().message();
	EXPECT_EQ(device.memory, before);
	return contents ? *contents : Contents();
}

std::string findings(const Contents &contents)
{
	std::string text;
	for (const auto &finding : contents.findings)
		text += (text.empty() ? "" : "; ") + describe(finding);
	return text;
}

void expect_error(MemoryDevice &device, Status status, const std::string &words)
{
	const auto contents = read_contents(device);
	ASSERT_FALSE(contents);
	EXPECT_EQ(contents.error().status, status) << contents.error().message();
	EXPECT_NE(contents.error().message().find(words), std::string::npos)
		<< contents.error().message();
	EXPECT_NE(contents.error().message().find("/dev/meta"), std::string::npos);
}

// Sector 0 was written three times, sector 1 once; left like that.
MemoryDevice used(bool clean)
{
	auto device = formatted();
	write_exact(device, 0, 3, 1);
	write_exact(device, 0, 4, 2);
	write_exact(device, 0, 5, 3);
	write_exact(device, 1, 3, 1);
	close(device, clean, {5, 3, 2});
	return device;
}

} // namespace

TEST(MetaCheck, WhatIsNoMetadata)
{
	MemoryDevice device(9);
	expect_error(device, Status::not_found, "it is blank");
	device.put(0, Sector{'X'});
	device.put(1, Sector{'X'});
	expect_error(device, Status::not_found, "something else");
	MemoryDevice none(0);
	expect_error(none, Status::not_found, "blank");
}

TEST(MetaCheck, AnotherVersionIsLeftAlone)
{
	auto device = formatted();
	blkcopy_meta_super raw;
	const auto put = [&](unsigned copy) {
		Sector sector = device.sector(copy);
		std::memcpy(sector.data(), &raw, sizeof(raw));
		seal(sector, {BLKCOPY_META_MAGIC_SUPER, fake::some_uuid, copy, 9});
		device.put(copy, sector);
	};
	std::memcpy(&raw, device.sector(0).data(), sizeof(raw));
	raw.version = 2;
	// Also next to an older copy that could be read.
	put(1);
	expect_error(device, Status::failed, "another version of the format than 1");
	put(0);
	expect_error(device, Status::failed, "another version of the format than 1");
	raw.version = 1;
	raw.incompat = 1u << 31;
	put(0);
	put(1);
	expect_error(device, Status::failed, "a feature that this version does not know");
}

// Every byte of a copy, one bit: the other counts, and this one is named.
TEST(MetaCheck, ABitFlipInEveryByteOfASuperblock)
{
	auto device = formatted();
	for (unsigned copy = 0; copy < 2; copy++)
		for (size_t byte = 0; byte < sector_bytes; byte++) {
			auto &at = *(device.at(copy) + static_cast<std::ptrdiff_t>(byte));
			const auto before = at;
			at ^= static_cast<uint8_t>(1u << (byte % 8));
			const auto super = read_superblock(device);
			ASSERT_TRUE(super);
			EXPECT_EQ(super->name, "data");
			EXPECT_FALSE(read_superblocks(device).copies[copy]);
			if (byte % 64 == 0) {
				const auto contents = read(device);
				ASSERT_EQ(contents.findings.size(), 1u) << byte;
				EXPECT_EQ(contents.findings[0].place, Place::superblock);
				EXPECT_EQ(contents.findings[0].index, copy);
				EXPECT_FALSE(contents.is_well());
			}
			at = before;
		}
}

TEST(MetaCheck, BothSuperblocksBad)
{
	auto device = formatted();
	device.spoil(0);
	device.broken = {1};
	expect_error(device, Status::needs_attention,
		     "both copies of the superblock are bad: of the first, its checksum is wrong: "
		     "bits have changed, or its write was torn; of the second, it cannot be read "
		     "(try: blkctl restore /dev/meta DUMP)");
}

TEST(MetaCheck, TwoVolumes)
{
	auto device = formatted();
	auto other = some_super();
	other.uuid[0] = 0xff;
	other.name = "other";
	device.put(1, encode(other, 1));
	expect_error(device, Status::needs_attention, "of two volumes: 'data'");
}

TEST(MetaCheck, ADeviceThatWasCutOff)
{
	auto device = formatted();
	device.memory.resize(8 * sector_bytes);
	expect_error(device, Status::needs_attention,
		     "the metadata of 'data' has 36864 bytes, the device 32768");
}

TEST(MetaCheck, TheNewerSuperblockCounts)
{
	auto device = formatted();
	auto super = some_super();
	super.generation = 9;
	super.phase = Phase::merging;
	device.put(1, encode(super, 1));
	EXPECT_EQ(read_superblock(device)->phase, Phase::merging);
	device.spoil(1);
	EXPECT_EQ(read_superblock(device)->phase, Phase::idle);
}

TEST(MetaCheck, TheNewerSlotCounts)
{
	for (const bool clean : {true, false}) {
		auto device = used(clean);
		const auto contents = read(device);
		EXPECT_EQ(findings(contents), "");
		EXPECT_EQ(contents.map.at(0), Valid::zero);
		EXPECT_EQ(contents.map.at(blocks_a_sector), Valid::both);
		EXPECT_EQ(contents.map.at(2 * blocks_a_sector), Valid::base);
	}
}

TEST(MetaCheck, AfterAnUncleanStopTheOlderSlotCounts)
{
	auto device = used(false);
	device.spoil(exact_at + 1);
	auto contents = read(device);
	EXPECT_EQ(findings(contents), "exact sector 0, slot 1: its checksum is wrong: bits have "
				      "changed, or its write was torn (torn)");
	EXPECT_EQ(contents.map.at(0), Valid::top);
	EXPECT_TRUE(contents.is_well());
	EXPECT_TRUE(contents.unreadable().empty());

	// A first write that was torn, in the slot that was blank.
	device = used(false);
	device.put(exact_at + 5, Sector{7});
	contents = read(device);
	EXPECT_EQ(contents.count(Verdict::torn), 1u);
	EXPECT_TRUE(contents.is_well());
	// Nothing is left of sector 1.
	device.spoil(exact_at + 2);
	device.broken = {exact_at + 3};
	contents = read(device);
	EXPECT_EQ(contents.count(Verdict::lost), 2u);
	EXPECT_FALSE(contents.is_well());
	EXPECT_EQ(contents.unreadable(), (std::vector<Range>{{blocks_a_sector, blocks_a_sector}}));
	EXPECT_EQ(contents.map.runs()[1], (StateRun{{1, blocks_a_sector - 1}, Valid::base}));
	EXPECT_EQ(contents.map.at(blocks_a_sector), std::nullopt);
}

// What a device does not give may have been durable: it is not torn. Unless the sum tells.
TEST(MetaCheck, ASlotThatCannotBeRead)
{
	for (const unsigned slot : {0u, 1u}) { // of which this one is the newer
		auto device = used(false);
		device.broken = {exact_at + slot};
		auto contents = read(device);
		EXPECT_EQ(findings(contents), "exact sector 0, slot " + std::to_string(slot) +
						      ": it cannot be read (doubtful)");
		EXPECT_FALSE(contents.is_well());
		EXPECT_EQ(contents.unreadable(), (std::vector<Range>{{0, blocks_a_sector}}));

		device = used(true);
		device.broken = {exact_at + slot};
		contents = read(device);
		EXPECT_EQ(contents.count(slot ? Verdict::doubtful : Verdict::spare), 1u);
		EXPECT_FALSE(contents.is_well());
		EXPECT_EQ(contents.unreadable().size(), slot);
		EXPECT_EQ(contents.map.at(0), slot ? std::nullopt : std::optional(Valid::zero));
	}
}

// What replaces that is newer than whatever turns up again, and misses nothing.
TEST(MetaCheck, ASectorThatWasWrittenAnew)
{
	for (const bool clean : {true, false}) {
		auto device = used(clean);
		const uint64_t anew = uint64_t{9} << 32 | BLKCOPY_META_ANEW_GENERATION;
		write_exact(device, 0, anew, 1);
		close(device, clean, {anew, 3, 2});
		EXPECT_EQ(findings(read(device)), "");
		EXPECT_EQ(read(device).map.at(0), Valid::both);
		// Later than that there is one before it.
		write_exact(device, 0, anew + 2, 2);
		close(device, clean, {anew + 2, 3, 2});
		EXPECT_EQ(read(device).findings.size(), 1u);
		EXPECT_EQ(read(device).map.at(0), Valid::top);
	}
}

TEST(MetaCheck, AfterACleanStopABadOlderSlotLosesNothing)
{
	auto device = used(true);
	device.spoil(exact_at);     // generation 4
	device.spoil(exact_at + 2); // of sector 1, generation 2
	const auto contents = read(device);
	EXPECT_EQ(contents.count(Verdict::spare), 2u);
	EXPECT_FALSE(contents.is_well());
	EXPECT_TRUE(contents.unreadable().empty());
	EXPECT_EQ(contents.map.at(0), Valid::zero);
}

TEST(MetaCheck, AfterACleanStopABadNewerSlotIsAnError)
{
	auto device = used(true);
	device.spoil(exact_at + 1); // generation 5
	device.spoil(exact_at + 2); // and an older one of sector 1: told apart by the sum
	const auto contents = read(device);
	EXPECT_EQ(contents.count(Verdict::doubtful), 1u);
	EXPECT_EQ(contents.count(Verdict::spare), 1u);
	EXPECT_EQ(contents.unreadable(), (std::vector<Range>{{0, blocks_a_sector}}));
	EXPECT_EQ(contents.map.at(blocks_a_sector), Valid::both);
}

TEST(MetaCheck, AfterACleanStopAWriteThatNeverArrived)
{
	auto device = used(true);
	close(device, true, {6, 3, 2}); // generation 6 of sector 0 is nowhere
	const auto contents = read(device);
	// Nobody can tell which it was.
	EXPECT_EQ(contents.unreadable(), (std::vector<Range>{{0, 2 * blocks_a_sector + 100}}));
	EXPECT_EQ(findings(contents).substr(0, 83),
		  "exact sector 0, slot 1: it is not what was left at the stop in good order "
		  "(doubtful");
}

// The kernel says so once it has seen one, and counts it as the newer one that is missing.
TEST(MetaCheck, WhatWasInDoubtIsSoAfterAnyStop)
{
	auto device = used(true);
	device.spoil(exact_at + 1);
	for (const bool clean : {true, false}) {
		close(device, clean, {5, 3, 2}, true);
		const auto contents = read(device);
		EXPECT_EQ(contents.count(Verdict::doubtful), 1u) << clean;
		EXPECT_EQ(contents.unreadable(), (std::vector<Range>{{0, blocks_a_sector}}));
	}
	// One that was torn besides is not told from it.
	device.spoil(exact_at + 3);
	EXPECT_EQ(read(device).unreadable(), (std::vector<Range>{{0, 2 * blocks_a_sector}}));
	// What could not be read once, and is there now.
	device = used(false);
	close(device, false, {}, true);
	EXPECT_TRUE(read(device).unreadable().empty());
}

TEST(MetaCheck, ALostSectorAfterACleanStop)
{
	auto device = used(true);
	device.spoil(exact_at);
	device.spoil(exact_at + 1);
	auto contents = read(device);
	EXPECT_EQ(contents.count(Verdict::lost), 2u);
	EXPECT_EQ(contents.unreadable(), (std::vector<Range>{{0, blocks_a_sector}}));
	// What was in the lost one hides whether this one's good slot is the newest.
	device.spoil(exact_at + 2);
	contents = read(device);
	EXPECT_EQ(contents.unreadable(), (std::vector<Range>{{0, 2 * blocks_a_sector}}));
	// But a sum that was made without it tells.
	close(device, true, {0, 3, 2});
	contents = read(device);
	EXPECT_EQ(contents.unreadable(), (std::vector<Range>{{0, blocks_a_sector}}));
}

TEST(MetaCheck, SlotsThatDoNotGoTogether)
{
	// A blank slot next to one that was written more than once.
	auto device = used(false);
	device.put(exact_at, Sector{});
	EXPECT_EQ(findings(read(device)), "exact sector 0, slot 0: it is blank (torn)");
	// A generation between the two is missing.
	device = used(false);
	write_exact(device, 0, 9, 1);
	EXPECT_EQ(findings(read(device)), "exact sector 0, slot 0: its generation is not the one "
					  "that belongs there (torn)");
	EXPECT_EQ(read(device).map.at(0), Valid::both);
	// Blank where generation 2 was.
	device = used(false);
	device.put(exact_at + 4, Sector{});
	EXPECT_EQ(read(device).count(Verdict::lost), 2u);
}

TEST(MetaCheck, ASectorOfAnotherVolumeOrPlace)
{
	auto device = used(false);
	Exact other{.uuid = Uuid{9}, .index = 0, .generation = 5};
	device.put(exact_at + 1, encode(other));
	device.put(exact_at + 3, device.sector(exact_at + 5 - 4));
	Exact elsewhere{.uuid = fake::some_uuid, .index = 0, .generation = 3};
	device.put(exact_at + 3, encode(elsewhere));
	EXPECT_EQ(findings(read(device)),
		  "exact sector 0, slot 1: it is of another volume (torn); exact sector 1, slot 1: "
		  "it belongs to another place on the device (torn)");
}

TEST(MetaCheck, ABadIntentSectorCountsAsAllMarked)
{
	for (const bool clean : {true, false}) {
		auto device = used(clean);
		device.spoil(intent_at);
		const auto contents = read(device);
		EXPECT_EQ(contents.segments.count(), contents.segments.segments());
		EXPECT_EQ(contents.findings.at(0).verdict, clean ? Verdict::marked : Verdict::torn);
		EXPECT_EQ(contents.is_well(), !clean);
	}
}
