// SPDX-License-Identifier: GPL-2.0-or-later
// The verbs about metadata devices: what they refuse, and that they then write nothing.
#include "fake_host.hpp"
#include "memory_device.hpp"
#include "meta/dump.hpp"
#include "report/json_meta.hpp"
#include "volume/legs.hpp"
#include "volume/offline.hpp"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_a, fake::disk_b, fake::disk_sectors;

namespace
{

// Nothing if it cannot be dumped.
std::string text_of(const Offline &offline, const std::string &path)
{
	std::string text;
	const auto done = volume::dump(offline, path, [&](std::string_view piece) -> Result<void> {
		text += piece;
		return {};
	});
	return done ? text : std::string();
}

class OfflineTest : public testing::Test
{
      protected:
	OfflineTest() : path(host.run_dir + "/meta") { resize(100 * meta::sector_bytes); }

	void resize(uint64_t bytes)
	{
		std::ofstream(path, std::ios::app).flush();
		std::filesystem::resize_file(path, bytes);
	}
	std::string content()
	{
		std::ifstream file(path, std::ios::binary);
		return {std::istreambuf_iterator<char>(file), {}};
	}
	void spoil(uint64_t at)
	{
		std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
		file.seekp(static_cast<std::streamoff>(at));
		file.put('!');
	}
	FormatRequest request()
	{
		return {.meta = path, .base = "/dev/sda", .top = "/dev/sdb", .name = "data"};
	}

	template <class T>
	void expect_refusal(const Result<T> &result, Status status, const std::string &words)
	{
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, status) << result.error().message();
		EXPECT_NE(result.error().message().find(words), std::string::npos)
			<< result.error().message();
		EXPECT_NE(result.error().message().find(path), std::string::npos)
			<< result.error().message();
	}

	fake::Host host;
	Offline offline{.probe = host.probe};
	std::string path;
};

} // namespace

TEST_F(OfflineTest, FormatWritesTheLegsDown)
{
	host.probe.identities[disk_a] = "id:wwn-0x5";
	const auto empty = content();
	const auto plan = format(offline, request(), volume::Run::dry);
	ASSERT_TRUE(plan) << plan.error().message();
	EXPECT_EQ(content(), empty);
	EXPECT_EQ(plan->steps.at(0).substr(0, 50),
		  "write 20480 bytes of metadata for 1024 blocks to /");

	ASSERT_TRUE(format(offline, request(), volume::Run::doit));
	const auto checked = check(offline, {.meta = path, .base = "/dev/sda", .top = "/dev/sdb"});
	ASSERT_TRUE(checked) << checked.error().message();
	EXPECT_TRUE(checked->is_well());
	EXPECT_FALSE(checked->in_use);
	const auto &super = checked->contents.super;
	EXPECT_EQ(super.name, "data");
	EXPECT_EQ(super.geometry.sectors, disk_sectors);
	EXPECT_EQ(super.legs[0].identity, "id:wwn-0x5");
	EXPECT_EQ(super.legs[0].stamp, stamp_of(host.probe, disk_a, 0, disk_sectors).value());
	EXPECT_EQ(super.legs[1], (meta::Leg{.identity = "name:sdb", .sectors = disk_sectors}));
	expect_refusal(format(offline, request(), volume::Run::doit), Status::busy,
		       "the volume 'data'");
}

TEST_F(OfflineTest, FormatRefusesBadInput)
{
	const auto before = content();
	auto bad = request();
	bad.base = bad.top = "";
	expect_refusal(format(offline, bad, volume::Run::doit), Status::usage, "how large");
	bad.base = bad.top = "/dev/sda";
	expect_refusal(format(offline, bad, volume::Run::doit), Status::usage, "same device");
	bad = request();
	bad.sectors = disk_sectors + 1;
	const auto leg = format(offline, bad, volume::Run::doit);
	ASSERT_FALSE(leg);
	EXPECT_EQ(leg.error().message(),
		  "format /dev/sda: as base it is too small: 131072 sectors, "
		  "131073 are needed");
	bad = request();
	bad.sectors = 100;
	bad.segment_mib = 0;
	EXPECT_EQ(format(offline, bad, volume::Run::doit).error().status, Status::usage);
	EXPECT_EQ(content(), before);

	resize(8192);
	expect_refusal(format(offline, request(), volume::Run::doit), Status::usage,
		       "it has 8192 bytes, and 20480 are needed (try: truncate -s 20480 ");
	bad = request();
	bad.meta = path += "-not";
	expect_refusal(format(offline, bad, volume::Run::doit), Status::not_found, "No such file");
}

