// SPDX-License-Identifier: GPL-2.0-or-later
// What a backup goes on from, on a recorded host: a bitmap that no backup is known of, and images
// that are not whole, make no incremental.
#include "backup_fixture.hpp"
#include "base/paths.hpp"
#include "job/apply.hpp"
#include "volume/bitmaps.hpp"
#include "volume/cache.hpp"
#include <utility>

using namespace blkctl;

namespace
{

constexpr const char *unknown = "no backup is known";

class BackupChain : public fake::Backup
{
      protected:
	volume::Context &context() { return host.context; }
	fake::Device &device() { return host.mapper.at(fake::volume_number); }
	std::string note() const { return host.context.state_dir + "/v0.b.note"; }

	BackupRequest into(const std::string &image) const
	{
		auto request = incremental();
		request.target = image;
		return request;
	}
	BackupRequest over(const std::string &name, const std::string &backing) const
	{
		auto request = into(host.run_dir + "/" + name);
		request.format = transport::Format::qcow2;
		request.backing = backing;
		return request;
	}
	Result<job::Applied> apply(const std::string &image)
	{
		return job::apply(context(), {.image = image, .device = "/dev/sdb"}, {},
				  volume::Run::dry);
	}
	void expect_not_finished(const std::string &image)
	{
		const auto refused = apply(image);
		ASSERT_FALSE(refused) << image;
		EXPECT_EQ(refused.error().status, Status::failed);
		EXPECT_NE(refused.error().why.find("not finished"), std::string::npos)
			<< refused.error().message();
	}
	void expect_moved_on(const std::string &image, const std::string &backing)
	{
		const auto refused = apply(image);
		ASSERT_FALSE(refused) << image;
		EXPECT_EQ(refused.error().status, Status::failed);
		EXPECT_NE(refused.error().why.find(backing + ", which has been written to since"),
			  std::string::npos)
			<< refused.error().message();
	}
	// An incremental of `image` that is left in the middle.
	void interrupt(const std::string &image)
	{
		auto request = into(image);
		request.force = true; // what is there, if it is a full one
		const auto left = cut_off(request);
		ASSERT_FALSE(left);
		EXPECT_EQ(left.error().status, Status::timed_out) << left.error().message();
	}
	void fail_always(const std::string &image)
	{
		const auto good = options.open_view;
		options.open_view =
			[](const std::string &path) -> Result<std::unique_ptr<transport::Image>> {
			return errno_error("read", path, EIO);
		};
		auto request = into(image);
		request.bitmap_mode = job::BitmapMode::always;
		const auto failed = run(request);
		ASSERT_FALSE(failed);
		EXPECT_EQ(failed.error().status, Status::failed) << failed.error().message();
		EXPECT_EQ(bitmap(), "recording 0");
		options.open_view = good;
	}
};

} // namespace

TEST_F(BackupChain, ABitmapThatNoBackupWasMadeWithMakesAFullOne)
{
	dirty();
	expect_full_by_force(incremental(), unknown);
	EXPECT_EQ(read_file(target), content);
	EXPECT_EQ(bitmap(), "recording 0");
	dirty();
	expect_incremental(incremental());
	expect_incremental(incremental());
}

TEST_F(BackupChain, AQcow2OverTheOneBeforeIsAFullOneToo)
{
	dirty();
	expect_full(over("1.qcow2", target), unknown);
	EXPECT_FALSE(transport::look_at_image(host.run_dir + "/1.qcow2")->backing);
	expect_incremental(over("2.qcow2", host.run_dir + "/1.qcow2"));
	EXPECT_TRUE(transport::look_at_image(host.run_dir + "/2.qcow2")->backing);
}

