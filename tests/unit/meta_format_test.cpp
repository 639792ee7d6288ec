// SPDX-License-Identifier: GPL-2.0-or-later
// The metadata's layout, checksum and sectors, and formatting.
#include "memory_device.hpp"
#include "meta/contents.hpp"
#include "meta/crc32c.hpp"
#include <boost/endian/conversion.hpp>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::meta;
using fake::MemoryDevice, fake::some_super, fake::some_uuid;

namespace
{

Damage damage_of(const Sector &sector, unsigned copy = 0)
{
	const auto found = decode_superblock(sector, copy);
	EXPECT_FALSE(found);
	return found ? Damage::io : found.error();
}

void reseal(Sector &sector)
{
	blkcopy_meta_super raw;
	std::memcpy(&raw, sector.data(), sizeof(raw));
	Uuid uuid;
	std::copy(std::begin(raw.header.uuid), std::end(raw.header.uuid), uuid.begin());
	seal(sector, {raw.header.magic, uuid, raw.header.index, raw.header.generation});
}

template <class Change> Sector changed(Change change)
{
	Sector sector = encode(some_super(), 0);
	blkcopy_meta_super raw;
	std::memcpy(&raw, sector.data(), sizeof(raw));
	change(raw);
	std::memcpy(sector.data(), &raw, sizeof(raw));
	reseal(sector);
	return sector;
}

} // namespace

TEST(MetaCrc, IsCastagnoli)
{
	const std::string_view text = "123456789";
	const auto *const bytes = reinterpret_cast<const uint8_t *>(text.data());
	EXPECT_EQ(crc32c({bytes, text.size()}), 0xe3069283u);
	Crc32c pieces;
	pieces.add({bytes, 4});
	pieces.add({bytes + 4, 5});
	EXPECT_EQ(pieces.value(), 0xe3069283u);
	EXPECT_EQ(crc32c({}), 0u);
	// RFC 3720, B.4: 32 bytes of zeroes.
	EXPECT_EQ(crc32c(std::vector<uint8_t>(32)), 0x8a9136aau);
}

TEST(MetaLayout, FollowsFromTheVolume)
{
	struct Case {
		Geometry geometry;
		Layout layout;
	};
	const Case cases[] = {
		{{1, 8, 1}, {1, 1, 2, 1, 3, 1}},
		{{blocks_a_sector * 8, 8, 64}, {16128, 1, 2, 1, 3, 1}},
		{{blocks_a_sector * 8 + 1, 8, 64}, {16129, 1, 2, 1, 3, 2}},
		{{segments_a_sector * 2048 + 1, 2048, 1}, {32257, 32257, 2, 2, 4, 3}},
		// 16 TiB at 64 KiB
		{{uint64_t{1} << 35, 128, 64}, {1u << 28, 1u << 18, 2, 9, 11, 16645}},
	};
	for (const auto &[geometry, layout] : cases) {
		const auto found = layout_of(geometry);
		ASSERT_TRUE(found);
		EXPECT_EQ(*found, layout) << geometry.sectors;
	}
	EXPECT_EQ(cases[4].layout.end(), 33301u);
	for (const Geometry bad :
	     {Geometry{0, 8, 64}, Geometry{1, 7, 64}, Geometry{1, 4096, 64}, Geometry{1, 8, 0},
	      Geometry{1, 8, 65537}, Geometry{~uint64_t{0}, 8, 64}}) {
		const auto found = layout_of(bad);
		ASSERT_FALSE(found);
		EXPECT_EQ(found.error().status, Status::usage);
	}
}

TEST(MetaSuperblock, ComesBack)
{
	auto super = some_super();
	super.generation = 77;
	super.base_mixed = true;
	super.exact_sum = 0x12345678;
	super.name = std::string(name_max, 'n');
	super.legs[1].identity = std::string(identity_max, 'i');
	for (const unsigned copy : {0u, 1u}) {
		const auto found = decode_superblock(encode(super, copy), copy);
		ASSERT_TRUE(found);
		EXPECT_EQ(*found, super);
	}
	EXPECT_EQ(damage_of(encode(super, 0), 1), Damage::index);
	EXPECT_EQ(damage_of(Sector{}), Damage::blank);
}

// Every byte, each bit of it: one line, and nothing believed.
TEST(MetaSuperblock, EveryBitCounts)
{
	const auto good = encode(some_super(), 0);
	for (size_t byte = 0; byte < good.size(); byte++)
		for (unsigned bit = 0; bit < 8; bit++) {
			auto bad = good;
			bad[byte] ^= static_cast<uint8_t>(1u << bit);
			EXPECT_EQ(damage_of(bad), byte < 8 ? Damage::magic : Damage::crc)
				<< byte << ", " << bit;
		}
}

