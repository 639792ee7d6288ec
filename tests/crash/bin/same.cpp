// SPDX-License-Identifier: GPL-2.0-or-later
//
// same FILE FILE: are they, byte by byte? Holes are zeroes, and not read where
// both have one.
#include <sys/mman.h>

#include <algorithm>
#include <cinttypes>

#include "model.hpp"

using namespace model;

namespace
{

constexpr off_t kStep = 65536;

struct File {
	int fd;
	off_t size;
	const char *data;

	explicit File(const char *path) : fd(open(path, O_RDONLY | O_CLOEXEC))
	{
		if (fd < 0 || (size = lseek(fd, 0, SEEK_END)) <= 0)
			die(path);
		void *p = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			die(path);
		data = static_cast<const char *>(p);
	}
	off_t next_data(off_t at) const
	{
		off_t next = lseek(fd, at, SEEK_DATA);
		return next < 0 ? size : next;
	}
};

} // namespace

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	File a(argv[1]), b(argv[2]);
	if (a.size != b.size) {
		printf("sizes: %jd and %jd\n", static_cast<intmax_t>(a.size),
		       static_cast<intmax_t>(b.size));
		return 1;
	}
	for (off_t at = 0; (at = std::min(a.next_data(at), b.next_data(at))) < a.size;) {
		off_t n = std::min(kStep, a.size - at);
		if (memcmp(a.data + at, b.data + at, n)) {
			while (a.data[at] == b.data[at])
				at++;
			printf("the first that differs: byte %jd, sector %jd\n",
			       static_cast<intmax_t>(at), static_cast<intmax_t>(at / 512));
			return 1;
		}
		at += n;
	}
	return 0;
}