// What the bits begin anew with, or miss.
TEST_F(BackupChain, WhatIsDoneToABitmapByHand)
{
	using volume::Run;
	const auto b = [&](auto verb) { return verb(context(), "v0", "b", Run::doit); };

	ASSERT_TRUE(volume::bitmap_add(context(), "v0", "other", {}, Run::doit));
	have_backup();
	ASSERT_TRUE(b(volume::bitmap_freeze));
	ASSERT_TRUE(b(volume::bitmap_thaw));
	ASSERT_TRUE(volume::bitmap_merge(context(), "v0", "b", "other", Run::doit));
	ASSERT_TRUE(volume::bitmap_clear(context(), "v0", "other", Run::doit));
	ASSERT_TRUE(volume::bitmap_clear(context(), "v0", "b", Run::dry));
	expect_incremental(incremental());

	have_backup();
	ASSERT_TRUE(b(volume::bitmap_clear));
	expect_full_by_force(incremental(), unknown);
	// Somebody else copies what was frozen.
	have_backup();
	ASSERT_TRUE(b(volume::bitmap_freeze));
	ASSERT_TRUE(b(volume::bitmap_clear));
	expect_full_by_force(incremental(), unknown);
	// Writes between the two are not in it.
	have_backup();
	ASSERT_TRUE(volume::bitmap_enable(context(), "v0", "b", false, Run::doit));
	ASSERT_TRUE(volume::bitmap_enable(context(), "v0", "b", true, Run::doit));
	expect_full_by_force(incremental(), unknown);
	have_backup();
	ASSERT_TRUE(b(volume::bitmap_remove));
	EXPECT_FALSE(std::filesystem::exists(note()));
	ASSERT_TRUE(volume::bitmap_remove(context(), "v0", "other", Run::doit));
	ASSERT_TRUE(volume::bitmap_add(context(), "v0", "b", {}, Run::doit));
	expect_full_by_force(incremental(), unknown);
}

// It went with the device, and so the note of it was not taken away.
TEST_F(BackupChain, ABitmapThatIsAddedAgainBeginsAnew)
{
	have_backup();
	device().status.bitmaps.clear();
	ASSERT_TRUE(volume::bitmap_add(context(), "v0", "b", {}, volume::Run::doit));
	expect_full_by_force(incremental(), unknown);
}

TEST_F(BackupChain, ANoteIsOfOneBootAndOneVolume)
{
	have_backup();
	host.boot("second");
	expect_full_by_force(incremental(), unknown);
	have_backup();
	device().info.uuid = "BLKCTL-ffeeddccbbaa99887766554433221100-vol";
	expect_full_by_force(incremental(), unknown);
	have_backup();
	host.context.boot_id_file = host.run_dir + "/none";
	expect_full_by_force(incremental(), unknown);
}

// Bitmaps that are on a device come back after a boot, with all that is in them.
TEST_F(BackupChain, ANoteOfADurableBitmapHoldsAfterABoot)
{
	device().live[0].params = "track 8:0 0 - 0 8:32 128";
	have_backup();
	host.boot("second");
	expect_incremental(incremental());
}

// Its bits stay, and are more than what has changed since.
TEST_F(BackupChain, BitsThatAreNeverForgottenGoOnFromItAsWell)
{
	auto full = incremental();
	full.full = true;
	full.bitmap_mode = job::BitmapMode::never;
	ASSERT_TRUE(run(full));
	EXPECT_EQ(bitmap(), "recording 3");
	expect_incremental(incremental());
}

TEST_F(BackupChain, AFailedOneLeavesWhatItWentOnFrom)
{
	have_backup();
	const auto good = options.open_view;
	options.open_view =
		[](const std::string &path) -> Result<std::unique_ptr<transport::Image>> {
		return errno_error("read", path, EIO);
	};
	EXPECT_FALSE(run(incremental()));
	options.open_view = good;
	expect_incremental(incremental());
	// And what never had a backup has none by a failure.
	ASSERT_TRUE(volume::bitmap_clear(context(), "v0", "b", volume::Run::doit));
	interrupt(target);
	ASSERT_TRUE(volume::abort(context(), "v0", volume::Run::doit));
	expect_full_by_force(incremental(), unknown);
}

TEST_F(BackupChain, AnInterruptedOneGoesOnAsWhatItWas)
{
	have_backup();
	interrupt(target);
	const auto done = run(incremental());
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(done->volumes.at(0).resumed);
	EXPECT_FALSE(done->volumes.at(0).full);
	expect_incremental(incremental());
}

