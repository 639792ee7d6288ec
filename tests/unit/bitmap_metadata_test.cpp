// SPDX-License-Identifier: GPL-2.0-or-later
// The metadata of a volume's bitmaps goes with the volume, whatever table that has: on a recorded
// host, with the metadata in a real file.
#include "base/files.hpp"
#include "fake_bitmaps.hpp"
#include "fake_host.hpp"
#include "meta/superblock.hpp"
#include "report/report.hpp"
#include "tab/tab.hpp"
#include "volume/operations.hpp"
#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_a;

namespace
{

class BitmapMetadata : public testing::Test
{
      protected:
	std::string file() { return host.context.state_dir + "/v0.bitmaps"; }
	std::string live() { return host.mapper.named("v0")->live.at(0).str(); }
	std::optional<tab::Entry> entry()
	{
		return tab::Tab::parse(read_file(host.context.tab_file).value_or("")).find("v0");
	}
	Result<Outcome> make()
	{
		return create(
			host.context,
			{.name = "v0", .device = "/dev/sda", .metadata = file(), .boot = true},
			volume::Run::doit);
	}
	// The loop device of the file, as a table names it.
	std::string device()
	{
		for (const auto &loop : host.probe.loop_devices)
			if (loop.file == file())
				return loop.devno.str();
		return "no loop device";
	}
	meta::Superblock super() { return kernel.super(); }
	std::string named() { return " 2 bitmaps " + device(); }
	void expect_named(const std::string &mode)
	{
		EXPECT_NE(live().find(" blkcopy " + mode + " "), std::string::npos) << live();
		EXPECT_TRUE(live().ends_with(named())) << live();
	}
	void finish(Result<Outcome> (*verb)(Context &, const MergeRequest &, volume::Run),
		    table::Phase phase)
	{
		ASSERT_TRUE(verb(host.context, {.name = "v0"}, volume::Run::doit));
		host.mapper.named("v0")->status.phase = phase;
		ASSERT_TRUE(verb(host.context, {.name = "v0"}, volume::Run::doit));
	}

	fake::Host host;
	fake::BitmapKernel kernel{host, file()};
};

} // namespace

// With it a volume is always in the tab, and comes back by itself only if that was asked for.
TEST_F(BitmapMetadata, ComesBackAtBootIfAskedTo)
{
	for (const bool boot : {false, true}) {
		fake::Host other;
		ASSERT_TRUE(create(other.context,
				   {.name = "v0",
				    .device = "/dev/sda",
				    .metadata = other.context.state_dir + "/bits",
				    .boot = boot},
				   volume::Run::doit));
		EXPECT_TRUE(tab::Tab::parse(*read_file(other.context.tab_file)).find("v0"));
		EXPECT_EQ(report::make_row(other.context, *find(other.context, "v0")).at_boot,
			  boot);
	}
}

TEST_F(BitmapMetadata, AVolumeThatIsThereHasWhatIsAskedFor)
{
	ASSERT_TRUE(make());
	CreateRequest request{.name = "v0", .device = "/dev/sda", .metadata = file(), .boot = true};
	EXPECT_TRUE(create(host.context, request, volume::Run::doit)->already);
	request.bitmaps = 64;
	EXPECT_EQ(create(host.context, request, volume::Run::doit).error().status, Status::busy);
	request.bitmaps = 16;
	request.segment_mib = 4;
	EXPECT_EQ(create(host.context, request, volume::Run::doit).error().status, Status::busy);
	request.segment_mib = 64;
	for (const bool boot : {false, true}) {
		request.boot = boot;
		const auto changed = create(host.context, request, volume::Run::doit);
		ASSERT_TRUE(changed) << changed.error().message();
		EXPECT_FALSE(changed->already);
		ASSERT_TRUE(entry());
		EXPECT_EQ(entry()->noauto, !boot);
		EXPECT_EQ(entry()->bitmaps, file());
		EXPECT_TRUE(create(host.context, request, volume::Run::doit)->already);
	}
}