TEST(MetaSuperblock, ValuesThatMakeNoSense)
{
	using Raw = blkcopy_meta_super;
	EXPECT_EQ(damage_of(changed([](Raw &raw) { raw.version = 2; })), Damage::version);
	EXPECT_EQ(damage_of(changed([](Raw &raw) { raw.incompat = 1; })), Damage::incompat);
	const std::function<void(Raw &)> bad[] = {
		[](Raw &raw) { raw.flags = 128; },
		[](Raw &raw) { raw.sectors = 0; },
		[](Raw &raw) { raw.sectors += 8 * blocks_a_sector; },
		[](Raw &raw) { raw.block_sectors = 9; },
		[](Raw &raw) { raw.block_sectors = 16; },
		[](Raw &raw) { raw.segment_mib = 0; },
		[](Raw &raw) { raw.mode = 0; },
		[](Raw &raw) { raw.mode = 7; },
		[](Raw &raw) { raw.phase = 11; },
		[](Raw &raw) { raw.first_intent = 3; },
		[](Raw &raw) { raw.nr_intent = 2; },
		[](Raw &raw) { raw.first_exact = 0; },
		[](Raw &raw) { raw.nr_exact = ~0ull; },
		[](Raw &raw) { raw.zero1 = 1; },
		[](Raw &raw) { raw.zero2[3279] = 1; },
		[](Raw &raw) { raw.name[127] = 'x'; },
		[](Raw &raw) { raw.leg[1].has_stamp = 2; },
		[](Raw &raw) { raw.leg[1].stamp = 2; },
		[](Raw &raw) { raw.leg[0].zero[0] = 1; },
		[](Raw &raw) { raw.leg[0].identity[239] = 'x'; },
	};
	for (const auto &change : bad)
		EXPECT_EQ(damage_of(changed(change)), Damage::fields) << &change - bad;
	EXPECT_TRUE(decode_superblock(changed([](Raw &) {}), 0));
}

TEST(MetaSectors, ComeBack)
{
	const uint64_t blocks = 2 * blocks_a_sector + 100;
	Exact exact{.uuid = some_uuid, .index = 2, .generation = 5};
	exact.words = {~uint64_t{0}, 1, 2, 0xff};
	EXPECT_EQ(*decode_exact(encode(exact), some_uuid, 2, 1, blocks), exact);
	const auto why = [&](const Exact &value, const Uuid &uuid, uint64_t index, unsigned slot) {
		const auto found = decode_exact(encode(value), uuid, index, slot, blocks);
		return found ? "good" : word(found.error());
	};
	EXPECT_EQ(why(exact, Uuid{}, 2, 1), "uuid");
	EXPECT_EQ(why(exact, some_uuid, 1, 1), "index");
	EXPECT_EQ(why(exact, some_uuid, 2, 0), "generation");
	exact.words[3] = 0x100; // block 100
	EXPECT_EQ(why(exact, some_uuid, 2, 1), "fields");
	exact.words[3] = 0;
	exact.words[503] = 1;
	EXPECT_EQ(why(exact, some_uuid, 2, 1), "fields");
	exact.generation = 1;
	EXPECT_EQ(why(exact, some_uuid, 2, 1), "generation");

	Intent intent{.uuid = some_uuid, .index = 0, .generation = 9};
	intent.bits[1] = 0x81;
	EXPECT_EQ(*decode_intent(encode(intent), some_uuid, 0, 16), intent);
	EXPECT_EQ(decode_intent(encode(intent), some_uuid, 0, 15).error(), Damage::fields);
	EXPECT_EQ(decode_intent(encode(intent), Uuid{}, 0, 16).error(), Damage::uuid);
	EXPECT_EQ(decode_intent(encode(exact), some_uuid, 0, 16).error(), Damage::magic);
}

TEST(MetaFormat, MakesAVolumeThatIsAllBase)
{
	auto device = fake::formatted();
	const auto contents = read_contents(device);
	ASSERT_TRUE(contents) << contents.error().message();
	EXPECT_TRUE(contents->findings.empty());
	EXPECT_TRUE(contents->super.clean);
	EXPECT_EQ(contents->super.legs, some_super().legs);
	EXPECT_EQ(contents->map.runs(),
		  (std::vector<StateRun>{{{0, 2 * blocks_a_sector + 100}, Valid::base}}));
	EXPECT_EQ(contents->segments.count(), 0u);
	// What the format says of a new device.
	const auto layout = *layout_of(some_super().geometry);
	EXPECT_EQ(contents->exact[1].generation, uint64_t{BLKCOPY_META_FIRST_GENERATION});
	EXPECT_TRUE(is_blank(device.sector(layout.slot(1, 1))));
}

TEST(MetaFormat, RefusesWhatIsThere)
{
	auto device = fake::formatted();
	const auto refused = [&](Status status, const std::string &words) {
		const auto before = device.memory;
		const auto result = format(device, some_super(), Overwrite::no);
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, status);
		EXPECT_NE(result.error().message().find(words), std::string::npos)
			<< result.error().message();
		EXPECT_EQ(device.memory, before);
	};
	refused(Status::busy, "the metadata of the volume 'data'");
	device.spoil(0);
	refused(Status::busy, "the metadata of the volume 'data'");
	device.spoil(1);
	refused(Status::busy, "holds metadata of blkctl");
	device.put(0, Sector{});
	device.put(1, Sector{9});
	refused(Status::busy, "not blank");
	EXPECT_TRUE(format(device, some_super(), Overwrite::force));
	device.memory.resize(device.memory.size() - 1);
	refused(Status::usage, "it has 36863 bytes, and 36864 are needed");
	EXPECT_EQ(format(device, some_super(), Overwrite::force).error().status, Status::usage);
	device.memory.resize(36864);
	device.put(1, Sector{});
	device.broken = {0};
	refused(Status::failed, "cannot be read");
}

// Cut off at any write, it is no metadata, or all of it.
TEST(MetaFormat, IsWholeOrNotThere)
{
	const auto whole = fake::formatted();
	for (int writes = 0;; writes++) {
		auto device = fake::formatted();
		device.writes_left = writes;
		auto other = some_super();
		other.uuid[0] = 99;
		const bool done = format(device, other, Overwrite::force).has_value();
		const auto contents = read_contents(device);
		if (writes == 0)
			EXPECT_EQ(device.memory, whole.memory);
		else if (!contents)
			EXPECT_EQ(contents.error().status, Status::not_found);
		else
			EXPECT_EQ(contents->super.uuid, other.uuid);
		if (done)
			break;
		EXPECT_LT(writes, 10);
	}
}
