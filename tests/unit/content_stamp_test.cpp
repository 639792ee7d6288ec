// SPDX-License-Identifier: GPL-2.0-or-later
// What a stamp of a volume's data sees: where a mount writes first, on partitions too.
#include "fake_host.hpp"
#include "units.hpp"
#include "volume/content_stamp.hpp"
#include <gtest/gtest.h>

using namespace blkctl;
using fake::disk_a, fake::disk_sectors;

namespace
{

class ContentStamp : public testing::Test
{
      protected:
	uint32_t stamp(uint64_t start = 0, uint64_t sectors = disk_sectors)
	{
		const auto found = volume::content_stamp(host.probe, disk_a, start, sectors);
		EXPECT_TRUE(found);
		return found ? *found : 0;
	}
	void put(uint64_t at, const std::string &text)
	{
		for (size_t i = 0; i < text.size(); i++)
			host.probe.bytes[disk_a][at + i] = static_cast<uint8_t>(text[i]);
	}
	void put_number(uint64_t at, uint64_t value, size_t size)
	{
		for (size_t i = 0; i < size; i++)
			host.probe.bytes[disk_a][at + i] = static_cast<uint8_t>(value >> (8 * i));
	}
	bool sees(uint64_t at)
	{
		const auto before = stamp();
		auto &byte = host.probe.bytes[disk_a][at];
		byte ^= 0x80;
		const bool seen = stamp() != before;
		byte ^= 0x80;
		return seen;
	}

	fake::Host host;
};

} // namespace

TEST_F(ContentStamp, SeesTheBeginningAndTheEnd)
{
	const auto end = disk_sectors * 512;

	for (const uint64_t at : {uint64_t{0}, uint64_t{1024}, uint64_t{65536}, mib + 1024,
				  mib + 65536, 2 * mib - 1, end - mib, end - 1})
		EXPECT_TRUE(sees(at)) << at;
	EXPECT_FALSE(sees(2 * mib));
	EXPECT_FALSE(sees(end - mib - 1));
	// Of a range of a device, and one that is shorter than both.
	const auto before = stamp(8, 16);
	host.probe.bytes[disk_a][4095] = host.probe.bytes[disk_a][12288] = 1;
	EXPECT_EQ(stamp(8, 16), before);
	host.probe.bytes[disk_a][12287] = 1;
	EXPECT_NE(stamp(8, 16), before);
	host.probe.unreadable = {disk_a};
	EXPECT_FALSE(volume::content_stamp(host.probe, disk_a, 0, disk_sectors));
}

// Its superblock may say nothing until it is unmounted.
TEST_F(ContentStamp, SeesWhereTheLogOfAnXfsEnds)
{
	const auto put_big = [&](uint64_t at, uint64_t value, size_t size) {
		for (size_t i = 0; i < size; i++)
			host.probe.bytes[disk_a][at + i] =
				static_cast<uint8_t>(value >> (8 * (size - 1 - i)));
	};
	const uint64_t block = 4096, group_blocks = 5000, log = (group_blocks + 6) * block;
	put(0, "XFSB");
	put_big(4, block, 4);
	put_big(48, (1 << 13) + 6, 8); // block 6 of the second group
	put_big(84, group_blocks, 4);
	put_big(96, 100, 4);
	put_big(124, 13, 1);
	const auto write = [&](uint64_t n, uint32_t round) {
		put_big(log + n * 512, n % 8 == 0 ? 0xfeedbabe : round, 4);
		put_big(log + n * 512 + 4, round, 4);
	};
	for (uint64_t n = 0; n < 20; n++)
		write(n, 1);
	auto before = stamp();
	write(20, 1);
	EXPECT_NE(stamp(), before);
	for (uint64_t n = 0; n < 800; n++)
		write(n, 1);
	before = stamp();
	write(0, 2);
	EXPECT_NE(stamp(), before);
	before = stamp();
	write(1, 2);
	EXPECT_NE(stamp(), before);
	// One that would go behind the end is passed over.
	put_big(96, 100000000, 4);
	before = stamp();
	write(2, 2);
	EXPECT_EQ(stamp(), before);
}

TEST_F(ContentStamp, SeesPartitionsOfAnMbr)
{
	put(510, "\x55\xaa");
	put_number(446 + 16 + 4, 0x83, 1);
	put_number(446 + 16 + 8, 20 * mib / 512, 4);
	EXPECT_TRUE(sees(20 * mib + 65536));
	EXPECT_FALSE(sees(20 * mib + 131072));
	// It begins behind the end.
	put_number(446 + 16 + 8, 4000000000, 4);
	EXPECT_FALSE(sees(20 * mib + 65536));
}

TEST_F(ContentStamp, SeesPartitionsOfAGpt)
{
	for (const uint64_t block : {uint64_t{512}, uint64_t{4096}}) {
		host.probe.bytes.clear();
		put(block, "EFI PART");
		put_number(block + 72, 2, 8);
		put_number(block + 80, 128, 4);
		put_number(block + 84, 128, 4);
		put_number(2 * block + 672, 30 * mib / block, 8);
		EXPECT_TRUE(sees(30 * mib + 65536)) << block;
		EXPECT_FALSE(sees(20 * mib)) << block;
		// Nonsense is passed over.
		put_number(block + 72, UINT64_MAX, 8);
		EXPECT_FALSE(sees(30 * mib + 65536)) << block;
		put_number(block + 72, 2, 8);
		put_number(block + 84, 0, 4);
		EXPECT_FALSE(sees(30 * mib + 65536)) << block;
	}
}