TEST_F(OfflineTest, WhatIsInUseIsNotWrittenTo)
{
	ASSERT_TRUE(format(offline, request(), volume::Run::doit));
	const auto text = text_of(offline, path);
	host.probe.loop_devices = {{{7, 0}, path}};
	host.probe.add({7, 0}, "/dev/loop0", 800);
	const auto before = content();
	auto forced = request();
	forced.force = true;
	expect_refusal(format(offline, forced, volume::Run::doit), Status::busy,
		       "/dev/loop0 shows it");
	expect_refusal(
		restore(offline, {.meta = path, .dump = text, .force = true}, volume::Run::doit),
		Status::busy, "in use");
	expect_refusal(repair(offline, path, meta::Older::pick, volume::Run::doit), Status::busy,
		       "in use");
	EXPECT_EQ(content(), before);
	EXPECT_TRUE(check(offline, {.meta = path})->in_use);
	EXPECT_FALSE(text_of(offline, path).empty());

	// A block device, held by a volume.
	host.mapper.add("v0", "", {253, 0}, {{0, 8, "blkcopy", "overlay 8:0 0 8:16 0 7:0 128"}});
	forced.meta = "/dev/loop0";
	const auto held = format(offline, forced, volume::Run::doit);
	ASSERT_FALSE(held);
	EXPECT_EQ(held.error().message(),
		  "format /dev/loop0: /dev/loop0 is held by /dev/mapper/v0 (try: blkctl list)");
}

TEST_F(OfflineTest, ASignatureIsNamed)
{
	host.probe.add({8, 48}, path, 800);
	host.probe.signatures[{8, 48}] = {"ext4", "filesystem"};
	const auto before = content();
	expect_refusal(format(offline, request(), volume::Run::doit), Status::busy, "ext4");
	EXPECT_EQ(content(), before);
	auto forced = request();
	forced.force = true;
	EXPECT_TRUE(format(offline, forced, volume::Run::doit));
}

TEST_F(OfflineTest, DamageIsNamedAndRepaired)
{
	ASSERT_TRUE(format(offline, request(), volume::Run::doit));
	const auto text = text_of(offline, path);
	spoil(4096 + 900);
	auto checked = check(offline, {.meta = path});
	ASSERT_TRUE(checked);
	EXPECT_FALSE(checked->is_well());
	EXPECT_NE(
		report::json_check(*checked).find(
			R"("place":"superblock","index":1,"slot":null,"damage":"crc","verdict":"spare")"),
		std::string::npos)
		<< report::json_check(*checked);
	auto repaired = repair(offline, path, meta::Older::never, volume::Run::doit);
	ASSERT_TRUE(repaired);
	EXPECT_FALSE(repaired->outcome.already);
	EXPECT_TRUE(check(offline, {.meta = path})->is_well());
	EXPECT_TRUE(repair(offline, path, meta::Older::never, volume::Run::doit)->outcome.already);

	spoil(3 * 4096 + 900);
	repaired = repair(offline, path, meta::Older::never, volume::Run::doit);
	ASSERT_TRUE(repaired);
	EXPECT_EQ(repaired->missing, (std::vector<meta::Range>{{0, 1024}}));
	EXPECT_NE(report::json_repair(*repaired, false).find(R"("unreadable_blocks":[{"first":0)"),
		  std::string::npos);
	expect_refusal(restore(offline, {.meta = path, .dump = text}, volume::Run::doit),
		       Status::busy, "the metadata of the volume 'data'");
	ASSERT_TRUE(
		restore(offline, {.meta = path, .dump = text, .force = true}, volume::Run::doit));
	EXPECT_EQ(text_of(offline, path), text);
	EXPECT_TRUE(check(offline, {.meta = path})->is_well());
}

TEST_F(OfflineTest, LegsThatAreNotTheOnesRecorded)
{
	ASSERT_TRUE(format(offline, request(), volume::Run::doit));
	const auto wrong = [&](const std::string &base, const std::string &top) {
		const auto checked = check(offline, {.meta = path, .base = base, .top = top});
		std::string text;
		for (const auto &error : checked->legs) {
			EXPECT_EQ(error.status, Status::needs_attention);
			EXPECT_FALSE(error.next.empty());
			auto said = error;
			said.next.clear();
			text += said.message() + "\n";
		}
		return text;
	};
	EXPECT_EQ(wrong("/dev/sda", "/dev/sdb"), "");
	EXPECT_EQ(wrong("/dev/sdb", "/dev/sda"),
		  "take as base of 'data' /dev/sdb: it is the top: the two are swapped\n"
		  "take as top of 'data' /dev/sda: it is the base: the two are swapped\n");
	EXPECT_EQ(wrong("/dev/sdc", ""), "take as base of 'data' /dev/sdc: it is name:sdc, and the "
					 "one recorded is name:sda\n");
	host.probe.devices[disk_b].sectors = 99;
	EXPECT_EQ(wrong("", "/dev/sdb"), "take as top of 'data' /dev/sdb: it is too small: it has "
					 "99 sectors, and 131072 are needed\n");
	host.probe.content[disk_a] = 1;
	EXPECT_EQ(wrong("/dev/sda", ""), "take as base of 'data' /dev/sda: it has changed behind "
					 "the volume's back: it was written to\n");
	host.probe.devices[disk_a].sectors++;
	EXPECT_EQ(
		wrong("/dev/sda", ""),
		"take as base of 'data' /dev/sda: it has changed behind the volume's back: it has "
		"131073 sectors, and had 131072\n");
}

