// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/random.hpp"
#include <cerrno>
#include <sys/random.h>

namespace blkctl
{

Result<std::string> random_hex()
{
	unsigned char bytes[16];
	std::string text;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return errno_error("make a UUID", "", errno);
	for (const auto byte : bytes) {
		text += "0123456789abcdef"[byte >> 4];
		text += "0123456789abcdef"[byte & 15];
	}
	return text;
}

} // namespace blkctl
