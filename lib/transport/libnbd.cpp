// SPDX-License-Identifier: GPL-2.0-or-later
#include "transport/libnbd.hpp"
#include <dlfcn.h>

namespace blkctl::transport
{

namespace
{

constexpr const char *library_name = "libnbd.so.0";

template <class Function> bool look_up(void *library, const char *name, Function &function)
{
	function = reinterpret_cast<Function>(dlsym(library, name));
	return function != nullptr;
}

} // namespace

Result<Libnbd> Libnbd::load()
{
	Libnbd nbd;

	// Never unloaded: what it has started of its own may outlive the last call.
	void *const library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!library)
		return Error{.what = "load",
			     .device = library_name,
			     .why = "there is no such library",
			     .next = "apt install libnbd0"};
	const bool all = look_up(library, "nbd_create", nbd.create) &&
			 look_up(library, "nbd_close", nbd.close) &&
			 look_up(library, "nbd_get_errno", nbd.get_errno) &&
			 look_up(library, "nbd_get_error", nbd.get_error) &&
			 look_up(library, "nbd_set_export_name", nbd.set_export_name) &&
			 look_up(library, "nbd_add_meta_context", nbd.add_meta_context) &&
			 look_up(library, "nbd_connect_socket", nbd.connect_socket) &&
			 look_up(library, "nbd_get_size", nbd.get_size) &&
			 look_up(library, "nbd_can_zero", nbd.can_zero) &&
			 look_up(library, "nbd_can_flush", nbd.can_flush) &&
			 look_up(library, "nbd_can_meta_context", nbd.can_meta_context) &&
			 look_up(library, "nbd_pread", nbd.pread) &&
			 look_up(library, "nbd_pwrite", nbd.pwrite) &&
			 look_up(library, "nbd_flush", nbd.flush) &&
			 look_up(library, "nbd_block_status", nbd.block_status) &&
			 look_up(library, "nbd_poll", nbd.poll) &&
			 look_up(library, "nbd_aio_zero", nbd.aio_zero) &&
			 look_up(library, "nbd_aio_in_flight", nbd.aio_in_flight) &&
			 look_up(library, "nbd_aio_disconnect", nbd.aio_disconnect) &&
			 look_up(library, "nbd_aio_is_dead", nbd.aio_is_dead) &&
			 look_up(library, "nbd_aio_is_closed", nbd.aio_is_closed);
	dlclose(library);
	if (!all)
		return Error{.what = "load",
			     .device = library_name,
			     .why = "it is too old: it lacks what is needed"};
	return nbd;
}

} // namespace blkctl::transport