TEST_F(OfflineTest, RoomForBitmaps)
{
	auto track = request();
	track.mode = meta::Mode::track;
	expect_refusal(format(offline, track, volume::Run::doit), Status::usage, "has no top");
	track.top = "";
	track.bitmaps = 0;
	expect_refusal(format(offline, track, volume::Run::doit), Status::usage, "room");
	track.bitmaps.reset();
	// 64 of two sectors, twice.
	expect_refusal(format(offline, track, volume::Run::doit), Status::usage,
		       "and 1060864 are needed");
	auto overlay = request();
	overlay.bitmaps = 4;
	expect_refusal(format(offline, overlay, volume::Run::doit), Status::usage,
		       "in mode track only");
	track.bitmaps = 4;
	const auto made = format(offline, track, volume::Run::doit);
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(made->steps.at(0).substr(0, 73),
		  "write 77824 bytes of metadata with room for 4 bitmaps of 1024 blocks to /");

	const auto checked = check(offline, {.meta = path, .base = "/dev/sda"});
	ASSERT_TRUE(checked);
	EXPECT_TRUE(checked->is_well());
	// It is written to, so what is on it now says nothing later.
	EXPECT_EQ(checked->contents.super.legs[0].stamp, std::nullopt);
	const auto text = text_of(offline, path);
	EXPECT_NE(text.find("\"bitmap_slots\":4,\"mode\":\"track\""), std::string::npos) << text;
	ASSERT_TRUE(
		restore(offline, {.meta = path, .dump = text, .force = true}, volume::Run::doit));
	EXPECT_EQ(text_of(offline, path), text);
	EXPECT_NE(report::json_check(*checked).find(
			  R"("unsealed":false,"bitmap_slots":4,"bitmaps":[],"lost_bitmaps":[])"),
		  std::string::npos)
		<< report::json_check(*checked);
}

TEST_F(OfflineTest, BitmapsThatAreDamaged)
{
	auto track = request();
	track.mode = meta::Mode::track;
	track.top = "";
	track.bitmaps = 4;
	ASSERT_TRUE(format(offline, track, volume::Run::doit));
	auto text = text_of(offline, path);
	const std::string none = "\"bitmaps\":[]";
	text.replace(text.find(none), none.size(),
		     R"("bitmaps":[{"name":"one","granule_sectors":128,"recording":true,)"
		     R"("inconsistent":false,"changed":[{"first":7,"count":2}]},)"
		     R"({"name":"two","granule_sectors":128,"recording":false,)"
		     R"("inconsistent":false,"changed":[]}])");
	const auto restored =
		restore(offline, {.meta = path, .dump = text, .force = true}, volume::Run::doit);
	ASSERT_TRUE(restored);
	// They are of another time, and stay inconsistent from one dump to the next.
	EXPECT_NE(restored->note.find("inconsistent"), std::string::npos) << restored->note;
	const std::string sealed = "\"unsealed\":false";
	text.replace(text.find(sealed), sealed.size(), "\"unsealed\":true");
	EXPECT_EQ(text_of(offline, path), text);
	const auto again =
		restore(offline, {.meta = path, .dump = text, .force = true}, volume::Run::doit);
	ASSERT_TRUE(again);
	EXPECT_EQ(again->note, "");
	EXPECT_EQ(text_of(offline, path), text);
	auto json = report::json_check(*check(offline, {.meta = path}));
	EXPECT_NE(json.find(R"({"name":"one","slot":0,"granule_sectors":128,"recording":true,)"
			    R"("inconsistent":true,"granules":1024,"changed":2,)"
			    R"("unreadable_granules":[]})"),
		  std::string::npos)
		<< json;

	spoil(5 * 4096 + 900); // the bits of 'one'
	spoil(7 * 4096 + 900); // the record of 'two'
	json = report::json_check(*check(offline, {.meta = path}));
	EXPECT_NE(json.find(R"("changed":1024,"unreadable_granules":[{"first":0,"count":1024}]}],)"
			    R"("lost_bitmaps":[1])"),
		  std::string::npos)
		<< json;
	const auto repaired = repair(offline, path, meta::Older::never, volume::Run::doit);
	ASSERT_TRUE(repaired);
	json = report::json_repair(*repaired, false);
	EXPECT_NE(json.find(R"("changed_bitmaps":[{"name":"one","granules":[{"first":0,)"
			    R"("count":1024}]}],"inconsistent_bitmaps":[],"lost_bitmaps":[1])"),
		  std::string::npos)
		<< json;
	const auto after = check(offline, {.meta = path});
	EXPECT_EQ(after->contents.bitmaps.at(0).changes.count(), 1024u);
	EXPECT_TRUE(after->contents.bitmaps[0].unreadable.empty());
	EXPECT_EQ(after->contents.lost_bitmaps, (std::vector<uint32_t>{1}));
}
