// SPDX-License-Identifier: GPL-2.0-or-later
#include "tab/tab.hpp"
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::tab;

namespace
{

void expect_bad(const std::string &line, const std::string &word)
{
	const auto entry = parse_entry(line);

	ASSERT_FALSE(entry) << line;
	EXPECT_NE(entry.error().why.find(word), std::string::npos)
		<< line << ": " << entry.error().why;
}

} // namespace

TEST(Tab, EntriesComeBackAsTheyWere)
{
	const Entry entries[] = {
		{.name = "data", .layers = {{0, "/var/lib/blkctl/data.meta"}}, .stamp = 0xc0ffee},
		{.name = "plain",
		 .device = "id:virtio-disk0",
		 .uuid = "00112233445566778899aabbccddeeff",
		 .sectors = 100,
		 .offset = 2048,
		 .block_sectors = 8,
		 .bitmaps = "/var/lib/blkctl/a, b.bitmaps"},
		{.name = "pivoting",
		 .device = "id:virtio-disk1",
		 .was = "file:/a, b=",
		 .was_offset = 2048},
		{.name = "chain",
		 .layers = {{1, "/with blank, comma=\\"}, {3, "-"}, {0, "partuuid:1-2"}},
		 .bitmaps = "id:virtio-disk1",
		 .noauto = true,
		 .initramfs = true,
		 .features = {.detect_zeroes = true, .paused = true, .copy_on_read = true},
		 .params = {.rate_kib = 1024, .on_top_error = table::Policy::enospc}},
		{.name = "vg0-data", .layers = {{0, "/meta"}}, .lv = std::string(64, 'a')},
	};
	for (const auto &entry : entries) {
		const auto again = parse_entry(print(entry));
		ASSERT_TRUE(again) << print(entry) << ": " << again.error().message();
		EXPECT_EQ(*again, entry) << print(entry);
	}
	EXPECT_EQ(print(entries[0]), "data - /var/lib/blkctl/data.meta stamp=00c0ffee");
}

TEST(Tab, WhatAJobIsToldIsAnOptionEach)
{
	const std::string line = "data - /meta ";
	const std::string options[] = {
		"copy_on_read",
		"paused",
		"detect_zeroes",
		"no_discard_passdown",
		"rate_kib=1024",
		"inflight_kib=64",
		"run_kib=4",
		"copy_mode=background",
		"on_base_error=ignore",
		"on_top_error=stop",
	};
	std::string all;

	for (const auto &option : options) {
		const auto entry = parse_entry(line + option);
		ASSERT_TRUE(entry) << option << ": " << entry.error().message();
		EXPECT_NE(*entry, *parse_entry(line)) << option;
		EXPECT_EQ(print(*entry), line + option);
		expect_bad("data /dev/vdb - " + option, "go with METADATA");
		all += (all.empty() ? "" : ",") + option;
	}
	EXPECT_EQ(print(*parse_entry(line + all)), line + all);
	EXPECT_EQ(parse_entry(line + all)->params.on_top_error, table::Policy::stop);
	// An older word.
	EXPECT_EQ(print(*parse_entry(line + "wait_for_space")), line + "on_top_error=enospc");

	expect_bad(line + "paused=1", "takes no value");
	expect_bad(line + "backup_persistent", "there is no option");
	expect_bad(line + "nosync", "there is no option");
	expect_bad(line + "segment_mib=64", "there is no option");
	expect_bad(line + "rate_kib", "rate_kib is not a number");
	expect_bad(line + "rate_kib=1M", "rate_kib is not a number");
	expect_bad(line + "rate_kib=4294967296", "rate_kib is not a number from 0 to 4294967295");
	expect_bad(line + "inflight_kib=63", "inflight_kib is not a number from 64 to 65536");
	expect_bad(line + "run_kib=1025", "run_kib is not a number from 4 to 1024");
	expect_bad(line + "copy_mode=x", "copy_mode is not dual or background");
	expect_bad(line + "on_base_error=", "on_base_error is not report");
	expect_bad(line + "on_top_error=panic", "on_top_error is not report");
}

