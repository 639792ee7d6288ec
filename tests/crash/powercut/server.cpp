// SPDX-License-Identifier: GPL-2.0-or-later
#include "server.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <filesystem>
#include <fstream>
#include <sstream>
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
	: settings_(settings), log_(fopen((settings.dir + "/server.log").c_str(), "ae"))
{
	if (!log_)
		throw std::runtime_error("no log in " + settings_.dir);
	std::filesystem::remove(settings_.dir + "/on");
}

// Nobody is connected.
void Server::load()
{
	std::vector<std::filesystem::path> images;
	for (const auto &entry : std::filesystem::directory_iterator(settings_.dir))
		if (entry.path().extension() == ".img")
			images.push_back(entry.path());
	std::sort(images.begin(), images.end());
	disks_.clear();
	for (const auto &path : images) {
		disks_.push_back(std::make_unique<Disk>(path.stem(), path));
		disks_.back()->ignores_flush = names(settings_.lie_flush, path.stem());
		disks_.back()->ignores_fua = names(settings_.lie_fua, path.stem());
		disks_.back()->has_no_cache = names(settings_.no_cache, path.stem());
	}
	order_ = 0;
}

void Server::power_on(uint64_t seed, uint64_t cut_after, uint64_t delay_us)
{
	for (const auto &disk : disks_)
		disk->lose_cache();
	history_.clear();
	random_.seed(seed);
	seed_ = seed;
	delay_us_ = delay_us;
	requests_ = arrivals_ = 0;
	arm(cut_after, "");
	fprintf(log_, "on: seed %" PRIu64 ", cut after %" PRIu64 ", delay %" PRIu64 " us\n", seed,
		cut_after, delay_us);
	fflush(log_);
	power_ = true;
	std::ofstream(settings_.dir + "/on").put('1');
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
	uint64_t longest = delay_us_;
	if (!longest || !power_)
		return;
	std::minstd_rand random(seed_ + ++arrivals_ * 7919);
	random.discard(3);
	if (random() % 4 == 0)
		return;
	std::this_thread::sleep_for(std::chrono::microseconds(random() % longest));
}

bool Server::read(const Disk &disk, char *buf, uint64_t first, uint64_t count)
{
	delay();
	std::lock_guard<std::mutex> guard(lock_);
	if (power_)
		disk.read(buf, first, count);
	return power_;
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

bool Server::change(Disk &disk, Kind kind, uint64_t first, uint64_t count, const char *data,
		    bool fua)
{
	delay();
	std::lock_guard<std::mutex> guard(lock_);
	if (!power_)
		return false;
	++order_;
	this->count(disk, kind, order_, first, count, fua);
	disk.change(order_, kind, first, count, data);
	// A cut in the middle of this one: in the cache, and nobody was told.
	if (cut_if_due(disk))
		return false;
	if (disk.has_no_cache || (fua && !disk.ignores_fua))
		disk.harden_one(order_);
	evict();
	return true;
}

// Only what was acknowledged when the flush came: what completes meanwhile
// need not be covered.
bool Server::flush(Disk &disk)
{
	uint64_t arrived = order_;
	delay();
	std::lock_guard<std::mutex> guard(lock_);
	if (!power_)
		return false;
	count(disk, Kind::kFlush, arrived, 0, 0, false);
	if (cut_if_due(disk))
		return false;
	if (!disk.ignores_flush)
		disk.harden_until(arrived);
	return true;
}

void Server::arm(uint64_t n, const std::string &disk)
{
	left_ = n;
	armed_ = disk.empty() ? nullptr : find(disk);
}

// lock_ held. Is it this request of the disk's in which the power goes?
bool Server::cut_if_due(const Disk &disk)
{
	if (left_ && (!armed_ || armed_ == &disk) && --left_ == 0)
		cut("as armed");
	return !power_;
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

// lock_ held. From here on no request is served.
void Server::cut(const char *why)
{
	power_ = false;
	log_history();
	fprintf(log_, "cut: %s, seed %" PRIu64 ", after request %" PRIu64 " (change %" PRIu64 ")",
		why, seed_, requests_, order_.load());
	settle();
	fputc('\n', log_);
	fflush(log_);
	std::filesystem::remove(settings_.dir + "/on");
}

void Server::obey()
{
	std::ifstream in(settings_.dir + "/control");
	std::string line;
	while (std::getline(in, line)) {
		std::istringstream words(line);
		std::string word;
		uint64_t n = 0, seed = 0, us = 0;
		words >> word;
		std::lock_guard<std::mutex> guard(lock_);
		if (word == "load" && !power_)
			load();
		else if (word == "on" && !power_ && words >> seed >> n >> us)
			power_on(seed, n, us);
		else if (word == "arm" && power_ && words >> n)
			arm(n, words >> word ? word : "");
		else if (word == "cut" && power_)
			cut("as asked");
	}
	_exit(0); // the last who could give a word is gone
}

} // namespace powercut
