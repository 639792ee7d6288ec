// SPDX-License-Identifier: GPL-2.0-or-later
#include "udev/system.hpp"
#include "base/files.hpp"
#include "base/paths.hpp"
#include "base/unique_fd.hpp"
#include "udev/mounts.hpp"
#include "udev/sysfs.hpp"
#include <blkid/blkid.h>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <libudev.h>
#include <sys/stat.h>
#include <thread>

namespace blkctl::udev
{

namespace
{

// udev and others open a device exclusively for moments; that is not a use.
constexpr int claim_tries = 10;
constexpr auto claim_interval = std::chrono::milliseconds(100);

struct UdevUnref {
	void operator()(struct udev *context) const { udev_unref(context); }
	void operator()(struct udev_device *device) const { udev_device_unref(device); }
};

struct BlkidFree {
	void operator()(blkid_probe probe) const { blkid_free_probe(probe); }
};
using BlkidProbe = std::unique_ptr<std::remove_pointer_t<blkid_probe>, BlkidFree>;

std::optional<DevNo> devno_of_path(const std::string &path)
{
	struct stat st;

	if (stat(path.c_str(), &st) != 0 || !S_ISBLK(st.st_mode))
		return std::nullopt;
	return DevNo::from(st.st_rdev);
}

Error not_found(std::string device, std::string why)
{
	return {.status = Status::not_found,
		.what = "find",
		.device = std::move(device),
		.why = std::move(why),
		.next = "lsblk"};
}

std::string value_of(blkid_probe probe, const char *name)
{
	const char *value = nullptr;

	if (blkid_probe_lookup_value(probe, name, &value, nullptr) != 0 || !value)
		return {};
	return value;
}

} // namespace

struct System::Impl {
	std::unique_ptr<struct udev, UdevUnref> udev;

