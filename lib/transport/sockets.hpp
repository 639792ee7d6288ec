// SPDX-License-Identifier: GPL-2.0-or-later
// Unix sockets, for their owner alone. Internal to the library.
#ifndef BLKCTL_TRANSPORT_SOCKETS_HPP
#define BLKCTL_TRANSPORT_SOCKETS_HPP

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include <string>

namespace blkctl::transport
{

// Errors: usage (the path is too long for a socket), busy (something is there), failed.
Result<UniqueFd> listen_at(const std::string &path);
Result<UniqueFd> connect_to(const std::string &path);

// A socket that listens and one that is connected to it. It has no name, so nobody else comes, and
// nothing is left behind.
struct PrivateSocket {
	UniqueFd listener = {};
	UniqueFd connection = {};
};
// Made in a folder of its own below run_dir, which is gone when this returns. Errors: failed.
Result<PrivateSocket> private_socket(const std::string &run_dir);

} // namespace blkctl::transport

#endif
