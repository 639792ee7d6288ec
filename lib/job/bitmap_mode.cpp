// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/backup.hpp"

namespace blkctl::job
{

std::string_view word(BitmapMode mode)
{
	switch (mode) {
	case BitmapMode::on_success:
		return "on-success";
	case BitmapMode::never:
		return "never";
	case BitmapMode::always:
		break;
	}
	return "always";
}

std::optional<BitmapMode> bitmap_mode_from(std::string_view text)
{
	for (const auto mode : {BitmapMode::on_success, BitmapMode::never, BitmapMode::always})
		if (word(mode) == text)
			return mode;
	return std::nullopt;
}

} // namespace blkctl::job
