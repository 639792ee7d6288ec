// SPDX-License-Identifier: GPL-2.0-or-later
// libnbd, loaded when it is needed: it brings 40 MB of TLS and XML with it, which a program that is
// in an initramfs, and starts anew for each command, had better not. Internal to the library.
#ifndef BLKCTL_TRANSPORT_LIBNBD_HPP
#define BLKCTL_TRANSPORT_LIBNBD_HPP

#include "base/error.hpp"
#include <libnbd.h>

namespace blkctl::transport
{

// Its functions that are used, by their names without nbd_ in front.
struct Libnbd {
	// Errors: failed, naming its package.
	static Result<Libnbd> load();

	decltype(&::nbd_create) create = nullptr;
	decltype(&::nbd_close) close = nullptr;
	decltype(&::nbd_get_errno) get_errno = nullptr;
	decltype(&::nbd_get_error) get_error = nullptr;
	decltype(&::nbd_set_export_name) set_export_name = nullptr;
	decltype(&::nbd_add_meta_context) add_meta_context = nullptr;
	decltype(&::nbd_connect_socket) connect_socket = nullptr;
	decltype(&::nbd_get_size) get_size = nullptr;
	decltype(&::nbd_can_zero) can_zero = nullptr;
	decltype(&::nbd_can_flush) can_flush = nullptr;
	decltype(&::nbd_can_meta_context) can_meta_context = nullptr;
	decltype(&::nbd_pread) pread = nullptr;
	decltype(&::nbd_pwrite) pwrite = nullptr;
	decltype(&::nbd_flush) flush = nullptr;
	decltype(&::nbd_block_status) block_status = nullptr;
	decltype(&::nbd_poll) poll = nullptr;
	decltype(&::nbd_aio_zero) aio_zero = nullptr;
	decltype(&::nbd_aio_in_flight) aio_in_flight = nullptr;
	decltype(&::nbd_aio_disconnect) aio_disconnect = nullptr;
	decltype(&::nbd_aio_is_dead) aio_is_dead = nullptr;
	decltype(&::nbd_aio_is_closed) aio_is_closed = nullptr;
};

} // namespace blkctl::transport

#endif
