// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the writer and the verifier share: what a sector holds, which version
// each is known to hold (the state file), and what was asked for since (the
// log, written to in place through a mapping, so that it is whole however the
// writer ends).
#ifndef BLKCTL_CRASH_MODEL_HPP
#define BLKCTL_CRASH_MODEL_HPP

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace model
{

constexpr uint64_t kSector = 512;
constexpr uint64_t kWords = kSector / 8;
constexpr uint64_t kMagic = 0x3163747562777270ull;
constexpr uint64_t kZeroes = UINT64_MAX; // the version of a sector of zeroes
constexpr uint64_t kMaxExtents = 8;
constexpr uint64_t kMaxRecords = 1 << 16;

enum class Kind : uint32_t { kWrite = 1, kZero, kDiscard, kFlush };

struct Record {
	Kind kind;
	uint32_t fua; // done means durable
	uint64_t version;
	uint64_t first, count; // device sectors
	uint64_t issued, done; // ticks; 0: not (known to be done well)
};

struct Log {
	std::atomic<uint64_t> tick, records;
	Record record[kMaxRecords];
};

// Parts of the device that are written to and verified; sectors of the model
// are numbered through all of them.
struct Extent {
	uint64_t first, count;
};

struct State {
	uint64_t magic, seed, next_version, sectors, extents;
	Extent extent[kMaxExtents];
	uint64_t version[]; // by sector of the model; 0: the initial content
};

[[noreturn]] inline void die(const char *what)
{
	perror(what);
	exit(2);
}

inline uint64_t mix(uint64_t version, uint64_t sector, uint64_t seed)
{
	uint64_t x = version * 0x9e3779b97f4a7c15ull ^ sector * 0xbf58476d1ce4e5b9ull ^ seed;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	return x ^ (x >> 27);
}

// magic, sector, version, a check over these, and a filling that follows from it.
inline void stamp(uint64_t *p, uint64_t version, uint64_t sector, uint64_t seed)
{
	uint64_t w = mix(version, sector, seed);
	p[0] = kMagic ^ seed;
	p[1] = sector;
	p[2] = version;
	for (uint64_t i = 3; i < kWords; i++, w += 0x94d049bb133111ebull)
		p[i] = w;
}

inline bool is_zero(const uint64_t *p)
{
	return p[0] == 0 && memcmp(p, p + 1, kSector - 8) == 0;
}

// Of a whole sector written for that place, its version.
inline bool is_stamp(const uint64_t *p, uint64_t sector, uint64_t seed)
{
	uint64_t w = mix(p[2], sector, seed);
	if (p[0] != (kMagic ^ seed) || p[1] != sector)
		return false;
	for (uint64_t i = 3; i < kWords; i++, w += 0x94d049bb133111ebull)
		if (p[i] != w)
			return false;
	return true;
}

// Maps a file of that size, made if need be.
template <typename T> T *map_file(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;
	if (fd < 0 || fstat(fd, &st))
		die(path);
	if (!size)
		size = st.st_size;
	else if (static_cast<uint64_t>(st.st_size) < size && ftruncate(fd, size))
		die(path);
	void *p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die(path);
	close(fd);
	return static_cast<T *>(p);
}

inline State *open_state(const char *path)
{
	auto *state = map_file<State>(path, 0);
	if (state->magic != kMagic) {
		fprintf(stderr, "%s: no state\n", path);
		exit(2);
	}
	return state;
}

inline Log *open_log(const char *path)
{
	return map_file<Log>(path, sizeof(Log));
}

} // namespace model

#endif