// What it does not copy cannot be read on its view, and that stays so.
TEST_F(BackupChain, AnInterruptedOneKeepsNoMoreThanItDid)
{
	have_backup();
	interrupt(target);
	auto whole = incremental();
	whole.whole_view = true;
	const auto refused = run(whole);
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::busy);
	EXPECT_NE(refused.error().why.find("without --whole-view"), std::string::npos)
		<< refused.error().why;
	ASSERT_TRUE(run(incremental()));

	dirty();
	ASSERT_FALSE(cut_off(whole));
	EXPECT_EQ(volume::backup_record(context(), device().info)->request,
		  target + " raw as is over \"\" bitmap \"b\" on-success, of v0");
	const auto done = run(whole);
	ASSERT_TRUE(done) << done.error().message();
	EXPECT_TRUE(done->volumes.at(0).resumed);
}

// Killed between the two: it has its name, and its end is still to come.
TEST_F(BackupChain, AFullOneThatWasKilledBeforeItsEndIsOneToGoOnFrom)
{
	auto full = incremental();
	full.full = true;
	ASSERT_FALSE(cut_off(full));
	auto record = *volume::backup_record(context(), device().info);
	record.copied = true;
	std::filesystem::rename(target + ".part", target);
	record.image = content_identity(target).value_or("");
	ASSERT_TRUE(volume::remember_backup(context(), device().info, record));
	ASSERT_TRUE(run(full));
	dirty();
	expect_incremental(incremental());
}

// Between the decision and the freeze.
TEST_F(BackupChain, ABitmapThatIsClearedJustNowMakesNoIncremental)
{
	have_backup();
	host.mapper.on_load = [&] { std::filesystem::remove(note()); };
	const auto refused = run(incremental());
	host.mapper.on_load = [] {};
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
	EXPECT_EQ(read_file(target), std::string(volume_bytes, 'x'));
	EXPECT_EQ(run(incremental()).error().status, Status::busy);
	ASSERT_TRUE(volume::abort(context(), "v0", volume::Run::doit));
	expect_full_by_force(incremental(), unknown);
}

TEST_F(BackupChain, WhatIsOverAnImageThatIsNotFinishedIsNotTaken)
{
	have_backup();
	const auto mon = host.run_dir + "/mon.qcow2";
	auto request = over("mon.qcow2", target);
	request.bitmap_mode = job::BitmapMode::never;
	expect_incremental(request);
	request = over("tue.qcow2", mon);
	request.bitmap_mode = job::BitmapMode::never;
	expect_incremental(request);
	ASSERT_TRUE(apply(host.run_dir + "/tue.qcow2"));
	device().status.bitmaps[0].dirty_blocks = 3;
	interrupt(target);
	expect_not_finished(mon);
	expect_not_finished(host.run_dir + "/tue.qcow2");
	ASSERT_TRUE(volume::abort(context(), "v0", volume::Run::doit));
	for (const auto &backing : {target, mon}) {
		const auto next = run(over("wed.qcow2", backing));
		ASSERT_FALSE(next);
		EXPECT_EQ(next.error().status, Status::failed);
		EXPECT_NE(next.error().why.find("not finished"), std::string::npos)
			<< next.error().message();
	}
	// It is brought up to date as before; what is over it then is not what it was.
	expect_incremental(incremental());
	EXPECT_TRUE(apply(target));
	expect_moved_on(mon, target);
	expect_moved_on(host.run_dir + "/tue.qcow2", target);
}

