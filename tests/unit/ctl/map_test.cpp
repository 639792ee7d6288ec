// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/map_view.hpp"
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::cli;
using volume::BlockMap;
using volume::BlockRun;

TEST(MapPage, ReadsRunsAndWhereToGoOn)
{
	auto page = volume::parse_map_page("0+16 32+1 4096");
	ASSERT_TRUE(page);
	EXPECT_EQ(page->runs, (std::vector<BlockRun>{{0, 16}, {32, 1}}));
	EXPECT_EQ(page->next, 4096u);
}

TEST(MapPage, EndIsTheEnd)
{
	auto page = volume::parse_map_page("7+1 end\n");
	ASSERT_TRUE(page);
	EXPECT_EQ(page->runs.size(), 1u);
	EXPECT_EQ(page->next, std::nullopt);
	page = volume::parse_map_page("end");
	ASSERT_TRUE(page);
	EXPECT_TRUE(page->runs.empty());
}

TEST(MapPage, RefusesEverythingElse)
{
	for (const char *bad : {"", "1+1", "+1 end", "1+ end", "1+0 end", "x end", "end end",
				"end 1+1", "1+1 2 3", "-1+1 end", "99999999999999999999+1 end"})
		EXPECT_FALSE(volume::parse_map_page(bad)) << bad;
}

TEST(GapPage, CountsFromTheRunBefore)
{
	auto page = volume::parse_gap_page("0 3+2 0+1 @4096", 10);
	ASSERT_TRUE(page);
	EXPECT_EQ(page->runs, (std::vector<BlockRun>{{10, 1}, {14, 2}, {16, 1}}));
	EXPECT_EQ(page->next, 4096u);
	page = volume::parse_gap_page("7 end", 0);
	ASSERT_TRUE(page);
	EXPECT_EQ(page->runs, (std::vector<BlockRun>{{7, 1}}));
	EXPECT_EQ(page->next, std::nullopt);
	page = volume::parse_gap_page("end", 3);
	ASSERT_TRUE(page);
	EXPECT_TRUE(page->runs.empty());
}

TEST(GapPage, RefusesEverythingElse)
{
	for (const char *bad :
	     {"", "1", "1 ", "1+1", "+1 end", "1+ end", "1+0 end", "x end", "end end", "end 1", "@",
	      "@x", "@1 2", "1  end", "-1 end", "18446744073709551615 end",
	      "18446744073709551610+3 end", "99999999999999999999 end"})
		EXPECT_FALSE(volume::parse_gap_page(bad, 5)) << bad;
}

TEST(MapCells, OneForEachRange)
{
	BlockMap map;
	map.both = {{0, 4}};
	map.base = {{4, 4}};
	EXPECT_EQ(map_cells(map, 8, 4),
		  (std::vector<Cell>{Cell::both, Cell::both, Cell::base, Cell::base}));
}

TEST(MapCells, TwoStatesInOneAreMixed)
{
	BlockMap map;
	map.both = {{0, 3}};
	map.base = {{3, 4}};
	map.zero = {{7, 1}};
	EXPECT_EQ(map_cells(map, 8, 4),
		  (std::vector<Cell>{Cell::both, Cell::mixed, Cell::base, Cell::mixed}));
}

TEST(MapCells, TheLastRangeMayBeShort)
{
	BlockMap map;
	map.base = {{0, 6}};
	map.top = {{6, 1}};
	EXPECT_EQ(map_cells(map, 7, 3), (std::vector<Cell>{Cell::base, Cell::base, Cell::top}));
	EXPECT_TRUE(map_cells(map, 0, 3).empty());
}

TEST(MapDrawing, FitsTheTerminalAndSaysWhatASignIs)
{
	volume::Volume volume;
	volume.info.name = "data";
	volume.table.mode = table::Mode::mirror;
	volume.table.top = table::Leg{};
	volume.status.mode = table::Mode::mirror;
	volume.status.phase = table::Phase::copying;
	volume.status.total = 1000000;
	volume.status.base_only = 999000;
	volume.status.both = 1000;
	volume.status.block_sectors = 128;
	volume.sectors = volume.status.total * 128;
	BlockMap map;
	map.both = {{0, 1000}};
	map.base = {{1000, 999000}};
	std::string text = draw_map(volume, map, 80);
	EXPECT_EQ(text.find("data: copying 0.1%; one sign is 802 blocks (50.12 MiB)\n"), 0u)
		<< text;
	size_t start = 0;
	while (start < text.size()) {
		size_t end = text.find('\n', start);
		EXPECT_LE(end - start, 80u);
		start = end + 1;
	}
	EXPECT_NE(text.find("\n  #+..."), std::string::npos) << text;
}
