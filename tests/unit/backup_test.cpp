// SPDX-License-Identifier: GPL-2.0-or-later
// backup and restore on a recorded host: which bits are kept, what goes on, what is refused.
#include "backup_fixture.hpp"
#include "job/apply.hpp"
#include "volume/bitmaps.hpp"
#include "volume/cache.hpp"

using namespace blkctl;
using fake::Backup;

TEST_F(Backup, AFullOne)
{
	const auto plan = run(request(), volume::Run::dry);
	ASSERT_TRUE(plan) << plan.error().message();
	EXPECT_TRUE(host.mapper.calls.empty());
	EXPECT_FALSE(std::filesystem::exists(target));
	EXPECT_EQ(plan->volumes.at(0).bytes, volume_bytes);

	auto verified = request();
	verified.verify = true;
	const auto done = run(verified);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_EQ(read_file(target), content);
	EXPECT_EQ(done->volumes.at(0).zeros, volume_bytes / 4);
	EXPECT_TRUE(done->volumes.at(0).full);
	expect_plain();
	EXPECT_EQ(bitmap(), "recording 3");
	EXPECT_EQ(run(request()).error().status, Status::busy);
}

TEST_F(Backup, AnIncrementalCopiesWhatHasChanged)
{
	have_backup();
	const auto done = run(incremental());
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_EQ(done->volumes.at(0).bytes, 3 * block_bytes);
	auto expected = std::string(volume_bytes, 'x');
	for (const uint64_t block : {1, 2, 7})
		expected.replace(block * block_bytes, block_bytes, content, block * block_bytes,
				 block_bytes);
	EXPECT_EQ(read_file(target), expected);
	EXPECT_EQ(bitmap(), "recording 0");
	expect_plain();
}

TEST_F(Backup, WhatBecomesOfTheBits)
{
	have_backup();
	auto never = incremental();
	never.bitmap_mode = job::BitmapMode::never;
	ASSERT_TRUE(run(never));
	EXPECT_EQ(bitmap(), "recording 3");

	const auto good = options.open_view;
	options.open_view =
		[](const std::string &path) -> Result<std::unique_ptr<transport::Image>> {
		return errno_error("read", path, EIO);
	};
	const auto failed = run(incremental());
	ASSERT_FALSE(failed);
	EXPECT_EQ(failed.error().status, Status::failed);
	EXPECT_EQ(bitmap(), "recording 3");
	expect_plain();
	auto always = incremental();
	always.bitmap_mode = job::BitmapMode::always;
	EXPECT_FALSE(run(always));
	EXPECT_EQ(bitmap(), "recording 0");
	expect_plain();
	// What has changed since the backup before is in no bitmap any more.
	options.open_view = good;
	expect_full(incremental(), "was forgotten");
	EXPECT_EQ(read_file(target), content);
	EXPECT_FALSE(std::filesystem::exists(target + ".unfinished"));
	expect_incremental(incremental());
}

// What is there of a full one that was given up is no backup, whatever the bitmap goes on from.
TEST_F(Backup, WhatWasToBeAFullOneIsNotBroughtUpToDate)
{
	have_backup();
	std::ofstream(target + ".unfinished") << "full 1234\n";
	const auto next = run(incremental());
	ASSERT_FALSE(next);
	EXPECT_EQ(next.error().status, Status::busy);
	EXPECT_NE(next.error().why.find("was not finished"), std::string::npos);
	auto full = incremental();
	full.full = full.force = true;
	ASSERT_TRUE(run(full));
	EXPECT_TRUE(run(incremental()));
}

// No image has got it, and no bitmap has it any more.
TEST_F(Backup, WhatWasForgottenMakesAFullOne)
{
	const auto good = options.open_view;
	options.open_view =
		[](const std::string &path) -> Result<std::unique_ptr<transport::Image>> {
		return errno_error("read", path, EIO);
	};
	auto always = incremental();
	always.full = true;
	always.bitmap_mode = job::BitmapMode::always;
	EXPECT_FALSE(run(always));
	EXPECT_EQ(bitmap(), "recording 0");
	EXPECT_FALSE(std::filesystem::exists(target));
	options.open_view = good;

	std::ofstream(target) << std::string(volume_bytes, 'x');
	expect_full_by_force(incremental(), "was forgotten");
	EXPECT_EQ(read_file(target), content);
	const auto after = run(incremental());
	ASSERT_TRUE(after) << after.error().message();
	EXPECT_FALSE(after->volumes.at(0).full);
}