TEST_F(BitmapMetadata, IsInEveryTable)
{
	const auto made = make();
	ASSERT_TRUE(made) << made.error().message();
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 " + device() + " 128");
	EXPECT_TRUE(make()->already);
	ASSERT_TRUE(entry());
	EXPECT_EQ(entry()->bitmaps, file());

	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, volume::Run::doit));
	expect_named("overlay");
	EXPECT_EQ(entry()->bitmaps, file());
	const auto deeper = host.context.state_dir + "/store";
	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = deeper}, volume::Run::doit));
	expect_named("overlay");
	const auto *layer = host.mapper.named("v0-blk1");
	ASSERT_TRUE(layer);
	EXPECT_EQ(layer->live.at(0).str().find("bitmaps"), std::string::npos);
	finish(commit, table::Phase::merged);
	expect_named("overlay");
	finish(commit, table::Phase::merged);
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 " + device() + " 128");
	EXPECT_EQ(entry()->bitmaps, file());

	ASSERT_TRUE(copy(host.context,
			 {.name = "v0", .target = "/dev/sdb", .sync_none = true, .pivot = true},
			 volume::Run::doit));
	EXPECT_NE(live().find(" bitmaps " + device()), std::string::npos) << live();
	ASSERT_TRUE(pivot(host.context, {.name = "v0"}, volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:16 0 - 0 " + device() + " 128");
	EXPECT_EQ(entry()->bitmaps, file());

	ASSERT_TRUE(view(host.context, {.name = "v0", .view = "see", .store = "/dev/sda"},
			 volume::Run::doit));
	expect_named("backup");
	ASSERT_TRUE(volume::remove(host.context, "see", volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:16 0 - 0 " + device() + " 128");

	ASSERT_TRUE(volume::remove(host.context, "v0", volume::Run::doit));
	EXPECT_FALSE(std::filesystem::exists(file()));
	EXPECT_TRUE(host.probe.loop_devices.empty());
	EXPECT_FALSE(entry());
}

// By its stamp, in one write: in between it is as if another tool had removed it.
TEST_F(BitmapMetadata, ComesBackSealed)
{
	ASSERT_TRUE(make());
	host.mapper.calls.clear();
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	EXPECT_FALSE(super().unsealed);
	EXPECT_TRUE(super().legs[0].stamp);
	EXPECT_TRUE(host.probe.loop_devices.empty());
	ASSERT_TRUE(activate(host.context, {.what = "v0"}, volume::Run::doit));
	EXPECT_EQ(live(), "0 131072 blkcopy track 8:0 0 - 0 " + device() + " 128");

	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, volume::Run::doit));
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	EXPECT_TRUE(host.probe.loop_devices.empty());
	ASSERT_TRUE(activate(host.context, {.what = "v0"}, volume::Run::doit));
	expect_named("overlay");
}

// Writes while it was away are in no bitmap: then none is believed.
TEST_F(BitmapMetadata, IsNotBelievedOnceItsVolumeWasWrittenToMeanwhile)
{
	ASSERT_TRUE(make());
	const auto down = [&] {
		host.mapper.calls.clear();
		const auto gone = deactivate(host.context, "v0", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
		EXPECT_EQ(gone->note, "");
		EXPECT_TRUE(super().legs[0].stamp);
		EXPECT_FALSE(super().unsealed);
	};
	const auto comes_back = [&](const std::string &word) {
		std::optional<bool> unsealed;
		const auto opens = host.mapper.on_switch;
		host.mapper.on_switch = [&](fake::Device &device) {
			unsealed = super().unsealed;
			opens(device);
		};
		const auto back = activate(host.context, {.what = "v0"}, volume::Run::doit);
		host.mapper.on_switch = opens;
		ASSERT_TRUE(back) << back.error().message();
		EXPECT_EQ(back->note.empty(), word.empty()) << back->note;
		EXPECT_NE(back->note.find(word), std::string::npos) << back->note;
		EXPECT_EQ(unsealed, !word.empty());
		EXPECT_FALSE(super().legs[0].stamp);
	};
	down();
	ASSERT_TRUE(activate(host.context, {.what = "v0"}, volume::Run::dry));
	EXPECT_TRUE(super().legs[0].stamp);
	comes_back("");
	host.probe.content[disk_a] = 3; // through the volume
	down();
	host.probe.bytes[disk_a][65600] = 1; // the superblock of btrfs
	comes_back("written to while it was not active");

	down();
	host.probe.unreadable = {disk_a};
	comes_back("could not be looked at");
	const auto gone = deactivate(host.context, "v0", volume::Run::doit);
	ASSERT_TRUE(gone) << gone.error().message();
	EXPECT_NE(gone->note.find("could not be looked at"), std::string::npos) << gone->note;
	EXPECT_TRUE(super().unsealed);
	EXPECT_FALSE(super().legs[0].stamp);
}

// Its metadata could not be written to, by the kernel: what is there is of an earlier time.
TEST_F(BitmapMetadata, ThatWasNotOpenOrNotClosedIsNotSealed)
{
	const auto refused_down = [&] {
		host.mapper.calls.clear();
		const auto gone = deactivate(host.context, "v0", volume::Run::doit);
		ASSERT_TRUE(gone) << gone.error().message();
		EXPECT_NE(gone->note.find("could be written"), std::string::npos) << gone->note;
		EXPECT_TRUE(super().unsealed);
		EXPECT_FALSE(super().legs[0].stamp);
	};
	ASSERT_TRUE(make());
	kernel.writes = false;
	refused_down();
	// It was unsealed before, and clean, and its bitmaps do not say so.
	ASSERT_TRUE(super().unsealed);
	kernel.change([](meta::Superblock &super) { super.clean = true; });
	ASSERT_TRUE(activate(host.context, {.what = "v0"}, volume::Run::doit));
	kernel.writes = true;
	const auto closes = host.mapper.on_remove;
	host.mapper.on_remove = [] {};
	refused_down();
	host.mapper.on_remove = closes;
}

// As a shutdown leaves what is in use, or another tool after a seal.
TEST_F(BitmapMetadata, WithoutAStampItIsBelieved)
{
	ASSERT_TRUE(make());
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	kernel.change([](meta::Superblock &written) { written.legs[0].stamp.reset(); });
	host.probe.content[disk_a] = 3;
	const auto back = activate(host.context, {.what = "v0"}, volume::Run::doit);
	ASSERT_TRUE(back) << back.error().message();
	EXPECT_EQ(back->note, "");
	EXPECT_FALSE(super().unsealed);
}

TEST_F(BitmapMetadata, AnActivationThatFailsLeavesTheStamp)
{
	ASSERT_TRUE(make());
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	const auto stamp = super().legs[0].stamp;
	for (const auto *call : {"create", "load", "resume"}) {
		host.mapper.fail = call;
		EXPECT_FALSE(activate(host.context, {.what = "v0"}, volume::Run::doit)) << call;
		EXPECT_EQ(super().legs[0].stamp, stamp) << call;
		EXPECT_FALSE(super().unsealed) << call;
	}
	host.mapper.fail.clear();
	ASSERT_TRUE(activate(host.context, {.what = "v0"}, volume::Run::doit));
}

// What it is over is not written to: that is refused, by its own metadata.
TEST_F(BitmapMetadata, AnOverlayHasItsOwnStamp)
{
	ASSERT_TRUE(make());
	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb"}, volume::Run::doit));
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	EXPECT_FALSE(super().legs[0].stamp);
	host.probe.content[disk_a] = 3;
	const auto back = activate(host.context, {.what = "v0"}, volume::Run::doit);
	ASSERT_FALSE(back);
	EXPECT_EQ(back.error().status, Status::needs_attention) << back.error().message();
}

TEST_F(BitmapMetadata, RefusesWhatIsNotItsOwn)
{
	ASSERT_TRUE(make());
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	host.mapper.calls.clear();
	const auto refuses = [&](Status status, const std::string &word) {
		const auto result = activate(host.context, {.what = "v0"}, volume::Run::doit);
		ASSERT_FALSE(result) << word;
		EXPECT_EQ(result.error().status, status) << result.error().message();
		EXPECT_NE(result.error().message().find(word), std::string::npos)
			<< result.error().message();
		EXPECT_TRUE(host.mapper.calls.empty()) << host.mapper.calls.front();
		EXPECT_TRUE(host.probe.loop_devices.empty());
	};
	const auto alone = activate(host.context, {.what = file()}, volume::Run::dry);
	EXPECT_TRUE(alone) << alone.error().message();
	std::filesystem::rename(file(), file() + ".kept");
	refuses(Status::not_found, "is not there");
	std::filesystem::rename(file() + ".kept", file());
	{
		const auto device = meta::open_device(file(), meta::Access::write);
		ASSERT_TRUE(device);
		auto super = meta::read_superblock(**device);
		ASSERT_TRUE(super);
		super->uuid[0] ^= 1;
		const auto again = meta::open_device(file(), meta::Access::write);
		ASSERT_TRUE(meta::update_superblock(**again, *super));
	}
	refuses(Status::needs_attention, "of another volume of this name");
	std::filesystem::remove(host.context.tab_file);
	const auto lost = activate(host.context, {.what = file()}, volume::Run::doit);
	ASSERT_FALSE(lost);
	EXPECT_EQ(lost.error().status, Status::not_found) << lost.error().message();
}

// Whatever a killed create has left, the same one again goes on from there.
TEST_F(BitmapMetadata, AKilledCreateGoesOn)
{
	for (int n = 0;; n++) {
		fake::Host fresh;
		const auto make_in = [&] {
			return create(fresh.context,
				      {.name = "v0",
				       .device = "/dev/sda",
				       .metadata = fresh.context.state_dir + "/v0.bitmaps",
				       .boot = true},
				      volume::Run::doit);
		};
		bool killed = false;
		fresh.mapper.kill_after = n;
		try {
			(void)make_in();
		} catch (const fake::Killed &) {
			killed = true;
		}
		fresh.mapper.kill_after = -1;
		const auto again = make_in();
		ASSERT_TRUE(again) << n << ": " << again.error().message();
		const auto *volume = fresh.mapper.named("v0");
		ASSERT_TRUE(volume);
		EXPECT_EQ(fresh.probe.loop_devices.size(), 1u) << n;
		EXPECT_TRUE(volume->live.at(0).str().ends_with(
			fresh.probe.loop_devices.at(0).devno.str() + " 128"))
			<< volume->live.at(0).str();
		if (!killed)
			break;
	}
}

// From the instant the source misses writes it is not what comes back at the next boot.
TEST_F(BitmapMetadata, APivotThatIsKilledLeavesNoStaleEntry)
{
	bool killed = true;

	for (int n = 0; killed; n++) {
		fake::Host fresh;
		const auto entry_of = [&] {
			return tab::Tab::parse(read_file(fresh.context.tab_file).value_or(""))
				.find("v0");
		};
		ASSERT_TRUE(create(fresh.context,
				   {.name = "v0",
				    .device = "/dev/sda",
				    .metadata = fresh.context.state_dir + "/v0.bitmaps",
				    .boot = true},
				   volume::Run::doit));
		ASSERT_TRUE(
			copy(fresh.context,
			     {.name = "v0", .target = "/dev/sdb", .sync_none = true, .pivot = true},
			     volume::Run::doit));
		fresh.mapper.kill_after = n;
		killed = false;
		try {
			(void)pivot(fresh.context, {.name = "v0"}, volume::Run::doit);
		} catch (const fake::Killed &) {
			killed = true;
		}
		fresh.mapper.kill_after = -1;
		const auto *volume = fresh.mapper.named("v0");
		if (volume->live.at(0).params.starts_with("track 8:16")) {
			EXPECT_EQ(entry_of()->device, "name:sdb") << n;
		}
		(void)pivot(fresh.context, {.name = "v0"}, volume::Run::doit);
		EXPECT_TRUE(volume->live.at(0).params.starts_with("track 8:16")) << n;
		EXPECT_EQ(entry_of()->device, "name:sdb") << n;
	}
}

TEST_F(BitmapMetadata, AnInactiveOneIsForgotten)
{
	ASSERT_TRUE(make());
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	const auto again =
		create(host.context, {.name = "v0", .device = "/dev/sda"}, volume::Run::doit);
	ASSERT_FALSE(again);
	EXPECT_EQ(again.error().status, Status::busy) << again.error().message();
	const auto dry = volume::remove(host.context, "v0", volume::Run::dry);
	ASSERT_TRUE(dry) << dry.error().message();
	EXPECT_TRUE(std::filesystem::exists(file()));
	ASSERT_TRUE(volume::remove(host.context, "v0", volume::Run::doit));
	EXPECT_FALSE(std::filesystem::exists(file()));
	EXPECT_FALSE(entry());
	EXPECT_EQ(volume::remove(host.context, "v0", volume::Run::doit).error().status,
		  Status::not_found);
}

TEST_F(BitmapMetadata, RefusesTheWrongPlace)
{
	ASSERT_TRUE(make());
	const auto other = create(
		host.context,
		{.name = "v0", .device = "/dev/sda", .metadata = host.context.state_dir + "/other"},
		volume::Run::doit);
	ASSERT_FALSE(other);
	EXPECT_EQ(other.error().status, Status::busy) << other.error().message();
	// The file behind the device itself.
	const auto image = host.context.state_dir + "/image";
	ASSERT_TRUE(host.context.loops.make(image, 64u << 20));
	host.probe.add({7, 9}, "/dev/loop9", 131072);
	host.probe.loop_devices.push_back({.devno = {7, 9}, .file = image});
	const auto itself =
		create(host.context, {.name = "v1", .device = "/dev/loop9", .metadata = image},
		       volume::Run::doit);
	ASSERT_FALSE(itself);
	EXPECT_EQ(itself.error().status, Status::usage) << itself.error().message();
}

TEST_F(BitmapMetadata, IsNotInARehearsal)
{
	ASSERT_TRUE(make());
	host.probe.add({8, 32}, "/dev/sdc", 131072);
	host.probe.add({8, 48}, "/dev/sdd", 131072);
	ASSERT_TRUE(create(host.context, {.name = "v1", .device = "/dev/sdc"}, volume::Run::doit));
	size_t with = 0, without = 0;
	host.mapper.on_switch = [&](fake::Device &device) {
		const bool names = device.live.at(0).params.find(" bitmaps ") != std::string::npos;
		(names ? with : without)++;
		EXPECT_EQ(names, device.info.name == "v0") << device.info.name;
	};
	const auto both = snapshot_all(
		host.context,
		{{.name = "v0", .store = "/dev/sdb"}, {.name = "v1", .store = "/dev/sdd"}},
		volume::Run::doit);
	ASSERT_TRUE(both) << both.error().message();
	EXPECT_EQ(with, 1u);
	EXPECT_EQ(without, 3u);
	expect_named("overlay");
}
