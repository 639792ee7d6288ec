// SPDX-License-Identifier: GPL-2.0-or-later
//
// Several disks behind one power switch: one order of all changes, and a cut
// after the Nth of them or when asked for.
#ifndef BLKCTL_CRASH_SERVER_HPP
#define BLKCTL_CRASH_SERVER_HPP

#include <atomic>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "disk.hpp"

namespace powercut
{

struct Settings {
	std::string dir; // NAME.img: the disks; control: a pipe; server.log; on: power
	std::string lie_flush, lie_fua; // disks that ignore it, by comma, or "all"
	std::string no_cache;           // disks that have none, and say so
};

class Server
{
      public:
	explicit Server(const Settings &settings);

	const std::vector<std::unique_ptr<Disk>> &disks() const { return disks_; }
	Disk *find(const std::string &name) const;
	// False: there is no power.
	bool read(const Disk &disk, char *buf, uint64_t first, uint64_t count);
	bool change(Disk &disk, Kind kind, uint64_t first, uint64_t count, const char *data,
		    bool fua);
	bool flush(Disk &disk);
	// Obeys the lines of the control pipe, for ever:
	//   load               takes the images that are there now
	//   on SEED N US       power, until the Nth request from now (0: no end);
	//                      each takes up to that many microseconds
	//   arm N [DISK]       until the Nth request from now, or its Nth
	//   cut                no power
	void obey();

      private:
	struct Past {
		const Disk *disk;
		Kind kind;
		bool fua;
		uint64_t order, first, count;
	};

	Settings settings_;
	std::vector<std::unique_ptr<Disk>> disks_;
	std::mutex lock_;
	std::mt19937_64 random_;
	std::atomic<bool> power_{false};
	std::atomic<uint64_t> order_{0}, arrivals_{0}, delay_us_{0};
	uint64_t seed_ = 0, requests_ = 0;
	uint64_t left_ = 0;           // requests until the cut; 0: not armed
	const Disk *armed_ = nullptr; // whose; null: of all
	std::deque<Past> history_;
	FILE *log_;

	void delay();
	void count(const Disk &disk, Kind kind, uint64_t order, uint64_t first, uint64_t count,
		   bool fua);
	void evict();
	bool cut_if_due(const Disk &disk);
	void arm(uint64_t n, const std::string &disk);
	void load();
	void power_on(uint64_t seed, uint64_t cut_after, uint64_t delay_us);
	void cut(const char *why);
	void settle();
	void log_history();
};

} // namespace powercut

#endif
