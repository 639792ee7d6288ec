// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_host.hpp"
#include "uapi/blkcopy.h"

namespace blkctl::fake
{

Result<std::vector<lvm::LogicalVolume>> Lvm::list()
{
	if (fails)
		return Error{.what = "run", .device = "lvm", .why = "refused by the test"};
	return lvs;
}

Result<void> Lvm::set_skipped(const lvm::LogicalVolume &lv, bool skipped)
{
	return mapper->change(skipped ? "skip" : "unskip", lv.path(), [&]() -> Result<void> {
		for (auto &each : lvs)
			if (each.id == lv.id)
				each.is_skipped = skipped;
		return {};
	});
}

Device &Host::add_lv()
{
	const std::string id(64, 'L');

	probe.add(disk_pv, "/dev/sdd", disk_sectors + 4096);
	probe.signatures[disk_pv] = {.type = "LVM2_member", .usage = "raid", .uuid = {}};
	probe.used[disk_pv] = {{.kind = udev::Use::Kind::held,
				.by = "vg-other",
				.holder = {253, 99},
				.device = disk_pv}};
	lvm.lvs = {{.id = id,
		    .group = "vg",
		    .name = "lv",
		    .mapper_name = "vg-lv",
		    .segments = {{.type = "linear",
				  .sectors = disk_sectors,
				  .stripes = {{"/dev/sdd", 2048}}}}}};
	return mapper.add("vg-lv", "LVM-" + id, {253, 7},
			  {{0, disk_sectors, BLKCOPY_TARGET, "track 8:48 2048 - 0 - 128"}});
}

} // namespace blkctl::fake