// Into the image that was there before: until it is whole that is none.
TEST_F(Backup, AnImageThatIsWrittenToInPlaceIsNotRestored)
{
	const auto apply = [&] {
		return job::apply(host.context, {.image = target, .device = "/dev/sdb"}, {},
				  volume::Run::dry);
	};
	have_backup();
	ASSERT_TRUE(apply());
	ASSERT_FALSE(cut_off(incremental()));
	const auto refused = apply();
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::failed);
	EXPECT_NE(refused.error().why.find("not finished"), std::string::npos);
	const auto done = run(incremental());
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(done->volumes.at(0).resumed);
	EXPECT_TRUE(apply());
	EXPECT_FALSE(std::filesystem::exists(target + ".unfinished"));
}

TEST_F(Backup, OneThatMayHaveMissedWritesIsAFullOne)
{
	have_backup();
	host.mapper.at(fake::volume_number).status.bitmaps[0].state = "inconsistent";
	const auto done = run(incremental());
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(done->volumes.at(0).full);
	EXPECT_NE(done->volumes.at(0).note.find("may have missed"), std::string::npos);
	EXPECT_EQ(read_file(target), content);
	EXPECT_EQ(bitmap(), "recording 0");

	// Of the bitmap's own image only.
	host.mapper.at(fake::volume_number).status.bitmaps[0].state = "inconsistent";
	std::filesystem::rename(target, host.run_dir + "/away");
	std::ofstream(target) << std::string(volume_bytes, 'o');
	expect_refusal(incremental(), Status::busy);
	EXPECT_EQ(read_file(target), std::string(volume_bytes, 'o'));
	expect_full_by_force(incremental(), "may have missed");
}

TEST_F(Backup, AnInterruptedOneGoesOn)
{
	auto full = incremental();
	full.full = true;
	const auto left = cut_off(full);
	ASSERT_FALSE(left);
	EXPECT_EQ(left.error().status, Status::timed_out);
	EXPECT_EQ(bitmap(), "frozen 3");
	EXPECT_EQ(run(request()).error().status, Status::busy);
	auto other = full;
	other.store = "/dev/sdc";
	EXPECT_NE(run(other).error().why.find("store"), std::string::npos);
	// Somebody has frozen it anew meanwhile, with more in it: that is in no backup.
	auto &now = host.mapper.at(fake::volume_number).status.bitmaps[0];
	now.dirty_blocks = 4;
	EXPECT_EQ(run(full).error().status, Status::busy);
	EXPECT_EQ(bitmap(), "frozen 4");
	now.dirty_blocks = 3;
	const auto done = run(full);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(done->volumes.at(0).resumed);
	EXPECT_LT(done->volumes.at(0).data, volume_bytes * 3 / 4);
	EXPECT_EQ(read_file(target), content);
	expect_plain();
	EXPECT_EQ(bitmap(), "recording 0");
}

// Said or not, it is the same. Its text is on disk, and another version goes on by it.
TEST_F(Backup, WithoutABitmapItIsAFullOne)
{
	EXPECT_FALSE(cut_off(request()));
	const auto &device = host.mapper.at(fake::volume_number);
	EXPECT_EQ(volume::backup_record(host.context, device.info)->request,
		  target + " raw as is over \"\" bitmap \"\" on-success, of v0");
	auto full = request();
	full.full = true;
	const auto done = run(full);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(done->volumes.at(0).resumed);
	EXPECT_TRUE(done->volumes.at(0).full);
	EXPECT_EQ(read_file(target), content);
	expect_plain();
}

