// SPDX-License-Identifier: GPL-2.0-or-later
// udev cookies whose makers are dead. Internal to the library.
#ifndef BLKCTL_DM_ORPHANS_HPP
#define BLKCTL_DM_ORPHANS_HPP

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace blkctl::dm
{

/*
 * Who makes a cookie first leaves a note in the folder that it is about to, and then writes the
 * cookie down in it; each is locked until the cookie is gone. The lock dies with its owner, so an
 * unlocked file names a cookie that nobody will remove.
 */

struct Note {
	UniqueFd lock;
	std::string path = {}; // to be removed with the cookie
};

// Errors: failed.
Result<Note> announce_cookie(const std::string &folder);

// The path changes. Errors: failed.
Result<void> record_cookie(const std::string &folder, Note &note, uint32_t cookie);

void sweep_orphans(const std::string &folder);

// From /proc/sysvipc/sem: a semaphore of libdevmapper's.
struct Semaphore {
	uint32_t cookie = 0;
	int id = -1;
};
std::vector<Semaphore> cookies_in(std::string_view sysvipc);

} // namespace blkctl::dm

#endif
