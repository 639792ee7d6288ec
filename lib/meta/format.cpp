// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/format.hpp"
#include "base/paths.hpp"
#include "meta/writing.hpp"
#include <sys/stat.h>

namespace blkctl::meta
{

namespace
{

bool is_file(const std::string &path)
{
	struct stat st;

	return stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

Error occupied(const Device &device, std::string why)
{
	return {.status = Status::busy,
		.what = "format",
		.device = device.name(),
		.why = std::move(why),
		.next = "blkctl check " + device.name() +
			" to look; what overwrites it is blkctl " + "format " + device.name() +
			" --size SIZE --force, or blkctl restore --force"};
}

// A format that was killed has written its sectors, and no superblock yet.
bool is_ours(Device &device, uint64_t sector)
{
	Sector found = {};

	if (!device.read(sector, found))
		return false;
	for (const auto magic : {BLKCOPY_META_MAGIC_EXACT, BLKCOPY_META_MAGIC_INTENT})
		if (unseal(found, magic))
			return true;
	return false;
}

// Much of what a file may hold begins later than the superblocks end.
Result<void> check_file_blank(Device &device)
{
	BLKCTL_TRY(const auto at, first_content(device.name()));

	if (at && !is_ours(device, *at / sector_bytes))
		return occupied(device, "it is not blank");
	return {};
}

} // namespace

std::optional<std::string> describe_metadata(const Superblocks &found)
{
	for (const auto &copy : found.copies)
		if (copy)
			return "the metadata of the volume '" + copy->name + "' (" +
			       hex(copy->uuid) + ")";
	for (const auto &copy : found.copies)
		if (const auto damage = copy.error();
		    damage != Damage::io && damage != Damage::magic && damage != Damage::blank)
			return "metadata of blkctl; of its superblock, " +
			       std::string(describe(damage));
	return std::nullopt;
}

Result<void> check_room(Device &device, const Geometry &geometry)
{
	BLKCTL_TRY(const auto layout, layout_of(geometry));

	if (device.bytes() >= layout.bytes())
		return {};
	const auto bytes = std::to_string(layout.bytes());
	return Error{.status = Status::usage,
		     .what = "format",
		     .device = device.name(),
		     .why = "it is too small: it has " + std::to_string(device.bytes()) +
			    " bytes, and " + bytes + " are needed",
		     .next = is_file(device.name()) ? "truncate -s " + bytes + " " + device.name()
						    : std::string()};
}

Result<void> check_blank(Device &device, Overwrite overwrite)
{
	if (overwrite == Overwrite::force)
		return {};

	const auto found = read_superblocks(device);
	if (const auto ours = describe_metadata(found))
		return occupied(device, "it holds " + *ours);
	for (const auto &copy : found.copies) {
		const auto damage = copy.error();
		if (damage == Damage::io)
			return Error{.what = "format",
				     .device = device.name(),
				     .why = "its beginning cannot be read"};
		if (damage == Damage::magic)
			return occupied(device, "it is not blank");
	}
	return is_file(device.name()) ? check_file_blank(device) : Result<void>();
}

Result<void> check_slots(const Device &device, const Superblock &super)
{
	if (super.has_bitmaps() == (super.geometry.bitmap_slots != 0))
		return {};
	return Error{.status = Status::usage,
		     .what = "format",
		     .device = device.name(),
		     .why = super.has_bitmaps() ? "mode track needs room for a bitmap"
						: "there are bitmaps in mode track only"};
}

Result<void> format(Device &device, const Superblock &super, Overwrite overwrite, Before before)
{
	BLKCTL_TRY(const auto layout, layout_of(super.geometry));
	const BlockMap map(super.has_bitmaps() ? 0 : layout.blocks);
	const std::vector<Bitmap> bitmaps;
	auto first = super;

	BLKCTL_CHECK(check_slots(device, super));
	BLKCTL_CHECK(check_room(device, super.geometry));
	BLKCTL_CHECK(check_blank(device, overwrite));
	first.clean = true;
	first.base_stale = first.top_stale = first.base_mixed = first.unsealed = first.unordered =
		first.doubtful = false;
	return write_all(device, first,
			 super.has_bitmaps() ? saying_of(bitmaps, super) : saying_of(map),
			 SegmentMap(layout.segments), before);
}

} // namespace blkctl::meta
