// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/use.hpp"

namespace blkctl::volume
{

Result<std::optional<udev::Use>> foreign_use(Context &context, DevNo device,
					     const std::optional<DevNo> &own)
{
	BLKCTL_TRY(const auto uses, context.probe.uses(device));

	for (const auto &use : uses)
		if (use.kind != udev::Use::Kind::held || use.holder != own)
			return std::optional(use);
	return std::optional<udev::Use>();
}

} // namespace blkctl::volume
