// SPDX-License-Identifier: GPL-2.0-or-later
//
// scribble FILE SECONDS: maps a file, starts writing it back and keeps changing
// its pages meanwhile, then unlinks it, so that the changes are never written.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

int main(int argc, char **argv)
{
	using clock = std::chrono::steady_clock;
	constexpr size_t kSize = 256 << 10;
	if (argc != 3)
		return 2;
	auto end = clock::now() + std::chrono::seconds(atoi(argv[2]));
	uint64_t x = 1;
	while (clock::now() < end) {
		int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || ftruncate(fd, kSize))
			return 1;
		void *m = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (m == MAP_FAILED)
			return 1;
		auto *p = static_cast<volatile uint64_t *>(m);
		for (size_t i = 0; i < kSize / 8; i++)
			p[i] = ++x;
		if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE))
			return 1;
		auto until = clock::now() + std::chrono::milliseconds(25);
		while (clock::now() < until)
			for (size_t i = 0; i < kSize / 8; i += 64)
				p[i] = ++x;
		if (unlink(argv[1]))
			return 1;
		munmap(m, kSize);
		close(fd);
	}
	return 0;
}