// Blocks of one instant over all those of another look like any image.
TEST_F(BackupChain, WhatIsOverAnImageThatHasMovedOnIsNotTaken)
{
	const auto mon = host.run_dir + "/mon.qcow2";
	const auto copied = host.run_dir + "/copied";

	have_backup();
	expect_incremental(over("mon.qcow2", target));
	EXPECT_FALSE(std::filesystem::exists(mon + ".part.over"));
	EXPECT_TRUE(apply(mon));
	// A copy with its times is as good, also where those have whole seconds only.
	const auto line = read_line(mon + ".over").value_or("");
	const auto then = std::filesystem::last_write_time(target);
	std::filesystem::rename(target, copied);
	std::filesystem::copy_file(copied, target);
	expect_moved_on(mon, target);
	std::filesystem::last_write_time(target, then);
	EXPECT_TRUE(apply(mon));
	std::filesystem::last_write_time(target, std::chrono::floor<std::chrono::seconds>(then));
	EXPECT_TRUE(apply(mon)) << line;

	// Another full one in its place; and of one without a note nothing is known.
	auto full = incremental();
	full.full = full.force = true;
	ASSERT_TRUE(run(full));
	change();
	expect_moved_on(mon, target);
	std::filesystem::remove(mon + ".over");
	EXPECT_TRUE(apply(mon));

	// Its note goes with an image that is over nothing.
	std::ofstream(mon + ".over") << line << "\n";
	expect_moved_on(mon, target);
	auto alone = incremental();
	alone.target = mon;
	alone.format = transport::Format::qcow2;
	alone.full = alone.force = true;
	ASSERT_TRUE(run(alone));
	EXPECT_FALSE(std::filesystem::exists(mon + ".over"));
	EXPECT_TRUE(apply(mon));
}

// A restore and a backup into what it reads, each beside the other.
TEST_F(BackupChain, ARestoreReadsOneInstant)
{
	const auto mon = host.run_dir + "/mon.qcow2";
	const auto disk = host.run_dir + "/disk";
	const auto good = options.open_view;
	const auto restore = [&](const std::string &image, const job::ApplyOptions &how) {
		return job::apply(context(), {.image = image, .device = disk, .force = true}, how,
				  volume::Run::doit);
	};
	std::ofstream(disk) << std::string(volume_bytes, 'd');
	host.probe.add({8, 200}, disk, volume_sectors);
	have_backup();
	auto request = over("mon.qcow2", target);
	request.bitmap_mode = job::BitmapMode::never;
	expect_incremental(request);

	// The backup is first: nothing is written down of it yet.
	int asked = 0;
	options.open_view = [&](const std::string &path) {
		for (const auto &image : {target, mon}) {
			const auto refused = restore(image, {});
			EXPECT_FALSE(refused);
			EXPECT_EQ(refused ? Status::ok : refused.error().status, Status::busy);
		}
		asked++;
		return good(path);
	};
	expect_incremental(into(target));
	EXPECT_EQ(asked, 1);
	EXPECT_EQ(read_file(disk), std::string(volume_bytes, 'd'));
	options.open_view = good;

	// The restore is.
	job::ApplyOptions how;
	how.cancelled = [&, done = false]() mutable {
		if (!std::exchange(done, true)) {
			change();
			const auto refused = run(into(target));
			EXPECT_FALSE(refused);
			EXPECT_EQ(refused ? Status::ok : refused.error().status, Status::busy);
			EXPECT_TRUE(restore(target, {})) << "two at once";
		}
		return false;
	};
	const auto restored = restore(target, how);
	EXPECT_TRUE(restored) << restored.error().message();
	EXPECT_EQ(read_file(disk), read_file(target));

	// Somebody else, who takes no lock.
	how.cancelled = [&] {
		std::fstream(target, std::ios::in | std::ios::out)
			<< std::string(volume_bytes, 'o');
		return false;
	};
	const auto torn = restore(target, how);
	ASSERT_FALSE(torn);
	EXPECT_EQ(torn.error().status, Status::failed);
	EXPECT_NE(torn.error().why.find("no one instant"), std::string::npos);
}

TEST_F(BackupChain, AnImageThatIsWrittenToMeanwhileIsNothingToBeOver)
{
	have_backup();
	options.cancelled = [&] {
		std::ofstream(target) << std::string(volume_bytes, 'o');
		return false;
	};
	const auto failed = run(over("mon.qcow2", target));
	ASSERT_FALSE(failed);
	EXPECT_NE(failed.error().why.find("meanwhile"), std::string::npos)
		<< failed.error().message();
	EXPECT_FALSE(std::filesystem::exists(host.run_dir + "/mon.qcow2"));
	EXPECT_FALSE(std::filesystem::exists(host.run_dir + "/mon.qcow2.part.over"));
}

