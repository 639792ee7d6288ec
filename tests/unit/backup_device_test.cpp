// SPDX-License-Identifier: GPL-2.0-or-later
// A backup on a device, on a recorded host: it is none any more once the device is used for
// something else, though its ends look as before.
#include "backup_fixture.hpp"
#include "job/apply.hpp"
#include <algorithm>
#include <functional>

using namespace blkctl;

namespace
{

// The target is a device. What is read to know it again is the same whatever is written to it.
class BackupDevice : public fake::Backup
{
      protected:
	static constexpr DevNo image_number{8, 200}, part_number{8, 201}, other_number{253, 40};

	BackupDevice()
	{
		std::ofstream(target) << std::string(volume_bytes, 'd');
		host.probe.add(image_number, target, volume_sectors);
		host.probe.add({8, 64}, "/dev/sde", volume_sectors);
		host.probe.add({8, 80}, "/dev/sdf", volume_sectors);
		host.mapper.add("v1", "BLKCTL-ffeeddccbbaa99887766554433221100-vol", other_number,
				{{0, volume_sectors, "blkcopy", "track 8:64 0 - 0 - 128"}});
	}

	volume::Context &context() { return host.context; }
	bool has_note() const
	{
		return std::filesystem::exists(host.context.state_dir + "/unfinished-name:image");
	}
	// `use`: of the device. It is free again after it.
	void expect_another(const std::function<Result<volume::Outcome>(volume::Run)> &use,
			    const std::function<Result<volume::Outcome>()> &end)
	{
		have_backup();
		ASSERT_TRUE(has_note());
		const auto plan = use(volume::Run::dry);
		ASSERT_TRUE(plan) << plan.error().message();
		EXPECT_TRUE(
			std::any_of(plan->steps.begin(), plan->steps.end(), [](const auto &step) {
				return step.find("forget which backup") != std::string::npos;
			}));
		EXPECT_TRUE(has_note());
		const auto used = use(volume::Run::doit);
		ASSERT_TRUE(used) << used.error().message();
		EXPECT_FALSE(has_note());
		const auto ended = end();
		ASSERT_TRUE(ended) << ended.error().message();
		expect_full_by_force(incremental(), "does not go on from " + target);
	}
};

} // namespace

TEST_F(BackupDevice, AnIncrementalGoesOnFromTheOneThatIsThere)
{
	have_backup();
	expect_incremental(incremental());
	change();
	expect_incremental(incremental());
	EXPECT_TRUE(has_note());
}

TEST_F(BackupDevice, WhatWasATargetOfACopyIsAnother)
{
	const auto end = [&] { return volume::abort(context(), "v1", volume::Run::doit); };

	expect_another(
		[&](volume::Run run) {
			return volume::copy(context(),
					    {.name = "v1", .target = target, .force = true}, run);
		},
		end);
	// And by its partition.
	host.probe.add(part_number, "/dev/sdg1", volume_sectors);
	host.probe.devices[part_number].whole_disk = image_number;
	expect_another(
		[&](volume::Run run) {
			return volume::copy(context(), {.name = "v1", .target = "/dev/sdg1"}, run);
		},
		end);
}

TEST_F(BackupDevice, WhatWasTheStoreOfAViewIsAnother)
{
	expect_another(
		[&](volume::Run run) {
			return volume::view(context(),
					    {.name = "v1", .view = "now", .store = target}, run);
		},
		[&] { return volume::remove(context(), "now", volume::Run::doit); });
}

TEST_F(BackupDevice, WhatAVolumeWasOnIsAnother)
{
	expect_another(
		[&](volume::Run run) {
			return volume::create(context(), {.name = "new", .device = target}, run);
		},
		[&] { return volume::remove(context(), "new", volume::Run::doit); });
}

TEST_F(BackupDevice, WhatIsUsedForMoreThanAWhileIsNone)
{
	have_backup();
	const auto taken = volume::snapshot(
		context(), {.name = "v1", .store = target, .boot = false}, volume::Run::doit);
	ASSERT_TRUE(taken) << taken.error().message();
	EXPECT_FALSE(has_note());
}

TEST_F(BackupDevice, WhatIsFilledOrRestoredToIsNone)
{
	have_backup();
	const auto restored =
		job::apply(context(), {.image = view_file, .device = target, .force = true}, {},
			   volume::Run::doit);
	ASSERT_TRUE(restored) << restored.error().message();
	EXPECT_FALSE(has_note());
	have_backup();
	ASSERT_TRUE(has_note());
	const auto filled = volume::create_from(
		context(), {.name = "new", .device = target, .base = "/dev/sdf", .boot = false},
		volume::Run::doit);
	ASSERT_TRUE(filled) << filled.error().message();
	EXPECT_FALSE(has_note());
}

// It is whole, and has to wait for the other to be.
TEST_F(BackupDevice, WhatIsTakenBeforeTheEndOfItsBackupIsAnother)
{
	const auto good = options.open_view;
	auto full = incremental();
	full.full = full.force = true;
	auto other = request();
	other.name = "v1";
	other.target = host.run_dir + "/other";
	other.store = "/dev/sdf";

	options.open_view = [&, asked = 0](const std::string &path) mutable {
		if (++asked == 2) {
			EXPECT_TRUE(volume::create(context(), {.name = "new", .device = target},
						   volume::Run::doit));
			EXPECT_TRUE(volume::remove(context(), "new", volume::Run::doit));
		}
		return good(path);
	};
	const auto done = job::backup(context(), {full, other}, options, volume::Run::doit);
	ASSERT_TRUE(done) << done.error().message();
	options.open_view = good;
	EXPECT_FALSE(has_note());
	change();
	expect_full_by_force(incremental(), "does not go on from " + target);
}