// Only what it was written to is gone on with; the rest is no part of it.
TEST_F(Backup, AnotherFileIsNotGoneOnWith)
{
	auto full = incremental();
	full.full = true;
	EXPECT_FALSE(cut_off(full));
	EXPECT_FALSE(std::filesystem::exists(target));
	std::filesystem::rename(target + ".part", target + ".moved");
	EXPECT_EQ(run(full).error().status, Status::busy);
	EXPECT_EQ(bitmap(), "frozen 3");
	std::filesystem::rename(target + ".moved", target + ".part");
	const auto busy = volume::bitmap_thaw(host.context, "v0", "b", volume::Run::doit);
	ASSERT_FALSE(busy);
	EXPECT_EQ(busy.error().status, Status::busy);
	ASSERT_TRUE(run(full));
	EXPECT_EQ(read_file(target), content);
	EXPECT_FALSE(std::filesystem::exists(target + ".part"));
	EXPECT_EQ(bitmap(), "recording 0");
}

// Its name alone does not make it whole, nor does the very file with that name.
TEST_F(Backup, WhatWasNotAllWrittenIsNotTakenForTheWholeOne)
{
	auto full = incremental();
	full.full = true;
	EXPECT_FALSE(cut_off(full));
	std::filesystem::rename(target + ".part", target);
	const auto refused = run(full);
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
	EXPECT_EQ(bitmap(), "frozen 3");
	std::filesystem::rename(target, target + ".part");
	ASSERT_TRUE(run(full));
	EXPECT_EQ(read_file(target), content);
	EXPECT_EQ(bitmap(), "recording 0");
}

TEST_F(Backup, OneThatWasKilledAsItGotItsNameIsWhole)
{
	auto full = incremental();
	full.full = true;
	EXPECT_FALSE(cut_off(full));
	const auto &info = host.mapper.at(fake::volume_number).info;
	auto record = *volume::backup_record(host.context, info);
	record.renaming = true;
	ASSERT_TRUE(volume::remember_backup(host.context, info, record));
	std::filesystem::rename(target + ".part", target);
	// The same file, and somebody else's by now.
	std::ofstream(target) << "short";
	const auto refused = run(full);
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
	EXPECT_EQ(bitmap(), "frozen 3");
	std::ofstream(target) << content;
	const auto done = run(full);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(done->volumes.at(0).resumed);
	EXPECT_EQ(read_file(target), content);
	EXPECT_EQ(bitmap(), "recording 0");
	expect_plain();
}

// What it has written would be gone, and it could not go on.
TEST_F(Backup, ThePartOfAnotherVolumeStays)
{
	constexpr DevNo other_number{253, 40}, other_base{8, 64};

	host.probe.add(other_base, "/dev/sde", volume_sectors);
	host.probe.add({8, 80}, "/dev/sdf", volume_sectors);
	host.mapper.add("v1", "BLKCTL-ffeeddccbbaa99887766554433221100-vol", other_number,
			{{0, volume_sectors, "blkcopy", "track 8:64 0 - 0 - 128"}});
	auto full = incremental();
	full.full = true;
	EXPECT_FALSE(cut_off(full));
	auto other = request();
	other.name = "v1";
	other.store = "/dev/sdf";
	other.force = true;
	const auto refused = run(other);
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::busy);
	EXPECT_NE(refused.error().message().find("v0"), std::string::npos)
		<< refused.error().message();
	EXPECT_TRUE(std::filesystem::exists(target + ".part"));
	const auto done = run(full);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(done->volumes.at(0).resumed);
	EXPECT_EQ(read_file(target), content);
}

// The view of somebody else that came after it is not ended with it.
TEST_F(Backup, OneThatWasGivenUpMeanwhileEndsNothingElse)
{
	auto full = incremental();
	full.full = true;
	bool aborted = false;
	options.cancelled = [&] {
		if (!std::exchange(aborted, true)) {
			EXPECT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
			EXPECT_TRUE(volume::view(
				host.context,
				{.name = "v0", .view = "now", .store = "/dev/sdb", .bitmap = "b"},
				volume::Run::doit));
		}
		return false;
	};
	const auto given_up = run(full);
	ASSERT_FALSE(given_up);
	EXPECT_EQ(given_up.error().status, Status::aborted) << given_up.error().message();
	EXPECT_EQ(bitmap(), "frozen 3");
	EXPECT_NE(host.mapper.named("now"), nullptr);
	EXPECT_EQ(host.mapper.at(fake::volume_number).status.mode, table::Mode::backup);
}

