// SPDX-License-Identifier: GPL-2.0-or-later
//
// A disk with a volatile write cache, of sectors of 512 bytes. What it would
// read back is in memory; what would survive a power cut is in its file.
#ifndef BLKCTL_CRASH_DISK_HPP
#define BLKCTL_CRASH_DISK_HPP

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace powercut
{

constexpr uint64_t kSector = 512;

enum class Kind : uint8_t { kWrite, kZero, kTrim, kFlush };
const char *name_of(Kind kind);

// A change that is acknowledged, or about to be, and not durable.
struct Pending {
	uint64_t order; // its place among all changes of all disks
	Kind kind;
	uint64_t first, count; // sectors
	std::vector<char> data;
};

class Disk
{
      public:
	Disk(std::string name, const std::string &path);
	~Disk();
	Disk(const Disk &) = delete;
	Disk &operator=(const Disk &) = delete;

	const std::string &name() const { return name_; }
	uint64_t bytes() const { return sectors_ * kSector; }
	void read(char *buf, uint64_t first, uint64_t count) const;
	// data is null for zeroes and for a trim.
	void change(uint64_t order, Kind kind, uint64_t first, uint64_t count, const char *data);
	// The change of that order, alone, reaches the medium.
	void harden_one(uint64_t order);
	// So do all up to that order.
	void harden_until(uint64_t order);
	// One sector of a pending change: false, unless something newer is there.
	void harden_sectors(const Pending &p, const std::function<bool(uint64_t)> &survives);
	// What is read is what the medium holds, once more.
	void lose_cache();
	const std::vector<Pending> &pending() const { return pending_; }
	uint64_t pending_bytes() const { return pending_bytes_; }

	bool ignores_flush = false, ignores_fua = false; // a disk that lies
	bool has_no_cache = false; // what it has acknowledged is on the medium

      private:
	std::string name_;
	int fd_;
	uint64_t sectors_;
	char *cache_;                  // what is read
	uint64_t *hardened_;           // by sector: the order of what the file holds
	std::vector<Pending> pending_; // by order
	uint64_t pending_bytes_ = 0;

	void load(off_t at, off_t end);
	template <typename Pred> void harden_if(Pred which);
};

} // namespace powercut

#endif