TEST_F(BackupChain, ALinkToAnImageIsTheImage)
{
	const auto link = host.run_dir + "/latest";

	have_backup();
	std::filesystem::create_symlink(target, link);
	interrupt(link);
	EXPECT_TRUE(std::filesystem::exists(target + ".unfinished"));
	expect_not_finished(target);
	expect_not_finished(link);
	ASSERT_TRUE(run(into(link)));
	EXPECT_TRUE(apply(target));
}

// What was forgotten for one image is missing in all that are made with the bitmap.
TEST_F(BackupChain, WhatWasForgottenInPlaceIsNotOverIt)
{
	have_backup();
	fail_always(target);
	expect_full(over("mon.qcow2", target), "was forgotten");
	EXPECT_TRUE(apply(host.run_dir + "/mon.qcow2"));
	have_backup();
	std::ofstream(host.run_dir + "/copy") << std::string(volume_bytes, 'x');
	fail_always(target);
	expect_full_by_force(into(host.run_dir + "/copy"), "was forgotten");
}

// The bits are those since the last one: an older one would lack what that one got.
TEST_F(BackupChain, AnOlderImageIsBroughtUpByAFullOne)
{
	const auto old = host.run_dir + "/old";

	have_backup();
	std::filesystem::copy_file(target, old);
	expect_incremental(incremental());
	change();
	expect_full_by_force(into(old), "does not go on from " + old);
	EXPECT_EQ(read_file(old), content);
	change();
	expect_incremental(into(old));
	// Under its name, and not it.
	change();
	std::filesystem::rename(old, host.run_dir + "/moved");
	std::filesystem::copy_file(target, old);
	expect_incremental(into(host.run_dir + "/moved"));
	change();
	std::filesystem::rename(host.run_dir + "/moved", host.run_dir + "/away");
	std::filesystem::copy_file(target, host.run_dir + "/moved");
	expect_full_by_force(into(host.run_dir + "/moved"), "does not go on from");
}

// An older one was copied over it, or it was used.
TEST_F(BackupChain, AnImageThatWasWrittenToSinceIsBroughtUpByAFullOne)
{
	have_backup();
	std::ofstream(target) << std::string(volume_bytes, 'o');
	expect_full_by_force(incremental(), "does not go on from " + target);
	EXPECT_EQ(read_file(target), content);
	change();
	expect_incremental(incremental());
}

// It lacks nothing that it had, and the bits have it all again.
TEST_F(BackupChain, OneThatWasGivenUpInPlaceIsStillTheOneToGoOnFrom)
{
	have_backup();
	for (int again = 0; again < 2; again++) {
		interrupt(target);
		ASSERT_TRUE(volume::abort(context(), "v0", volume::Run::doit));
	}
	expect_incremental(incremental());
}

// A note beside it does not make it the image that it was of.
TEST_F(BackupChain, WhatIsInThePlaceOfOneThatWasGivenUpIsAnother)
{
	have_backup();
	interrupt(target);
	ASSERT_TRUE(volume::abort(context(), "v0", volume::Run::doit));
	std::filesystem::rename(target, host.run_dir + "/away");
	expect_refusal(incremental(), Status::not_found);
	std::ofstream(target) << std::string(volume_bytes, 'o');
	expect_full_by_force(incremental(), "does not go on from " + target);
	EXPECT_EQ(read_file(target), content);
}

// Nobody has written down what it left.
TEST_F(BackupChain, OneThatWasKilledInPlaceAndGivenUpIsBroughtUpByAFullOne)
{
	have_backup();
	int asked = 0;
	options.cancelled = [&asked] {
		if (++asked > 2)
			throw fake::Killed();
		return false;
	};
	EXPECT_THROW((void)run(incremental()), fake::Killed);
	options.cancelled = [] { return false; };
	ASSERT_TRUE(volume::abort(context(), "v0", volume::Run::doit));
	expect_full_by_force(incremental(), "does not go on from " + target);
	EXPECT_EQ(read_file(target), content);
	EXPECT_FALSE(std::filesystem::exists(target + ".unfinished"));
}

