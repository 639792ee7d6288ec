// SPDX-License-Identifier: GPL-2.0-or-later
//
// dm create|reload NAME TABLE-LINE, dm remove|force-remove NAME, dm message NAME
// TEXT, dm status NAME: what dmsetup does, with no library to load.
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace
{

int control;

struct Request {
	dm_ioctl head;
	char rest[16384];
};

bool ask(unsigned long what, const std::string &name, uint32_t flags, Request &r)
{
	r.head.version[0] = 4;
	r.head.data_size = sizeof(r);
	r.head.data_start = offsetof(Request, rest);
	r.head.flags = flags;
	strncpy(r.head.name, name.c_str(), sizeof(r.head.name) - 1);
	return ioctl(control, what, &r) == 0;
}

bool ask(unsigned long what, const std::string &name, uint32_t flags = 0)
{
	Request r = {};
	return ask(what, name, flags, r);
}

int fail(const char *what)
{
	perror(what);
	return 1;
}

// LINE: start length type parameters...
bool load(const std::string &name, const std::string &line)
{
	Request r = {};
	auto *spec = reinterpret_cast<dm_target_spec *>(r.rest);
	int at = 0;
	uint64_t start, length;
	char type[DM_MAX_TYPE_NAME];
	if (sscanf(line.c_str(), "%" SCNu64 " %" SCNu64 " %15s %n", &start, &length, type, &at) <
		    3 ||
	    line.size() > sizeof(r.rest) - sizeof(*spec) - 1)
		return false;
	spec->sector_start = start;
	spec->length = length;
	memcpy(spec->target_type, type, sizeof(spec->target_type));
	strcpy(r.rest + sizeof(*spec), line.c_str() + at);
	r.head.target_count = 1;
	return ask(DM_TABLE_LOAD, name, 0, r);
}

int create(const std::string &name, const std::string &line)
{
	if (!ask(DM_DEV_CREATE, name))
		return fail("create");
	if (load(name, line) && ask(DM_DEV_SUSPEND, name))
		return 0;
	perror("create: load or resume");
	ask(DM_DEV_REMOVE, name);
	return 1;
}

int remove(const std::string &name, bool force)
{
	Request r = {};
	if (force && ask(DM_DEV_STATUS, name, 0, r)) {
		Request size = {};
		auto *spec = reinterpret_cast<dm_target_spec *>(size.rest);
		if (ask(DM_TABLE_STATUS, name, DM_NOFLUSH_FLAG, size) &&
		    (!load(name, "0 " + std::to_string(spec->length) + " error") ||
		     !ask(DM_DEV_SUSPEND, name,
			  DM_SUSPEND_FLAG | DM_NOFLUSH_FLAG | DM_SKIP_LOCKFS_FLAG) ||
		     !ask(DM_DEV_SUSPEND, name)))
			return fail("remove: an error table");
	}
	return ask(DM_DEV_REMOVE, name) ? 0 : fail("remove");
}

int message(const std::string &name, const std::string &text)
{
	Request r = {};
	auto *to = reinterpret_cast<dm_target_msg *>(r.rest);
	strncpy(to->message, text.c_str(), 1000);
	return ask(DM_TARGET_MSG, name, 0, r) ? 0 : fail("message");
}

int status(const std::string &name)
{
	Request r = {};
	if (!ask(DM_TABLE_STATUS, name, DM_NOFLUSH_FLAG, r))
		return fail("status");
	auto *spec = reinterpret_cast<dm_target_spec *>(
		&r.rest[r.head.data_start - offsetof(Request, rest)]);
	printf("%" PRIu64 " %" PRIu64 " %s %s\n", static_cast<uint64_t>(spec->sector_start),
	       static_cast<uint64_t>(spec->length), spec->target_type,
	       reinterpret_cast<char *>(spec + 1));
	return 0;
}

} // namespace

int main(int argc, char **argv)
{
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return fail("/dev/mapper/control");
	std::string verb = argc > 2 ? argv[1] : "";
	if (verb == "create" && argc == 4)
		return create(argv[2], argv[3]);
	if (verb == "reload" && argc == 4)
		return load(argv[2], argv[3]) && ask(DM_DEV_SUSPEND, argv[2]) ? 0 : fail("reload");
	if (verb == "remove" || verb == "force-remove")
		return remove(argv[2], verb == "force-remove");
	if (verb == "message" && argc == 4)
		return message(argv[2], argv[3]);
	return verb == "status" ? status(argv[2]) : 2;
}
