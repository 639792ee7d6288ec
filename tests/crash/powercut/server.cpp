// SPDX-License-Identifier: GPL-2.0-or-later
#include "server.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace powercut
{

namespace
{

constexpr size_t kHistory = 4000;
constexpr uint64_t kCacheBytes = 24 << 20;

bool names(const std::string &list, const std::string &name)
{
	return list == "all" || ("," + list + ",").find("," + name + ",") != std::string::npos;
}

} // namespace

Server::Server(const Settings &settings)
	: settings_(settings), random_(settings.seed), cut_at_(settings.cut_after)
{
	std::vector<std::filesystem::path> images;
	for (const auto &entry : std::filesystem::directory_iterator(settings_.dir))
		if (entry.path().extension() == ".img")
			images.push_back(entry.path());
	std::sort(images.begin(), images.end());
	for (const auto &path : images) {
		disks_.push_back(std::make_unique<Disk>(path.stem(), path));
		disks_.back()->ignores_flush = names(settings_.lie_flush, path.stem());
		disks_.back()->ignores_fua = names(settings_.lie_fua, path.stem());
	}
	log_ = fopen((settings_.dir + "/server.log").c_str(), "ae");
	if (disks_.empty() || !log_)
		throw std::runtime_error("no *.img, or no log, in " + settings_.dir);
	fprintf(log_, "start: seed %" PRIu64 ", cut after %" PRIu64 ", delay %" PRIu64 " us\n",
		settings_.seed, settings_.cut_after, settings_.delay_us);
	fflush(log_);
}

Disk *Server::find(const std::string &name) const
{
	for (const auto &disk : disks_)
		if (disk->name() == name)
			return disk.get();
	return nullptr;
}

// Some at once, most not: what is in flight together ends in any order.
void Server::delay()
{
	if (!settings_.delay_us)
		return;
	std::minstd_rand random(settings_.seed + ++arrivals_ * 7919);
	random.discard(3);
	if (random() % 4 == 0)
		return;
	std::this_thread::sleep_for(std::chrono::microseconds(random() % settings_.delay_us));
}

void Server::read(const Disk &disk, char *buf, uint64_t first, uint64_t count)
{
	delay();
	std::lock_guard<std::mutex> guard(lock_);
	disk.read(buf, first, count);
}

// order: of a change its own, of a flush the last it covers.
void Server::count(const Disk &disk, Kind kind, uint64_t order, uint64_t first, uint64_t count,
		   bool fua)
{
	requests_++;
	history_.push_back({&disk, kind, fua, order, first, count});
	if (history_.size() > kHistory)
		history_.pop_front();
}

// A cache is finite: something, in no order, reaches the medium.
void Server::evict()
{
	for (const auto &disk : disks_) {
		while (disk->pending_bytes() > kCacheBytes) {
			const auto &pending = disk->pending();
			disk->harden_one(pending[random_() % pending.size()].order);
		}
	}
}

void Server::change(Disk &disk, Kind kind, uint64_t first, uint64_t count, const char *data,
		    bool fua)
{
	delay();
	std::lock_guard<std::mutex> guard(lock_);
	++order_;
	this->count(disk, kind, order_, first, count, fua);
	disk.change(order_, kind, first, count, data);
	// A cut in the middle of this one: in the cache, and nobody was told.
	cut_if_due();
	if (fua && !disk.ignores_fua)
		disk.harden_one(order_);
	evict();
}

// Only what was acknowledged when the flush came: what completes meanwhile
// need not be covered.
void Server::flush(Disk &disk)
{
	uint64_t arrived = order_;
	delay();
	std::lock_guard<std::mutex> guard(lock_);
	count(disk, Kind::kFlush, arrived, 0, 0, false);
	cut_if_due();
	if (!disk.ignores_flush)
		disk.harden_until(arrived);
}

void Server::cut_if_due()
{
	if (cut_at_ && requests_ >= cut_at_)
		cut("as armed");
}

void Server::log_history()
{
	std::ofstream out(settings_.dir + "/last-cut.log");
	for (const auto &p : history_)
		out << p.order << ' ' << p.disk->name() << ' ' << name_of(p.kind)
		    << (p.fua ? "+fua " : " ") << p.first << '+' << p.count << '\n';
	for (const auto &disk : disks_)
		for (const auto &p : disk->pending())
			out << "not durable: " << p.order << ' ' << disk->name() << ' '
			    << name_of(p.kind) << ' ' << p.first << '+' << p.count << '\n';
}

// The process ends here, so that no request is served any more and every
// connection breaks at the same moment.
void Server::cut(const char *why)
{
	log_history();
	fprintf(log_, "cut: %s, seed %" PRIu64 ", after request %" PRIu64 " (change %" PRIu64 ")",
		why, settings_.seed, requests_, order_.load());
	settle();
	fputc('\n', log_);
	fflush(log_);
	_exit(0);
}

void Server::stop()
{
	for (const auto &disk : disks_)
		disk->harden_until(UINT64_MAX);
	fprintf(log_, "stop: after request %" PRIu64 "\n", requests_);
	fflush(log_);
	_exit(0);
}

void Server::obey()
{
	for (;;) {
		// Ends with its last writer: the next open waits for the next.
		std::ifstream in(settings_.dir + "/control");
		std::string word;
		while (in >> word) {
			std::lock_guard<std::mutex> guard(lock_);
			uint64_t n = 0;
			if (word == "cut")
				cut("as asked");
			else if (word == "stop")
				stop();
			else if (word == "arm" && in >> n)
				cut_at_ = requests_ + n;
		}
	}
}

} // namespace powercut