// It was its image before, and is as that backup has left it.
TEST_F(BackupChain, WhatIsLeftOfAnImageIsOverwrittenByAFullOne)
{
	const auto good = options.open_view;
	const auto fail_in_the_middle = [&] {
		options.open_view =
			[&](const std::string &path) -> Result<std::unique_ptr<transport::Image>> {
			std::ofstream(view_file) << content.substr(0, 4 * block_bytes);
			return good(path);
		};
		auto always = incremental();
		always.bitmap_mode = job::BitmapMode::always;
		EXPECT_FALSE(run(always));
		std::ofstream(view_file) << content;
		options.open_view = good;
		change();
	};

	have_backup();
	fail_in_the_middle();
	expect_not_finished(target);
	expect_full(incremental(), "was forgotten");
	EXPECT_EQ(read_file(target), content);
	change();
	fail_in_the_middle();
	std::filesystem::rename(target, host.run_dir + "/away");
	std::ofstream(target) << std::string(volume_bytes, 'o');
	expect_full_by_force(incremental(), "was forgotten");
}

// They lack what was forgotten, whether or not the bits of the next one are kept.
TEST_F(BackupChain, WhatWasForgottenIsInNoImageBefore)
{
	have_backup();
	const auto old = host.run_dir + "/old";
	std::filesystem::rename(target, old);
	fail_always(old);
	change();
	auto never = over("1.qcow2", old);
	never.bitmap_mode = job::BitmapMode::never;
	expect_full(never, "was forgotten");
	expect_full(over("2.qcow2", old), "does not go on from " + old);
}

TEST_F(BackupChain, ALayerOverAnOlderImageIsAFullOne)
{
	have_backup();
	expect_incremental(over("1.qcow2", target));
	change();
	expect_full(over("2.qcow2", target), "does not go on from " + target);
	EXPECT_FALSE(transport::look_at_image(host.run_dir + "/2.qcow2")->backing);
	change();
	expect_incremental(over("3.qcow2", host.run_dir + "/2.qcow2"));
	// One that is not there is a mistake, not a reason to copy all.
	change();
	const auto none = run(over("4.qcow2", host.run_dir + "/none.qcow2"));
	ASSERT_FALSE(none);
	EXPECT_NE(none.error().message().find("none.qcow2"), std::string::npos);
	// Nor is one that is no image, or of another size.
	std::ofstream(host.run_dir + "/text.qcow2") << "This is text.";
	EXPECT_FALSE(run(over("4.qcow2", host.run_dir + "/text.qcow2")));
	std::ofstream(host.run_dir + "/short.img") << std::string(4096, 'x');
	EXPECT_FALSE(run(over("4.qcow2", host.run_dir + "/short.img")));
	EXPECT_FALSE(std::filesystem::exists(host.run_dir + "/4.qcow2"));
}

// Each of them over the full one, or over another: the bits have it all.
TEST_F(BackupChain, BitsThatAreKeptGoOnFromEachSince)
{
	const auto keep = [](BackupRequest request) {
		request.bitmap_mode = job::BitmapMode::never;
		return request;
	};

	have_backup();
	expect_incremental(keep(over("1.qcow2", target)));
	expect_incremental(keep(over("2.qcow2", target)));
	expect_incremental(keep(over("3.qcow2", host.run_dir + "/1.qcow2")));
	expect_incremental(over("4.qcow2", target));
	change();
	expect_full(over("5.qcow2", target), "does not go on from");
}

TEST_F(BackupChain, BitsAreKeptIfItCannotBeNotedWhatGoesOnFromThem)
{
	have_backup();
	std::filesystem::remove(note());
	std::filesystem::create_directories(note() + "/in the way");
	std::string said;
	options.on_note = [&](const std::string &name, const std::string &note) {
		said += name + ": " + note + "; ";
	};
	auto forced = incremental();
	forced.force = true;
	ASSERT_TRUE(run(forced));
	EXPECT_NE(said.find(unknown), std::string::npos);
	EXPECT_NE(said.find("v0: its bitmap keeps its bits"), std::string::npos) << said;
	EXPECT_EQ(bitmap(), "recording 3");
}