TEST_F(Backup, AFailedFullOneIsNoBackupBeforeTheNext)
{
	auto full = incremental();
	full.full = true;
	const auto good = options.open_view;
	options.open_view =
		[&](const std::string &path) -> Result<std::unique_ptr<transport::Image>> {
		std::ofstream(view_file) << content.substr(0, volume_bytes / 2);
		return good(path);
	};
	EXPECT_FALSE(run(full));
	EXPECT_FALSE(std::filesystem::exists(target));
	EXPECT_FALSE(std::filesystem::exists(target + ".part"));
	options.open_view = good;
	expect_refusal(incremental(), Status::not_found);
}

TEST_F(Backup, NoTwoTargetsAreOne)
{
	auto same = request();
	same.target = "/dev/sdb"; // the store
	expect_refusal(same, Status::usage);
}

TEST_F(Backup, AbortGivesItUp)
{
	auto full = incremental();
	full.full = true;
	options.cancelled = [] { return true; };
	EXPECT_FALSE(run(full));
	EXPECT_EQ(bitmap(), "frozen 3");
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	EXPECT_EQ(bitmap(), "recording 3");
	expect_plain();
}

// Killed at any call, the same one finishes it, and the bits are forgotten only with a whole image.
TEST_F(Backup, AKilledOneIsFinished)
{
	std::string said;
	options.on_note = [&](const std::string &, const std::string &note) { said += note; };
	for (const bool after : {true, false})
		for (int n = 0;; n++) {
			host.mapper.calls.clear();
			std::filesystem::remove(target);
			host.mapper.at(fake::volume_number).status.bitmaps[0] = {"b", 3,
										 "recording"};
			auto full = incremental();
			full.full = true;
			(after ? host.mapper.kill_after : host.mapper.kill_before) = n;
			bool killed = false;
			try {
				const auto whole = run(full);
				EXPECT_TRUE(whole) << n << ": " << whole.error().message();
			} catch (const fake::Killed &) {
				killed = true;
			}
			host.mapper.kill_after = host.mapper.kill_before = -1;
			if (!killed) {
				EXPECT_GE(n, 8);
				break;
			}
			if (bitmap() == "recording 0") {
				EXPECT_EQ(read_file(target), content) << n;
			}
			full.force = true;
			const auto done = run(full);
			ASSERT_TRUE(done) << n << ": " << done.error().message();
			EXPECT_EQ(read_file(target), content) << n;
			EXPECT_EQ(said, "") << n;
			EXPECT_EQ(bitmap(), "recording 0") << n;
			expect_plain();
			change();
			expect_incremental(incremental());
		}
}

TEST_F(Backup, RefusesBadInput)
{
	auto bad = request();
	bad.backing = "/nowhere/image";
	expect_refusal(bad, Status::usage); // raw
	bad = incremental();
	expect_refusal(bad, Status::not_found); // no backup before it
	bad.format = transport::Format::qcow2;
	expect_refusal(bad, Status::usage); // over nothing
	bad = incremental();
	bad.bitmap = "other";
	expect_refusal(bad, Status::not_found);
	bad = request();
	bad.target = "relative";
	expect_refusal(bad, Status::not_found);
	bad.target = "/nowhere/image";
	expect_refusal(bad, Status::not_found);
	bad.target = "/dev/sda";
	expect_refusal(bad, Status::usage);
	std::ofstream(target) << "short";
	expect_refusal(request(), Status::busy);
	expect_refusal(incremental(), Status::usage);
	host.mapper.at(fake::volume_number).status.bitmaps[0].state = "disabled";
	expect_refusal(incremental(), Status::busy);
	host.mapper.at(fake::volume_number).status.bitmaps[0].state = "frozen";
	std::ofstream(target) << std::string(volume_bytes, 'x');
	bad = incremental();
	bad.force = true; // over what is at the target; the bitmap is somebody else's
	expect_refusal(bad, Status::busy);
}

