// SPDX-License-Identifier: GPL-2.0-or-later
//
// The nbdkit plugin: exports NAME for each NAME.img of a directory.
//   nbdkit -f -U SOCKET blkctl-powercut.so dir=DIR [lie_flush=NAME,...|all]
//       [lie_fua=NAME,...|all] [no_cache=NAME,...|all]
// It begins without power, see Server::obey(); without it requests fail.
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <string>
#include <thread>

#include "server.hpp"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace
{

using powercut::Disk;
using powercut::Kind;
using powercut::kSector;

powercut::Settings settings;
powercut::Server *server;

Disk &disk_of(void *handle)
{
	return *static_cast<Disk *>(handle);
}

int config(const char *key, const char *value)
{
	std::string k = key;
	if (k == "dir")
		settings.dir = value;
	else if (k == "lie_flush")
		settings.lie_flush = value;
	else if (k == "lie_fua")
		settings.lie_fua = value;
	else if (k == "no_cache")
		settings.no_cache = value;
	else {
		nbdkit_error("unknown: %s", key);
		return -1;
	}
	return 0;
}

int get_ready()
{
	try {
		server = new powercut::Server(settings);
		return 0;
	} catch (const std::exception &e) {
		nbdkit_error("%s", e.what());
		return -1;
	}
}

int after_fork()
{
	std::thread([] { server->obey(); }).detach();
	return 0;
}

int list_exports(int, int, nbdkit_exports *exports)
{
	for (const auto &disk : server->disks())
		if (nbdkit_add_export(exports, disk->name().c_str(), nullptr))
			return -1;
	return 0;
}

void *open_export(int)
{
	Disk *disk = server->find(nbdkit_export_name());
	if (!disk)
		nbdkit_error("no such export");
	return disk;
}

int64_t get_size(void *handle)
{
	return static_cast<int64_t>(disk_of(handle).bytes());
}
int yes(void *)
{
	return 1;
}
int no(void *)
{
	return 0;
}
// Then the kernel sends neither.
int can_flush(void *handle)
{
	return !disk_of(handle).has_no_cache;
}
int can_fua(void *handle)
{
	return disk_of(handle).has_no_cache ? NBDKIT_FUA_NONE : NBDKIT_FUA_NATIVE;
}

int block_size(void *, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
	*minimum = kSector;
	*preferred = 4096;
	*maximum = 32 << 20;
	return 0;
}

bool aligned(uint64_t count, uint64_t offset)
{
	if (count % kSector == 0 && offset % kSector == 0)
		return true;
	nbdkit_error("not in whole sectors");
	nbdkit_set_error(EINVAL);
	return false;
}

int result(bool done)
{
	if (!done)
		nbdkit_set_error(EIO);
	return done ? 0 : -1;
}

int change(void *handle, Kind kind, const void *data, uint32_t count, uint64_t offset,
	   uint32_t flags)
{
	if (!aligned(count, offset))
		return -1;
	return result(server->change(disk_of(handle), kind, offset / kSector, count / kSector,
				     static_cast<const char *>(data), flags & NBDKIT_FLAG_FUA));
}

int pread_(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t)
{
	if (!aligned(count, offset))
		return -1;
	return result(server->read(disk_of(handle), static_cast<char *>(buf), offset / kSector,
				   count / kSector));
}

int pwrite_(void *handle, const void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	return change(handle, Kind::kWrite, buf, count, offset, flags);
}

int zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	return change(handle, Kind::kZero, nullptr, count, offset, flags);
}

int trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	return change(handle, Kind::kTrim, nullptr, count, offset, flags);
}

int flush(void *handle, uint32_t)
{
	return result(server->flush(disk_of(handle)));
}

nbdkit_plugin make_plugin()
{
	nbdkit_plugin p;
	memset(&p, 0, sizeof(p));
	p.name = "blkctl-powercut";
	p.version = "1";
	p.config = config;
	p.get_ready = get_ready;
	p.after_fork = after_fork;
	p.list_exports = list_exports;
	p.open = open_export;
	p.get_size = get_size;
	p.block_size = block_size;
	p.can_write = yes;
	p.can_flush = can_flush;
	p.can_trim = yes;
	p.can_zero = yes;
	p.can_fast_zero = yes;
	p.can_fua = can_fua;
	p.can_multi_conn = no;
	p.is_rotational = no;
	p.pread = pread_;
	p.pwrite = pwrite_;
	p.zero = zero;
	p.trim = trim;
	p.flush = flush;
	return p;
}

nbdkit_plugin plugin = make_plugin();

} // namespace

NBDKIT_REGISTER_PLUGIN(plugin)
