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
	std::string dir; // NAME.img: the disks; control: a pipe; server.log
	uint64_t seed = 1;
	uint64_t cut_after = 0;         // changes and flushes; 0: not by itself
	uint64_t delay_us = 0;          // requests take up to that long
	std::string lie_flush, lie_fua; // disks that ignore it, by comma, or "all"
};

class Server
{
      public:
	explicit Server(const Settings &settings);

	const std::vector<std::unique_ptr<Disk>> &disks() const { return disks_; }
	Disk *find(const std::string &name) const;
	void read(const Disk &disk, char *buf, uint64_t first, uint64_t count);
	void change(Disk &disk, Kind kind, uint64_t first, uint64_t count, const char *data,
		    bool fua);
	void flush(Disk &disk);
	// Obeys the lines of the control pipe: "cut", "arm N" (N requests from
	// now), "stop" (orderly: everything is durable). For ever.
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
	std::atomic<uint64_t> order_{0};
	std::atomic<uint64_t> arrivals_{0};
	uint64_t requests_ = 0, cut_at_;
	std::deque<Past> history_;
	FILE *log_;

	void delay();
	void count(const Disk &disk, Kind kind, uint64_t order, uint64_t first, uint64_t count,
		   bool fua);
	void evict();
	void cut_if_due();
	[[noreturn]] void cut(const char *why);
	[[noreturn]] void stop();
	void settle();
	void log_history();
};

} // namespace powercut

#endif