TEST(Tab, RefusesWhatMakesNoSense)
{
	expect_bad("data", "NAME DEVICE METADATA");
	expect_bad("data - - - -", "NAME DEVICE METADATA");
	expect_bad("data - -", "one of DEVICE and METADATA");
	expect_bad("data /dev/vdb /meta", "one of DEVICE and METADATA");
	expect_bad("a/b /dev/vdb -", "NAME is no name");
	expect_bad("data /dev/vdb - block=100", "power of two");
	expect_bad("data /dev/vdb - block=x", "no number");
	expect_bad("data /dev/vdb - uuid=1", "32 hex digits");
	expect_bad("data /dev/vdb - stamp=1", "go with METADATA");
	expect_bad("data /dev/vdb - wait_for_space", "go with METADATA");
	expect_bad("data /dev/vdb - sectors=0", "sectors is 0");
	expect_bad("data /dev/vdb - bitmaps=", "names nothing");
	expect_bad("data - /meta offset=1", "go with DEVICE");
	expect_bad("data - /meta was=/dev/vda", "go with DEVICE");
	expect_bad("data /dev/vdb - was=", "names nothing");
	expect_bad("data /dev/vdb - was_offset=1", "goes with was");
	expect_bad("data - /meta lv=abc", "64 letters");
	expect_bad("data - /meta lv=" + std::string(63, 'a') + "/", "64 letters");
	expect_bad("data /dev/vdb - uuid=" + std::string(32, 'a') + ",lv=" + std::string(64, 'a'),
		   "one of uuid and lv");
	expect_bad("data - /meta noauto=1", "takes no value");
	expect_bad("data - /meta nofail", "there is no option 'nofail'");
	expect_bad("data - /a,/b", "every layer has a number but the last");
	expect_bad("data - 1=/a", "every layer has a number but the last");
	expect_bad("data - 2=/a,1=/b,/c", "not in order");
	expect_bad("data - 0=/a,/b", "count from 1");
	expect_bad("data - 1=,/b", "no metadata");
	expect_bad("data - /a,", "no list of layers");
	expect_bad("data - /a\\09", "three octal digits");
	expect_bad("data - /a\\000", "three octal digits");
}

TEST(Tab, AFileKeepsWhatIsNotItsOwn)
{
	const std::string text = "# volumes\n\ndata - /a\nbroken\ndata - /b\nother /dev/vdb -\n";
	auto tab = Tab::parse(text, "/etc/blkctltab");
	EXPECT_EQ(tab.print(), text);
	EXPECT_EQ(tab.entries().size(), 2u);
	ASSERT_EQ(tab.errors().size(), 2u);
	EXPECT_EQ(tab.errors()[0].device, "/etc/blkctltab line 4");
	EXPECT_EQ(tab.errors()[1].device, "/etc/blkctltab line 5");
	EXPECT_EQ(tab.find("data")->layers, (std::vector<Layer>{{0, "/a"}}));

	tab.put({.name = "data", .layers = {{1, "/a"}, {0, "/c"}}});
	tab.put({.name = "new", .device = "/dev/vdc"});
	tab.remove("other");
	EXPECT_EQ(tab.print(), "# volumes\n\ndata - 1=/a,/c\nbroken\ndata - /b\nnew /dev/vdc -\n");
	EXPECT_EQ(Tab::parse("a /x -").print(), "a /x -\n");
}

// One volume under two names would be there twice after a boot.
TEST(Tab, ARenameRenamesTheEntry)
{
	const std::string lv(64, 'L'), uuid(32, '0');
	auto tab = Tab::parse("# first\nold /dev/vda - lv=" + lv +
			      "\n# second\nv0 /dev/vdb - uuid=" + uuid + "\nother /dev/vdc -\n");
	tab.put({.name = "new", .device = "/dev/vdd", .lv = lv}, "old");
	tab.put({.name = "v9", .layers = {{0, "/meta"}}}, "v0");
	EXPECT_EQ(tab.print(), "# first\nnew /dev/vdd - lv=" + lv +
				       "\n# second\nv9 - /meta\nother /dev/vdc -\n");
	// What an earlier version has left of it.
	tab = Tab::parse("old /dev/vda - lv=" + lv + "\nnew /dev/vdb - lv=" + lv +
			 "\nv0 /dev/vdb - uuid=" + uuid + "\n");
	tab.put({.name = "new", .device = "/dev/vdd", .lv = lv});
	tab.put({.name = "v9", .device = "/dev/vdb", .uuid = uuid});
	EXPECT_EQ(tab.print(), "new /dev/vdd - lv=" + lv + "\nv9 /dev/vdb - uuid=" + uuid + "\n");
}
