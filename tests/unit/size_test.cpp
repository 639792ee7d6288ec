// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size.hpp"
#include <gtest/gtest.h>

using namespace blkctl;

TEST(Size, TakesEverySuffix)
{
	const std::pair<const char *, uint64_t> good[] = {
		{"0", 0},
		{"4096", 4096},
		{"7b", 7},
		{"7B", 7},
		{"8s", 4096},
		{"64k", 65536},
		{"64K", 65536},
		{"64KiB", 65536},
		{"64KB", 65536},
		{"100MiB", 100ull << 20},
		{"1G", 1ull << 30},
		{"2T", 2ull << 40},
		{"3p", 3ull << 50},
		{"15E", 15ull << 60},
		{"1.5G", 3ull << 29},
		{"0.5k", 512},
		{"18446744073709551615", UINT64_MAX},
		{"1.000000000000000000E", 1ull << 60},
	};
	for (const auto &[text, bytes] : good) {
		const auto parsed = parse_size(text);
		ASSERT_TRUE(parsed) << text << ": " << parsed.error().message();
		EXPECT_EQ(*parsed, bytes) << text;
	}
}

TEST(Size, RefusesEverythingElse)
{
	for (const char *text : {"",
				 " ",
				 "-1",
				 "+1",
				 " 1",
				 "1 ",
				 "k",
				 ".5k",
				 "5.k",
				 "1kk",
				 "1x",
				 "0x10",
				 "1e3",
				 "1 k",
				 "16E",
				 "18446744073709551616",
				 "99999999999999999999999999",
				 "0.3b",
				 "1.1",
				 "0.0000000000000000001E",
				 "1kib",
				 "1KIB",
				 "1sB",
				 "1bB",
				 "1iB",
				 "1G/s"}) {
		const auto parsed = parse_size(text);
		ASSERT_FALSE(parsed) << text;
		EXPECT_EQ(parsed.error().status, Status::usage) << text;
		EXPECT_NE(parsed.error().message().find(text), std::string::npos);
	}
}

TEST(Rate, BareNumbersAreKib)
{
	EXPECT_EQ(*parse_rate_kib("1024"), 1024u);
	EXPECT_EQ(*parse_rate_kib("100MiB/s"), 100u * 1024);
	EXPECT_EQ(*parse_rate_kib("50M"), 50u * 1024);
	EXPECT_EQ(*parse_rate_kib("0"), 0u);
	EXPECT_EQ(*parse_rate_kib("none"), 0u);
	EXPECT_EQ(*parse_rate_kib("unlimited"), 0u);
	EXPECT_EQ(*parse_rate_kib("2s"), 1u);
	EXPECT_EQ(*parse_rate_kib("4294967295"), 4294967295u);
	for (const char *text : {"", "/s", "fast", "1b", "3s", "4294967296", "5T", "1M/", "1M/s/s",
				 "-5", "1/h", "None"}) {
		const auto parsed = parse_rate_kib(text);
		ASSERT_FALSE(parsed) << text;
		EXPECT_EQ(parsed.error().status, Status::usage);
	}
}

TEST(BlockSize, IsAPowerOfTwoWithinLimits)
{
	EXPECT_EQ(*parse_block_sectors("4k"), 8u);
	EXPECT_EQ(*parse_block_sectors("64k"), 128u);
	EXPECT_EQ(*parse_block_sectors("128s"), 128u);
	EXPECT_EQ(*parse_block_sectors("1M"), 2048u);
	EXPECT_NE(parse_block_sectors("2k").error().why.find("small"), std::string::npos);
	EXPECT_NE(parse_block_sectors("0").error().why.find("small"), std::string::npos);
	EXPECT_NE(parse_block_sectors("2M").error().why.find("large"), std::string::npos);
	EXPECT_NE(parse_block_sectors("48k").error().why.find("power"), std::string::npos);
	EXPECT_FALSE(parse_block_sectors("big"));
}

TEST(Duration, TakesUnits)
{
	EXPECT_EQ(*parse_duration_ms("30"), 30000u);
	EXPECT_EQ(*parse_duration_ms("0.5"), 500u);
	EXPECT_EQ(*parse_duration_ms("500ms"), 500u);
	EXPECT_EQ(*parse_duration_ms("5m"), 300000u);
	EXPECT_EQ(*parse_duration_ms("2h"), 7200000u);
	for (const char *text : {"", "s", "5 s", "-1", "1d", "18446744073709551615h", "0.0001"})
		EXPECT_FALSE(parse_duration_ms(text)) << text;
}

TEST(Duration, IsAtMostTenYears)
{
	EXPECT_EQ(*parse_duration_ms("87600h"), most_duration_ms);
	EXPECT_EQ(*parse_duration_ms("315360000000ms"), most_duration_ms);
	for (const char *text : {"87601h", "315360000001ms", "18446744073709551615ms",
				 "18446744073709551", "5124095576030h"}) {
		const auto parsed = parse_duration_ms(text);
		ASSERT_FALSE(parsed) << text;
		EXPECT_EQ(parsed.error().status, Status::usage);
		EXPECT_NE(parsed.error().why.find("too long"), std::string::npos)
			<< parsed.error().message();
	}
}

TEST(Format, ReadsWell)
{
	EXPECT_EQ(format_size(0), "0 B");
	EXPECT_EQ(format_size(1023), "1023 B");
	EXPECT_EQ(format_size(1024), "1.00 KiB");
	EXPECT_EQ(format_size(1ull << 30), "1.00 GiB");
	EXPECT_EQ(format_size((1ull << 30) - 1), "1.00 GiB");
	EXPECT_EQ(format_size(UINT64_MAX), "16.00 EiB");
	EXPECT_EQ(format_rate(0), "0 B/s");
	EXPECT_EQ(format_rate(12.5 * 1048576), "12.5 MiB/s");
	EXPECT_EQ(typed_size(0), "0");
	EXPECT_EQ(typed_size(512), "512");
	EXPECT_EQ(typed_size(65536), "64k");
	EXPECT_EQ(typed_size(1 << 20), "1M");
	EXPECT_EQ(typed_size(UINT64_MAX), "18446744073709551615");
	for (const uint64_t bytes : {uint64_t(1536), uint64_t(1) << 31, uint64_t(15) << 60})
		EXPECT_EQ(*parse_size(typed_size(bytes)), bytes);
	EXPECT_EQ(format_duration(3), "3s");
	EXPECT_EQ(format_duration(125), "2m05s");
	EXPECT_EQ(format_duration(3725), "1h02m");
}
