// SPDX-License-Identifier: GPL-2.0-or-later
// What may be overwritten, and what not unless that is said; on a recorded host.
#include "base/paths.hpp"
#include "fake_host.hpp"
#include "job/apply.hpp"
#include "meta/format.hpp"
#include "tab/tab.hpp"
#include "udev/identity.hpp"
#include "volume/boot.hpp"
#include "volume/offline.hpp"
#include "volume/operations.hpp"
#include "volume/overlay.hpp"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::disk_a, fake::disk_b, fake::volume_number;

namespace
{

constexpr uint64_t disk_bytes = fake::disk_sectors * 512;

class Content : public testing::Test
{
      protected:
	std::string file(const std::string &name) { return host.run_dir + "/" + name; }

	// A file with a page of data somewhere behind its beginning, as an image of btrfs is.
	std::string image(const std::string &name, uint64_t at = 65536)
	{
		std::ofstream out(file(name), std::ios::binary);
		out.seekp(static_cast<std::streamoff>(at));
		out << std::string(4096, 'x');
		out.close();
		std::filesystem::resize_file(file(name), disk_bytes);
		return file(name);
	}
	// A device with something in it, as a loop device over a file.
	std::string device_over(const std::string &path)
	{
		return host.probe.describe(*host.loops.attach(path))->path;
	}
	std::string metadata_of(const std::string &name)
	{
		std::ofstream(file(name)).close();
		std::filesystem::resize_file(file(name), disk_bytes);
		const volume::Offline offline{.probe = host.probe, .open = host.context.open_meta};
		EXPECT_TRUE(format(
			offline, {.meta = file(name), .sectors = fake::disk_sectors, .name = name},
			volume::Run::doit));
		return file(name);
	}
	Result<Outcome> snapshot_to(const std::string &store, bool force = false)
	{
		return snapshot(host.context, {.name = "v0", .store = store, .force = force},
				volume::Run::doit);
	}
	static void refused(const Result<Outcome> &result, const std::string &words)
	{
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, Status::busy) << result.error().message();
		EXPECT_NE(result.error().message().find(words), std::string::npos)
			<< result.error().message();
	}

	fake::Host host;
};

} // namespace

TEST_F(Content, OfAFileIsFoundWhereverItIs)
{
	EXPECT_EQ(*first_content(image("late", 1 << 20)), std::optional<uint64_t>(1 << 20));
	std::ofstream(file("zeroes")) << std::string(100000, '\0');
	EXPECT_EQ(*first_content(file("zeroes")), std::nullopt);
	EXPECT_FALSE(first_content(file("nope")));
}

TEST_F(Content, OfAFileIsNotFormatted)
{
	const volume::Offline offline{.probe = host.probe, .open = host.context.open_meta};
	const FormatRequest request{.meta = image("image"), .sectors = fake::disk_sectors};
	refused(format(offline, request, volume::Run::doit), "not blank");

	// What a killed format has left is no content.
	const auto half = metadata_of("half");
	const auto device = *host.context.open_meta(half, meta::Access::write);
	ASSERT_TRUE(device->write(0, std::vector<uint8_t>(8192)));
	EXPECT_TRUE(
		format(offline, {.meta = half, .sectors = fake::disk_sectors}, volume::Run::doit));
}

TEST_F(Content, OfAFileIsNoStore)
{
	host.add_volume();
	const auto store = image("store");
	refused(snapshot_to(store), "holds something");
	EXPECT_TRUE(snapshot_to(store, true));
}

TEST_F(Content, MetadataIsContent)
{
	host.add_volume();
	const auto device = device_over(metadata_of("other"));
	refused(snapshot_to(device), "holds the metadata of the volume 'other'");
	refused(copy(host.context, {.name = "v0", .target = device}, volume::Run::doit),
		"holds the metadata of the volume 'other'");
	refused(create_from(host.context, {.name = "v1", .device = device, .base = "/dev/sdb"},
			    volume::Run::doit),
		"holds the metadata of the volume 'other'");
	EXPECT_TRUE(snapshot_to(device, true));
}

