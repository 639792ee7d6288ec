// SPDX-License-Identifier: GPL-2.0-or-later
//
// initial STATE IMAGE SEED SECTORS FIRST+COUNT...: a new state file of which
// every sector has version 0, and an image that holds just that.
#include "model.hpp"

using namespace model;

int main(int argc, char **argv)
{
	if (argc < 6 || argc - 5 > static_cast<int>(kMaxExtents))
		return 2;
	State head = {};
	head.magic = kMagic;
	head.seed = strtoull(argv[3], nullptr, 0);
	head.next_version = 1;
	head.sectors = strtoull(argv[4], nullptr, 0);
	uint64_t total = 0;
	for (int i = 5; i < argc; i++) {
		Extent &e = head.extent[head.extents++];
		char *rest;
		e.first = strtoull(argv[i], &rest, 0);
		e.count = *rest == '+' ? strtoull(rest + 1, nullptr, 0) : 0;
		if (!e.count || e.first + e.count > head.sectors)
			return 2;
		total += e.count;
	}
	unlink(argv[1]);
	auto *state = map_file<State>(argv[1], sizeof(State) + total * 8);
	memcpy(static_cast<void *>(state), &head, sizeof(head));

	int fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, static_cast<off_t>(head.sectors * kSector)))
		die(argv[2]);
	for (uint64_t i = 0; i < head.extents; i++) {
		const Extent &e = head.extent[i];
		for (uint64_t s = e.first; s < e.first + e.count;) {
			static uint64_t buf[256][kWords];
			uint64_t n = 0, start = s;
			for (; n < 256 && s < e.first + e.count; n++, s++)
				stamp(buf[n], 0, s, head.seed);
			if (pwrite(fd, buf, n * kSector, static_cast<off_t>(start * kSector)) !=
			    static_cast<ssize_t>(n * kSector))
				die(argv[2]);
		}
	}
	return 0;
}
