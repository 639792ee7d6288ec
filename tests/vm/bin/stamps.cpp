// SPDX-License-Identifier: GPL-2.0-or-later
//
// stamps fill DEVICE: every sector says where it is, and that no step wrote it.
// stamps write DEVICE SEED STEP: what that step writes, and an fsync.
// stamps verify DEVICE SEED STEP: all steps up to that are durable, and the next was
// under way: each sector is of the last of them that wrote to it, or of that one.
// stamps verify DEVICE: no step wrote to any.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <random>
#include <unistd.h>
#include <vector>

namespace
{

constexpr size_t kSector = 512;

struct Piece {
	uint64_t first;
	uint64_t count;
};

std::vector<Piece> pieces_of(uint64_t seed, uint64_t step, uint64_t sectors)
{
	std::mt19937_64 random(seed * 1000003 + step);
	std::vector<Piece> pieces;

	for (int i = 0; i < 6; i++) {
		const uint64_t count = random() % 3 ? random() % 16 + 1 : random() % 256 + 1;
		const uint64_t first = random() % sectors;
		pieces.push_back({first, std::min(count, sectors - first)});
	}
	return pieces;
}

void stamp(char *sector, uint64_t number, uint64_t step)
{
	const uint64_t words[2] = {number, step};

	for (size_t i = 0; i < kSector; i += sizeof(words))
		memcpy(sector + i, words, sizeof(words));
}

int usage()
{
	fprintf(stderr, "usage: stamps fill|write|verify DEVICE [SEED STEP...]\n");
	return 2;
}

bool write_piece(int fd, Piece piece, uint64_t step)
{
	const size_t size = piece.count * kSector;
	void *memory = nullptr;

	if (posix_memalign(&memory, 4096, size))
		return false;
	auto *data = static_cast<char *>(memory);
	for (uint64_t i = 0; i < piece.count; i++)
		stamp(data + i * kSector, piece.first + i, step);
	const ssize_t n = pwrite(fd, data, size, static_cast<off_t>(piece.first * kSector));
	free(memory);
	return n == static_cast<ssize_t>(size);
}

int verify(int fd, uint64_t sectors, uint64_t seed, uint64_t durable, bool later)
{
	// Of each sector what may be there, and what may be there as well.
	std::vector<uint64_t> is(sectors), or_is(sectors);

	for (uint64_t step = 1; step <= durable + (later ? 1 : 0); step++)
		for (const auto &piece : pieces_of(seed, step, sectors))
			for (uint64_t i = piece.first; i < piece.first + piece.count; i++)
				(step <= durable ? is : or_is)[i] = step;
	std::vector<char> good(kSector), good_too(kSector);
	const size_t size = sectors * kSector;
	void *memory = nullptr;
	if (posix_memalign(&memory, 4096, size))
		return 1;
	const std::unique_ptr<char, decltype(&free)> data(static_cast<char *>(memory), free);
	if (pread(fd, data.get(), size, 0) != static_cast<ssize_t>(size)) {
		perror("read");
		return 1;
	}
	for (uint64_t i = 0; i < sectors; i++) {
		const char *found = data.get() + i * kSector;
		stamp(good.data(), i, is[i]);
		stamp(good_too.data(), i, or_is[i] ? or_is[i] : is[i]);
		if (!memcmp(found, good.data(), kSector) ||
		    !memcmp(found, good_too.data(), kSector))
			continue;
		uint64_t words[2];
		memcpy(words, found, sizeof(words));
		printf("sector %lu is sector %lu of step %lu, not of %lu\n", i, words[0], words[1],
		       is[i]);
		return 1;
	}
	return 0;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc < 3)
		return usage();
	const bool writes = strcmp(argv[1], "verify") != 0;
	const int fd = open(argv[2], (writes ? O_RDWR : O_RDONLY) | O_DIRECT);
	const off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	if (size <= 0) {
		perror(argv[2]);
		return 1;
	}
	const uint64_t sectors = static_cast<uint64_t>(size) / kSector;
	const uint64_t seed = argc > 3 ? strtoull(argv[3], nullptr, 10) : 0;
	const uint64_t step = argc > 4 ? strtoull(argv[4], nullptr, 10) : 0;
	if (!strcmp(argv[1], "fill") && argc == 3) {
		for (uint64_t i = 0; i < sectors; i += 2048)
			if (!write_piece(fd, {i, std::min<uint64_t>(2048, sectors - i)}, 0))
				return 1;
		return fsync(fd) ? 1 : 0;
	}
	if (!strcmp(argv[1], "write") && argc == 5) {
		for (const auto &piece : pieces_of(seed, step, sectors))
			if (!write_piece(fd, piece, step)) {
				perror("write");
				return 1;
			}
		return fsync(fd) ? 1 : 0;
	}
	if (!strcmp(argv[1], "verify") && argc == 5)
		return verify(fd, sectors, seed, step, true);
	if (!strcmp(argv[1], "verify") && argc == 3)
		return verify(fd, sectors, 0, 0, false);
	return usage();
}