TEST_F(Content, MetadataIsNotRestoredOver)
{
	const auto device = device_over(metadata_of("other"));
	const auto restore = [&](bool force) {
		return job::apply(host.context,
				  {.image = image("image"), .device = device, .force = force}, {},
				  volume::Run::dry);
	};
	const auto plain = restore(false);
	ASSERT_FALSE(plain);
	EXPECT_EQ(plain.error().status, Status::busy);
	EXPECT_NE(plain.error().why.find("holds the metadata of the volume 'other'"),
		  std::string::npos);
	const auto forced = restore(true);
	EXPECT_TRUE(forced) << forced.error().message();
}

// The store of a snapshot that is not active has no signature.
TEST_F(Content, ALegOfAVolumeInTheTabIsContent)
{
	host.add_volume();
	ASSERT_TRUE(snapshot_to("/dev/sdb"));
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	const DevNo disk_d{8, 64};
	host.probe.add(disk_d, "/dev/sdd", fake::disk_sectors);
	ASSERT_TRUE(create(host.context, {.name = "v1", .device = "/dev/sdd"}, volume::Run::doit));
	const auto onto = [&](const std::string &target, bool force) {
		return copy(host.context, {.name = "v1", .target = target, .force = force},
			    volume::Run::doit);
	};
	refused(onto("/dev/sdb", false), "belongs to the volume 'v0'");
	// Whose it is comes first: the filesystem on it may be all of the volume.
	host.probe.signatures[disk_b] = {"ext4", "filesystem", ""};
	refused(onto("/dev/sdb", false), "belongs to the volume 'v0'");
	refused(snapshot(host.context,
			 {.name = "v1",
			  .store = file("store"),
			  .metadata = host.context.state_dir + "/v0.meta"},
			 volume::Run::doit),
		"belongs to the volume 'v0'");
	EXPECT_TRUE(onto("/dev/sdb", true));
}

// Alone it may be no image of anything: in the middle of a commit it is none.
TEST_F(Content, NoOtherVolumeIsMadeOfALegOfOneInTheTab)
{
	host.add_volume();
	ASSERT_TRUE(snapshot_to("/dev/sdb"));
	ASSERT_TRUE(commit(host.context, {.name = "v0"}, volume::Run::doit));
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	const DevNo disk_d{8, 64};
	host.probe.add(disk_d, "/dev/sdd", fake::disk_sectors);
	for (const char *leg : {"/dev/sda", "/dev/sdb"}) {
		refused(create(host.context, {.name = "v1", .device = leg}, volume::Run::doit),
			"belongs to the volume 'v0'");
		refused(create_from(host.context, {.name = "v1", .device = "/dev/sdd", .base = leg},
				    volume::Run::doit),
			"belongs to the volume 'v0'");
	}
}

// However it is named.
TEST_F(Content, AFileIsKnownByAnyPath)
{
	host.add_volume();
	std::filesystem::create_directory(file("real"));
	std::filesystem::create_symlink(file("real"), file("link"));
	ASSERT_TRUE(snapshot_to(file("link") + "//store"));
	const auto again = snapshot_to(file("link") + "/../real/store");
	ASSERT_TRUE(again) << again.error().message();
	EXPECT_TRUE(again->already);
	EXPECT_EQ(host.probe.loop_devices.size(), 2u);
}

// Set up over a device without a write cache, and not told of one since.
TEST_F(Content, FlushesOfWhatIsOnTopArrive)
{
	const DevNo above{254, 0};
	host.add_volume();
	host.probe.devices[volume_number].write_cache = true;
	host.probe.devices[volume_number].devno = volume_number;
	host.probe.add(above, "/dev/mapper/secret", fake::disk_sectors);
	host.probe.used[volume_number] = {{udev::Use::Kind::held, "secret", above, volume_number}};
	refused(snapshot_to("/dev/sdb"), "/dev/mapper/secret, which is on it, passes no flush on");
	host.probe.devices[above].write_cache = true;
	const auto made = snapshot_to("/dev/sdb");
	EXPECT_TRUE(made) << made.error().message();
}

