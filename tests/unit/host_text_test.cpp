// SPDX-License-Identifier: GPL-2.0-or-later
// Texts that the host gives us, as recorded.
#include "base/devno.hpp"
#include "base/error.hpp"
#include "dm/kernel_log.hpp"
#include "dm/mapper.hpp"
#include "udev/mounts.hpp"
#include <gtest/gtest.h>

using namespace blkctl;

TEST(Mounts, ParsesMountinfo)
{
	const auto mounts = udev::parse_mountinfo(
		"22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"
		"23 22 0:21 / /proc rw,nosuid - proc proc rw\n"
		"60 22 253:0 /sub /mnt/a\\040b\\134c rw shared:2 master:1 - xfs /dev/mapper/vg-lv "
		"rw\n"
		"61 22 0:44 / /srv rw - btrfs /dev/vdb rw,space_cache=v2\n"
		"garbage\n"
		"62 22 0:45 / /x rw\n");
	ASSERT_EQ(mounts.size(), 4u);
	EXPECT_EQ(mounts[0].devno, (DevNo{254, 1}));
	EXPECT_EQ(mounts[0].source, "/dev/vda1");
	EXPECT_EQ(mounts[0].point, "/");
	EXPECT_EQ(mounts[2].devno, (DevNo{253, 0}));
	EXPECT_EQ(mounts[2].point, "/mnt/a b\\c");
	EXPECT_EQ(mounts[3].source, "/dev/vdb");
	EXPECT_EQ(mounts[3].type, "btrfs");
	EXPECT_TRUE(udev::parse_mountinfo("").empty());
}

TEST(Mounts, AFileIsOnTheDeepestAndLatestOfThem)
{
	const auto mounts = udev::parse_mountinfo("22 1 0:20 / / rw - btrfs /dev/vda1 rw\n"
						  "23 22 0:21 / /srv rw - tmpfs none rw\n"
						  "24 22 0:22 / /srv rw - btrfs /dev/vdb rw\n"
						  "25 24 0:23 / /srv/a rw - nfs host:/x rw\n");
	const auto source = [&](const char *path) { return udev::mount_of(mounts, path)->source; };
	EXPECT_EQ(source("/"), "/dev/vda1");
	EXPECT_EQ(source("/srvx/file"), "/dev/vda1");
	EXPECT_EQ(source("/srv"), "/dev/vdb");
	EXPECT_EQ(source("/srv/b/c"), "/dev/vdb");
	EXPECT_EQ(source("/srv/a/c"), "host:/x");
	EXPECT_EQ(udev::mount_of({}, "/"), nullptr);

	const char *const types = "nodev\ttmpfs\nnodev\tfuse\n\tbtrfs\n\tfuseblk\n";
	EXPECT_TRUE(udev::is_on_devices(types, "btrfs"));
	EXPECT_TRUE(udev::is_on_devices(types, "fuseblk"));
	EXPECT_FALSE(udev::is_on_devices(types, "fuse.sshfs"));
	EXPECT_FALSE(udev::is_on_devices(types, "tmpfs"));
	EXPECT_FALSE(udev::is_on_devices(types, "unheard"));
}

TEST(Mounts, ParsesSwaps)
{
	EXPECT_EQ(udev::parse_swaps("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
				    "/dev/dm-1                               partition\t1\t0\t-2\n"
				    "/swap\\040file                          file\t1\t0\t-3\n"),
		  (std::vector<std::string>{"/dev/dm-1", "/swap file"}));
	EXPECT_TRUE(udev::parse_swaps("Filename Type\n").empty());
}

TEST(KernelLog, FindsTheReason)
{
	EXPECT_EQ(dm::reason_in_record(
			  "3,512,99,-;device-mapper: table: 253:0: blkcopy: Invalid block "
			  "size (-EINVAL)\n SUBSYSTEM=block\n"),
		  "Invalid block size (-EINVAL)");
	EXPECT_EQ(
		dm::reason_in_record("3,1,1,-;device-mapper: blkcopy: 253:0: a pivot is under way"),
		"253:0: a pivot is under way");
	EXPECT_EQ(dm::reason_in_record("6,1,1,-;EXT4-fs (dm-0): mounted"), "");
	EXPECT_EQ(dm::reason_in_record("no record"), "");
}

TEST(DevNo, ParsesStrictly)
{
	EXPECT_EQ(parse_devno("253:0"), (DevNo{253, 0}));
	EXPECT_EQ(parse_devno("4095:1048575"), (DevNo{4095, 1048575}));
	EXPECT_EQ(DevNo::from((DevNo{259, 300}).dev()), (DevNo{259, 300}));
	for (const char *text : {"", ":", "1", "1:", ":1", "4096:0", "1:1048576", "-1:0", "1:0 ",
				 " 1:0", "1:0:0", "a:b", "0x1:0", "99999999999:0"})
		EXPECT_FALSE(parse_devno(text)) << text;
}

TEST(Redacted, HidesKeysOnly)
{
	const auto params = [](const char *type, const char *text) {
		return dm::redacted({0, 8, type, text}).params;
	};
	EXPECT_EQ(params("crypt", "aes-xts-plain64 0011aaff 0 8:0 4096"),
		  "aes-xts-plain64 00000000 0 8:0 4096");
	EXPECT_EQ(params("crypt", "aes-xts-plain64 :64:logon:a:b 0 8:0 4096 1 allow_discards"),
		  "aes-xts-plain64 :64:logon:a:b 0 8:0 4096 1 allow_discards");
	EXPECT_EQ(params("crypt", "cipher_null-ecb - 0 8:0 0"), "cipher_null-ecb - 0 8:0 0");
	EXPECT_EQ(params("crypt", "aes"), "aes");
	EXPECT_EQ(params("crypt", "aes ff"), "aes 00");
	EXPECT_EQ(params("linear", "8:0 4096"), "8:0 4096");
}

TEST(Error, SaysWhatWhereWhyAndWhatNext)
{
	EXPECT_EQ((Error{.what = "copy", .device = "v0", .why = "no", .next = "blkctl list"}
			   .message()),
		  "copy v0: no (try: blkctl list)");
	EXPECT_EQ((Error{.why = "two\nlines"}.message()), "blkctl: two lines");
	EXPECT_EQ(Error{}.message(), "blkctl: failed");
	EXPECT_EQ(errno_error("open", "x", EBUSY).status, Status::busy);
	EXPECT_EQ(errno_error("open", "x", ENXIO).status, Status::not_found);
	EXPECT_EQ(errno_error("open", "x", EPERM).status, Status::failed);
}
