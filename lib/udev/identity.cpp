// SPDX-License-Identifier: GPL-2.0-or-later
#include "udev/identity.hpp"
#include "base/unique_fd.hpp"
#include "udev/sysfs.hpp"
#include "udev/system.hpp"
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <libudev.h>
#include <memory>
#include <string_view>
#include <utility>

namespace blkctl::udev
{

namespace
{

constexpr std::string_view by_id = "/dev/disk/by-id/";
constexpr std::string_view by_path = "/dev/disk/by-path/";

// What is found by a path, and below which folder.
constexpr std::pair<std::string_view, std::string_view> linked_kinds[] = {
	{"id", by_id}, {"path", by_path}, {"partuuid", "/dev/disk/by-partuuid/"}, {"name", ""}};
constexpr std::string_view dm_kind = "dm";
constexpr std::string_view dm_name_kind = "dmname";

std::string_view kind_of(std::string_view identity)
{
	return identity.substr(0, std::min(identity.find(':'), identity.size()));
}

// The length of an identity in the superblock.
constexpr size_t most = 239;

struct Unref {
	void operator()(struct udev *udev) const { udev_unref(udev); }
	void operator()(struct udev_device *device) const { udev_device_unref(device); }
};

// Worse ones later: what a controller makes up, and what is a name of a name.
int rank(std::string_view id)
{
	if (id.starts_with("wwn-") || id.starts_with("nvme-eui.") || id.starts_with("nvme-uuid."))
		return 0;
	return id.starts_with("lvm-pv-uuid-") || id.starts_with("dm-name-") ? 2 : 1;
}

std::string best_link(const std::vector<std::string> &links)
{
	std::vector<std::string> ids;

	for (const auto &link : links)
		if (link.starts_with(by_id) && rank(link.substr(by_id.size())) < 2)
			ids.push_back(link.substr(by_id.size()));
	const auto best =
		std::min_element(ids.begin(), ids.end(), [](const auto &a, const auto &b) {
			return std::pair(rank(a), a) < std::pair(rank(b), b);
		});
	return best == ids.end() ? std::string() : *best;
}

// Where it is plugged in: of a disk without a serial number there is nothing better.
std::string path_link(const std::vector<std::string> &links)
{
	std::string best;

	for (const auto &link : links)
		if (link.starts_with(by_path) && (best.empty() || link < best))
			best = link;
	return best.empty() ? best : best.substr(by_path.size());
}

std::string file_behind(DevNo device)
{
	for (const auto &[loop, file] : sysfs::loops())
		if (loop == device)
			return file;
	return {};
}

Traits traits_of(DevNo device)
{
	const std::unique_ptr<struct udev, Unref> udev(udev_new());
	const std::unique_ptr<struct udev_device, Unref> found(
		udev ? udev_device_new_from_devnum(udev.get(), 'b', device.dev()) : nullptr);
	Traits traits{.dm_uuid = sysfs::dm_uuid(device),
		      .dm_name = sysfs::dm_name(device),
		      .loop_file = file_behind(device),
		      .kernel_name = sysfs::kernel_name(device)};

	if (!found)
		return traits;
	if (sysfs::whole_disk(device))
		if (const char *const uuid =
			    udev_device_get_property_value(found.get(), "ID_PART_ENTRY_UUID"))
			traits.partuuid = uuid;
	udev_list_entry *entry = nullptr;
	udev_list_entry_foreach(entry, udev_device_get_devlinks_list_entry(found.get()))
		traits.links.emplace_back(udev_list_entry_get_name(entry));
	return traits;
}

Error nobody(const std::string &identity)
{
	return {.status = Status::not_found,
		.what = "find",
		.device = identity,
		.why = "no device goes by this name"};
}

} // namespace

bool is_identity(std::string_view text)
{
	const auto kind = kind_of(text);
	const auto is_it = [&](const auto &linked) { return linked.first == kind; };

	return kind.size() < text.size() &&
	       (kind == dm_kind || kind == dm_name_kind ||
		std::any_of(std::begin(linked_kinds), std::end(linked_kinds), is_it));
}

std::string identity_of(const Traits &traits)
{
	if (!traits.dm_uuid.empty())
		return "dm:" + traits.dm_uuid;
	if (!traits.dm_name.empty())
		return "dmname:" + traits.dm_name;
	if (!traits.loop_file.empty())
		return "file:" + traits.loop_file;
	if (!traits.partuuid.empty())
		return "partuuid:" + traits.partuuid;
	if (const auto link = best_link(traits.links); !link.empty())
		return "id:" + link;
	const auto path = path_link(traits.links);
	return path.empty() ? "name:" + traits.kernel_name : "path:" + path;
}

Result<std::string> System::identity(DevNo device)
{
	if (!sysfs::exists(device))
		return Error{.status = Status::not_found,
			     .what = "find",
			     .device = device.str(),
			     .why = "no such block device"};
	auto identity = identity_of(traits_of(device));
	if (identity.size() > most)
		return Error{.what = "name",
			     .device = device.str(),
			     .why = "its name is too long: " + identity};
	return identity;
}

Result<DevNo> System::find_identity(const std::string &identity)
{
	const auto kind = kind_of(identity);
	const auto rest = identity.substr(std::min(kind.size() + 1, identity.size()));

	if (rest.empty())
		return nobody(identity);
	for (const auto &[linked, folder] : linked_kinds)
		if (kind == linked) {
			auto found = resolve(std::string(folder) + rest);
			return found ? found : nobody(identity);
		}
	if (kind == "file") {
		for (const auto &[loop, file] : sysfs::loops())
			if (file == rest)
				return loop;
	} else if (kind == dm_kind || kind == dm_name_kind) {
		const auto name_of = kind == dm_kind ? sysfs::dm_uuid : sysfs::dm_name;
		for (const auto device : sysfs::all())
			if (name_of(device) == rest)
				return device;
	}
	return nobody(identity);
}

std::vector<LoopDevice> System::loops()
{
	std::vector<LoopDevice> found;

	for (const auto &[devno, file] : sysfs::loops())
		found.push_back({devno, file});
	return found;
}

Result<std::vector<uint8_t>> System::read(DevNo device, uint64_t at, size_t count)
{
	BLKCTL_TRY(const auto block, describe(device));
	const UniqueFd fd(::open(block.path.c_str(), O_RDONLY | O_CLOEXEC));
	std::vector<uint8_t> bytes(count);

	if (!fd)
		return errno_error("open", block.path, errno);
	// The kernel's own writes go past the page cache.
	(void)posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
	for (size_t done = 0; done < count;) {
		const auto n = pread(fd.get(), bytes.data() + done, count - done,
				     static_cast<off_t>(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno_error("read", block.path, n < 0 ? errno : EIO);
		done += static_cast<size_t>(n);
	}
	return bytes;
}

UniqueFd System::hold(DevNo device)
{
	const auto block = describe(device);

	return UniqueFd(block ? ::open(block->path.c_str(), O_RDONLY | O_CLOEXEC) : -1);
}

} // namespace blkctl::udev