	std::string path_of(DevNo device) const;
	std::string node_of(DevNo device) const;
	void add_mounts(DevNo device, std::vector<Use> &uses) const;
	void add_swaps(DevNo device, std::vector<Use> &uses) const;
	void add_holders(DevNo device, std::vector<Use> &uses) const;
	bool claimed(DevNo device) const;
};

System::System(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
System::~System() = default;

Result<std::unique_ptr<System>> System::open()
{
	auto impl = std::make_unique<Impl>();

	impl->udev.reset(udev_new());
	if (!impl->udev)
		return errno_error("open", "libudev", errno);
	return std::unique_ptr<System>(new System(std::move(impl)));
}

// The node that udev or devtmpfs made: "/dev/dm-3".
std::string System::Impl::node_of(DevNo device) const
{
	const std::unique_ptr<struct udev_device, UdevUnref> found(
		udev_device_new_from_devnum(udev.get(), 'b', device.dev()));
	const char *node = found ? udev_device_get_devnode(found.get()) : nullptr;

	return node ? node : "/dev/" + sysfs::kernel_name(device);
}

std::string System::Impl::path_of(DevNo device) const
{
	const auto dm = sysfs::dm_name(device);

	return dm.empty() ? node_of(device) : "/dev/mapper/" + dm;
}

Result<DevNo> System::resolve(std::string_view text)
{
	const std::string name(text);

	if (const auto devno = parse_devno(text)) {
		if (sysfs::exists(*devno))
			return *devno;
		return not_found(name, "no such block device");
	}
	if (text.starts_with('/')) {
		struct stat st;
		if (stat(name.c_str(), &st) != 0)
			return not_found(name, "no such block device");
		if (!S_ISBLK(st.st_mode))
			return not_found(name, "not a block device");
		return DevNo::from(st.st_rdev);
	}
	if (const auto devno = sysfs::by_name(text))
		return *devno;
	return not_found(name, "no such block device");
}

Result<BlockDevice> System::describe(DevNo device)
{
	if (!sysfs::exists(device))
		return not_found(device.str(), "no such block device");

	BlockDevice found;
	found.devno = device;
	found.kernel_name = sysfs::kernel_name(device);
	found.path = impl_->path_of(device);
	found.sectors = sysfs::number(device, "size");
	found.read_only = sysfs::number(device, "ro") != 0;
	found.whole_disk = sysfs::whole_disk(device);
	found.partitions = sysfs::partitions(device);
	const auto queue_of = found.whole_disk.value_or(device);
	found.logical_block =
		static_cast<uint32_t>(sysfs::number(queue_of, "queue/logical_block_size"));
	found.write_cache = sysfs::has_write_cache(queue_of);
	return found;
}

void System::Impl::add_mounts(DevNo device, std::vector<Use> &uses) const
{
	const auto text = read_file("/proc/self/mountinfo");

	for (const auto &mount : parse_mountinfo(text.value_or(""))) {
		const bool same = mount.devno == device || (mount.source.starts_with('/') &&
							    devno_of_path(mount.source) == device);
		if (same)
			uses.push_back({Use::Kind::mounted, mount.point, {}, device});
	}
}

void System::Impl::add_swaps(DevNo device, std::vector<Use> &uses) const
{
	const auto text = read_file("/proc/swaps");

	for (const auto &path : parse_swaps(text.value_or("")))
		if (devno_of_path(path) == device)
			uses.push_back({Use::Kind::swap, {}, {}, device});
}

void System::Impl::add_holders(DevNo device, std::vector<Use> &uses) const
{
	for (const auto holder : sysfs::holders(device))
		uses.push_back({Use::Kind::held, path_of(holder), holder, device});
	// A loop device opens what is below it as any file: no holder shows, and nothing is
	// claimed.
	for (const auto &[loop, file] : sysfs::loops())
		if (devno_of_path(file) == device)
			uses.push_back({Use::Kind::held, path_of(loop), loop, device});
}

bool System::Impl::claimed(DevNo device) const
{
	const auto node = node_of(device);

	for (int i = 0; i < claim_tries; i++) {
		if (i)
			std::this_thread::sleep_for(claim_interval);
		const UniqueFd fd(::open(node.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
		if (fd || errno != EBUSY)
			return false;
	}
	return true;
}

Result<std::vector<Use>> System::uses(DevNo device)
{
	BLKCTL_TRY(const auto block, describe(device));
	std::vector<DevNo> family{device};
	std::vector<Use> uses;

	if (block.whole_disk)
		family.push_back(*block.whole_disk);
	family.insert(family.end(), block.partitions.begin(), block.partitions.end());
	for (const auto member : family) {
		impl_->add_mounts(member, uses);
		impl_->add_swaps(member, uses);
		impl_->add_holders(member, uses);
	}
	// Mounts of other namespaces, md, nbd servers, and whatever else holds it exclusively.
	if (uses.empty() && impl_->claimed(device))
		uses.push_back({Use::Kind::claimed, {}, {}, device});
	return uses;
}

std::vector<DevNo> System::built_on(DevNo device)
{
	auto found = sysfs::slaves(device);
	const auto file = sysfs::loop_file(device);

	if (file.empty())
		return found;
	if (const auto devices = devices_of(file))
		found.insert(found.end(), devices->begin(), devices->end());
	return found;
}

Result<std::vector<DevNo>> System::devices_of(const std::string &file)
{
	std::filesystem::path path = canonical_path(file);
	struct stat st = {};

	while (stat(path.c_str(), &st) != 0) {
		if (!path.has_relative_path())
			return errno_error("look at", file, errno);
		path = path.parent_path();
	}
	// A loop device may be of another device.
	if (S_ISBLK(st.st_mode))
		return std::vector<DevNo>{DevNo::from(st.st_rdev)};
	const auto own = DevNo::from(st.st_dev);
	if (own.major != 0)
		return std::vector<DevNo>{own};

	// It has made up a number of its own.
	const auto mounts = parse_mountinfo(read_file("/proc/self/mountinfo").value_or(""));
	const auto *const mount = mount_of(mounts, path.string());
	const auto source = mount && mount->source.starts_with('/') ? devno_of_path(mount->source)
								    : std::nullopt;
	if (source) {
		auto all = sysfs::btrfs_with(*source);
		return all.empty() ? std::vector<DevNo>{*source} : std::move(all);
	}
	const auto types = read_file("/proc/filesystems").value_or("");
	if (mount && !is_on_devices(types, mount->type))
		return std::vector<DevNo>();
	return Error{.what = "find the device of",
		     .device = file,
		     .why = mount ? "the " + mount->type + " at " + mount->point +
					    " is mounted from " + mount->source +
					    ", which is no device"
				  : "nothing tells what is mounted there",
		     .next = "findmnt --target " + path.string()};
}

Result<std::optional<Signature>> System::signature(DevNo device)
{
	const auto path = impl_->path_of(device);
	const UniqueFd fd(::open(impl_->node_of(device).c_str(), O_RDONLY | O_CLOEXEC));

	if (!fd)
		return errno_error("open", path, errno);
	const BlkidProbe probe(blkid_new_probe());
	if (!probe || blkid_probe_set_device(probe.get(), fd.get(), 0, 0) != 0)
		return Error{.what = "probe", .device = path, .why = "blkid cannot read it"};
	blkid_probe_enable_superblocks(probe.get(), 1);
	blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE |
							       BLKID_SUBLKS_UUID);
	blkid_probe_enable_partitions(probe.get(), 1);

	// Not the "safe" probe: that one shrugs at two signatures, and one is enough for us.
	const int answer = blkid_do_probe(probe.get());
	if (answer < 0)
		return Error{.what = "probe", .device = path, .why = "blkid cannot read it"};
	if (answer > 0)
		return std::optional<Signature>();

	Signature found{value_of(probe.get(), "TYPE"), value_of(probe.get(), "USAGE"),
			value_of(probe.get(), "UUID")};
	if (found.type.empty())
		found = {value_of(probe.get(), "PTTYPE"), "partition table",
			 value_of(probe.get(), "PTUUID")};
	return std::optional(std::move(found));
}

} // namespace blkctl::udev
