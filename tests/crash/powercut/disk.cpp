// SPDX-License-Identifier: GPL-2.0-or-later
#include "disk.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace powercut
{

namespace
{

[[noreturn]] void die(const std::string &what)
{
	throw std::system_error(errno, std::generic_category(), what);
}

// Zeroes that take no memory until written to.
void *zeroes(uint64_t bytes)
{
	void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

} // namespace

const char *name_of(Kind kind)
{
	switch (kind) {
	case Kind::kWrite:
		return "write";
	case Kind::kZero:
		return "zero";
	case Kind::kTrim:
		return "trim";
	case Kind::kFlush:
		return "flush";
	}
	return "?";
}

Disk::Disk(std::string name, const std::string &path)
	: name_(std::move(name)), fd_(open(path.c_str(), O_RDWR | O_CLOEXEC))
{
	struct stat st;
	if (fd_ < 0 || fstat(fd_, &st))
		die(path);
	sectors_ = st.st_size / kSector;
	cache_ = static_cast<char *>(zeroes(bytes()));
	hardened_ = static_cast<uint64_t *>(zeroes(sectors_ * sizeof(*hardened_)));
	load(0, static_cast<off_t>(bytes()));
}

Disk::~Disk()
{
	munmap(cache_, bytes());
	munmap(hardened_, sectors_ * sizeof(*hardened_));
	close(fd_);
}

// A hole is zeroes, and takes no memory here either.
void Disk::load(off_t at, off_t end)
{
	while (at < end && (at = lseek(fd_, at, SEEK_DATA)) >= 0) {
		off_t hole = std::min(lseek(fd_, at, SEEK_HOLE), end);
		while (at < hole) {
			ssize_t n = pread(fd_, cache_ + at, hole - at, at);
			if (n <= 0)
				die("cannot read " + name_);
			at += n;
		}
	}
}

void Disk::lose_cache()
{
	for (const Pending &p : pending_) {
		off_t at = static_cast<off_t>(p.first * kSector);
		memset(cache_ + at, 0, p.count * kSector);
		load(at, at + static_cast<off_t>(p.count * kSector));
	}
	pending_.clear();
	pending_bytes_ = 0;
}

void Disk::read(char *buf, uint64_t first, uint64_t count) const
{
	memcpy(buf, cache_ + first * kSector, count * kSector);
}

void Disk::change(uint64_t order, Kind kind, uint64_t first, uint64_t count, const char *data)
{
	char *to = cache_ + first * kSector;
	uint64_t len = count * kSector;
	if (data)
		memcpy(to, data, len);
	else
		memset(to, 0, len);
	pending_.push_back({order, kind, first, count, {}});
	if (data)
		pending_.back().data.assign(data, data + len);
	pending_bytes_ += len;
}

void Disk::harden_sectors(const Pending &p, const std::function<bool(uint64_t)> &survives)
{
	static const char kZeroes[kSector] = {};
	for (uint64_t i = 0; i < p.count;) {
		uint64_t s = p.first + i;
		// Something newer of this sector is on the medium already.
		if (hardened_[s] > p.order || !survives(i)) {
			i++;
			continue;
		}
		uint64_t n = 1;
		while (!p.data.empty() && i + n < p.count && hardened_[s + n] <= p.order &&
		       survives(i + n))
			n++;
		const char *from = p.data.empty() ? kZeroes : p.data.data() + i * kSector;
		if (pwrite(fd_, from, n * kSector, static_cast<off_t>(s * kSector)) !=
		    static_cast<ssize_t>(n * kSector))
			die("cannot write " + name_);
		std::fill_n(hardened_ + s, n, p.order);
		i += n;
	}
}

template <typename Pred> void Disk::harden_if(Pred which)
{
	auto stays = pending_.begin();
	for (auto &p : pending_) {
		if (which(p)) {
			harden_sectors(p, [](uint64_t) { return true; });
			pending_bytes_ -= p.count * kSector;
		} else {
			if (&*stays != &p)
				*stays = std::move(p);
			++stays;
		}
	}
	pending_.erase(stays, pending_.end());
}

void Disk::harden_one(uint64_t order)
{
	harden_if([=](const Pending &p) { return p.order == order; });
}

void Disk::harden_until(uint64_t order)
{
	harden_if([=](const Pending &p) { return p.order <= order; });
}

} // namespace powercut
