// SPDX-License-Identifier: GPL-2.0-or-later
// What the host knows of a block device: size, relations, use, signatures. Probe is the seam
// that unit tests put recorded hosts behind; udev::System (system.hpp) is the real one.
#ifndef BLKCTL_UDEV_PROBE_HPP
#define BLKCTL_UDEV_PROBE_HPP

#include "base/devno.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace blkctl::udev
{

struct BlockDevice {
	DevNo devno = {};
	std::string kernel_name = {}; // "vda1", "dm-3"
	std::string path = {};        // how a person would name it: "/dev/vda1", "/dev/mapper/x"
	uint64_t sectors = 0;         // 512-byte sectors
	uint32_t logical_block = 512; // bytes
	bool read_only = false;
	bool write_cache = false;             // it has one, so flushes are passed on to it
	std::optional<DevNo> whole_disk = {}; // set for a partition
	std::vector<DevNo> partitions = {};
};

struct Signature {
	std::string type = {};  // as blkid names it: "ext4", "LVM2_member", "gpt"
	std::string usage = {}; // "filesystem", "raid", "crypto", "partition table", "other"
	std::string uuid = {};  // where there is one

	bool operator==(const Signature &) const = default;
};

// One use of a device that forbids to write to it behind the user's back.
struct Use {
	enum class Kind { mounted, swap, held, claimed } kind;
	std::string by = {}; // the mount point; the holder's name; empty for swap and claimed
	DevNo holder = {};   // for held
	DevNo device =
		{}; // the device in use: the one asked for, one of its partitions, or its disk
};

struct LoopDevice {
	DevNo devno = {};
	std::string file = {}; // that it shows
};

// "/dev/vdb1 is mounted on /srv".
std::string describe(const Use &use, const std::string &path);

// All calls: one thread; none writes to a device. None may be called while a device they look
// at is suspended: a prober would hang.
class Probe
{
      public:
	virtual ~Probe() = default;

	/*
	 * A block device from what a person types: a path or link to it (/dev/vdb, /dev/vg/lv,
	 * /dev/mapper/x, /dev/disk/by-*), "MAJ:MIN", or a kernel name ("dm-3").
	 * Errors: not_found.
	 */
	virtual Result<DevNo> resolve(std::string_view text) = 0;

	// Errors: not_found.
	virtual Result<BlockDevice> describe(DevNo device) = 0;

	/*
	 * Every use of a device: mounts and swap of it, holders (loop devices among them), and the
	 * same of its partitions and, for a partition, mounts, swap and holders of the whole disk.
	 * With nothing of that, a device that cannot be opened exclusively is `claimed`.
	 */
	virtual Result<std::vector<Use>> uses(DevNo device) = 0;

	// The first signature blkid finds: filesystem, RAID or crypto member, partition table.
	virtual Result<std::optional<Signature>> signature(DevNo device) = 0;

	/*
	 * The name by which a device is found again after a boot: "dm:UUID" or "dmname:NAME",
	 * "partuuid:UUID", "id:NAME" (of /dev/disk/by-id), "path:NAME" (of by-path), "file:PATH"
	 * (behind a loop device); for one that has no such name "name:vdb", which another may have
	 * next time. Errors: not_found.
	 */
	virtual Result<std::string> identity(DevNo device) = 0;

	// The device that goes by it now. Errors: not_found.
	virtual Result<DevNo> find_identity(const std::string &identity) = 0;

	// What a device is built on, a layer down: the devices that sysfs names (dm, md, bcache),
	// and of a loop device those of the filesystem that its file is on. Not the disk of a
	// partition.
	virtual std::vector<DevNo> built_on(DevNo device) = 0;

	/*
	 * The devices of the filesystem that a file is on, or will be once its folder is made;
	 * none, if it is on none of ours (tmpfs, NFS). What is behind overlayfs, FUSE or ZFS is not
	 * seen. Errors: failed, if it is on block devices and nothing tells on which.
	 */
	virtual Result<std::vector<DevNo>> devices_of(const std::string &file) = 0;

	// The loop devices that are set up.
	virtual std::vector<LoopDevice> loops() = 0;

	// Bytes of a device as the medium has them. Errors: failed.
	virtual Result<std::vector<uint8_t>> read(DevNo device, uint64_t at, size_t count) = 0;

	// As long as it is there the device is open, for reading: nobody removes it. Empty where it
	// cannot be opened.
	virtual UniqueFd hold(DevNo device) = 0;
};

} // namespace blkctl::udev

#endif