// Nothing that an incremental was said to go on from: it is not overwritten by a full one.
TEST_F(Backup, ADeviceThatHoldsNoBackupIsNotOverwrittenByAFullOne)
{
	constexpr DevNo device{8, 64};
	auto onto = incremental();
	const auto expect = [&](const std::string &why) {
		expect_refusal(onto, Status::busy);
		const auto message = run(onto).error().message();
		EXPECT_NE(message.find(why), std::string::npos) << message;
		EXPECT_NE(message.find("no backup is known"), std::string::npos) << message;
	};

	host.probe.add(device, "/dev/sde", volume_sectors);
	onto.target = "/dev/sde";
	expect("no backup that was made with bitmap b");
	host.probe.signatures[device] = {.type = "ext4"};
	expect("ext4");
	// Not even if it looks like the volume.
	host.probe.signatures[fake::volume_number] = {.type = "ext4"};
	expect("ext4");
	std::ofstream(host.context.tab_file) << "v9 /dev/sde -\n";
	expect("v9");
	onto.force = true;
	EXPECT_TRUE(run(onto, volume::Run::dry));
}

// A volume is on it, or will be: --force is not for that.
TEST_F(Backup, AFileThatADeviceOrAVolumeIsMadeOfIsNoTarget)
{
	auto full = request();
	full.force = true;
	for (const auto &each : {target, target + ".part"}) {
		std::ofstream(each) << "a disk";
		host.probe.add({7, 9}, "/dev/loop9", volume_sectors);
		host.probe.loop_devices = {{{7, 9}, each}};
		expect_refusal(full, Status::busy);
		EXPECT_NE(run(full).error().message().find("/dev/loop9"), std::string::npos);
		// And by another name.
		const auto link = host.run_dir + "/link";
		std::filesystem::create_symlink(target, link);
		auto linked = full;
		linked.target = link;
		if (each == target)
			expect_refusal(linked, Status::busy);
		std::filesystem::remove(link);
		host.probe.loop_devices.clear();
		std::ofstream(host.context.tab_file) << "v9 /dev/sda - bitmaps=" << each << "\n";
		expect_refusal(full, Status::busy);
		EXPECT_NE(run(full).error().message().find("v9"), std::string::npos);
		EXPECT_EQ(read_file(each), "a disk");
		std::filesystem::remove(host.context.tab_file);
		std::filesystem::remove(each);
	}
	EXPECT_TRUE(run(full));
}

TEST_F(Backup, RestoreRefusesBadInput)
{
	const auto apply = [&](const std::string &device) {
		return job::apply(host.context, {.image = view_file, .device = device}, {},
				  volume::Run::dry);
	};
	ASSERT_TRUE(apply("/dev/sdb"));
	EXPECT_EQ(apply("/dev/nothing").error().status, Status::not_found);
	host.probe.add({8, 48}, "/dev/sdd", 8);
	EXPECT_EQ(apply("/dev/sdd").error().status, Status::usage);
	host.probe.signatures[fake::disk_b] = {.type = "ext4"};
	EXPECT_EQ(apply("/dev/sdb").error().status, Status::busy);
	host.probe.used[fake::disk_small] = {
		{udev::Use::Kind::mounted, "/srv", {}, fake::disk_small}};
	EXPECT_EQ(apply("/dev/sdc").error().status, Status::busy);
}

TEST_F(Backup, OfAVolumeThatIsNamedTwiceIsAMistake)
{
	auto other = request();
	other.target = host.run_dir + "/other.img";
	const auto twice =
		job::backup(host.context, {request(), other}, options, volume::Run::doit);
	ASSERT_FALSE(twice);
	EXPECT_EQ(twice.error().status, Status::usage);
	EXPECT_EQ(twice.error().why, "it is named twice");
}