// Or activate would bring back its base without what was written since.
TEST_F(Content, OfASnapshotThatIsNotForBootIsWrittenDownAllTheSame)
{
	ASSERT_TRUE(create(host.context, {.name = "v0", .device = "/dev/sda", .boot = true},
			   volume::Run::doit));
	ASSERT_TRUE(snapshot(host.context, {.name = "v0", .store = "/dev/sdb", .boot = false},
			     volume::Run::doit));
	const auto entry = *find_entry(host.context, "v0");
	ASSERT_TRUE(entry);
	EXPECT_TRUE(entry->noauto);
	ASSERT_TRUE(deactivate(host.context, "v0", volume::Run::doit));
	ASSERT_TRUE(activate(host.context, {.what = "v0"}, volume::Run::doit));
	EXPECT_TRUE(host.mapper.named("v0")->live.at(0).params.starts_with("overlay "));
}

TEST_F(Content, WaitsForSpaceAfterACommitAsWell)
{
	host.add_volume();
	const SnapshotRequest request{.name = "v0", .store = "/dev/sdb", .waits_for_space = true};
	ASSERT_TRUE(snapshot(host.context, request, volume::Run::doit));
	const auto before = *find_entry(host.context, "v0");
	ASSERT_TRUE(before && before->params.on_top_error == table::Policy::enospc);
	const auto again = entry_of(host.context, *find(host.context, "v0"), before);
	ASSERT_TRUE(again) << again.error().message();
	EXPECT_EQ(*again, *before);
}

// Or another disk would be written to after a boot.
TEST_F(Content, ANameThatDoesNotLastIsSaid)
{
	const CreateRequest request{.name = "v0", .device = "/dev/sda", .boot = true};
	const auto noted = create(host.context, request, volume::Run::dry);
	ASSERT_TRUE(noted);
	EXPECT_NE(noted->note.find("/dev/sda: written down by this name"), std::string::npos);
	host.probe.identities[disk_a] = "id:wwn-0x1";
	ASSERT_TRUE(create(host.context, request, volume::Run::doit));
	EXPECT_EQ(find_entry(host.context, "v0").value()->device, "id:wwn-0x1");
	const auto snapshot = snapshot_to("/dev/sdb");
	ASSERT_TRUE(snapshot) << snapshot.error().message();
	EXPECT_EQ(snapshot->note.find("/dev/sda"), std::string::npos);
	EXPECT_NE(snapshot->note.find("/dev/sdb: written down"), std::string::npos);
}

TEST(Identity, TheBestNameThatLasts)
{
	udev::Traits traits{
		.links = {"/dev/disk/by-path/pci-0000:00:05.0", "/dev/disk/by-id/dm-name-x"},
		.kernel_name = "vdb"};
	EXPECT_EQ(udev::identity_of(traits), "path:pci-0000:00:05.0");
	traits.links.emplace_back("/dev/disk/by-id/virtio-serial");
	EXPECT_EQ(udev::identity_of(traits), "id:virtio-serial");
	EXPECT_EQ(udev::identity_of({.dm_name = "x", .kernel_name = "dm-3"}), "dmname:x");
	EXPECT_EQ(udev::identity_of({.dm_uuid = "CRYPT-1", .dm_name = "x"}), "dm:CRYPT-1");
	EXPECT_EQ(udev::identity_of({.kernel_name = "vdb"}), "name:vdb");
}

TEST_F(Content, ComesBackAtBootOnceThatIsAskedFor)
{
	const auto make = [&](bool boot) {
		return create(host.context, {.name = "v0", .device = "/dev/sda", .boot = boot},
			      volume::Run::doit);
	};
	ASSERT_TRUE(make(false));
	EXPECT_FALSE(*find_entry(host.context, "v0"));
	ASSERT_TRUE(make(true));
	EXPECT_TRUE(*find_entry(host.context, "v0"));
	EXPECT_TRUE(make(true)->already);
}
