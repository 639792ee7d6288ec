// SPDX-License-Identifier: GPL-2.0-or-later
//
// writer STATE LOG DEVICE SEED SECONDS BLOCK-SECTORS: random writes, discards,
// zeroes and flushes from several threads, never two at once to one sector, all
// of them logged before they are asked for and after they are done. Ends at the
// first error, which is what a cut looks like (exit 0), after SECONDS, or on
// SIGTERM; then, without an error, with a flush.
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <csignal>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "model.hpp"

using namespace model;

namespace
{

constexpr int kThreads = 6;
constexpr uint64_t kMaxSectors = 512;

State *state;
Log *logged;
int fd;
uint64_t block;
std::atomic<bool> stop{false}, failed{false};
std::mutex claims;
std::vector<bool> busy; // by device sector

struct Weights {
	unsigned flush, fua, discard, zero; // of 256
	Extent hot;                         // where half of everything goes
	bool small; // never a whole block, if blocks are larger than a sector
	uint64_t sleep_us;
};

bool claim(uint64_t first, uint64_t count)
{
	std::lock_guard<std::mutex> guard(claims);
	for (uint64_t s = first; s < first + count; s++)
		if (busy[s])
			return false;
	std::fill_n(busy.begin() + static_cast<int64_t>(first), count, true);
	return true;
}

void release(uint64_t first, uint64_t count)
{
	std::lock_guard<std::mutex> guard(claims);
	std::fill_n(busy.begin() + static_cast<int64_t>(first), count, false);
}

Record *issue(Kind kind, uint64_t first, uint64_t count)
{
	uint64_t at = logged->records++;
	if (at >= kMaxRecords - kThreads - 1)
		stop = true;
	if (at >= kMaxRecords)
		exit(2);
	Record &r = logged->record[at];
	r.kind = kind;
	r.fua = 0;
	r.first = first;
	r.count = count;
	r.version = kind == Kind::kWrite
			    ? __atomic_fetch_add(&state->next_version, 1, __ATOMIC_RELAXED)
			    : kZeroes;
	r.done = 0;
	r.issued = ++logged->tick;
	return &r;
}

void done(Record *r)
{
	r->done = ++logged->tick;
}

// What does not exist here (a discard, zeroes) may still have had a part done.
void error(const char *what)
{
	if (errno == EOPNOTSUPP)
		return;
	if (!failed.exchange(true))
		printf("writer: %s: %s\n", what, strerror(errno));
	stop = true;
}

bool flush()
{
	Record *r = issue(Kind::kFlush, 0, 0);
	if (fdatasync(fd)) {
		error("flush");
		return false;
	}
	done(r);
	return true;
}

void write(uint64_t first, uint64_t count, bool fua, uint64_t *buf)
{
	Record *r = issue(Kind::kWrite, first, count);
	r->fua = fua;
	for (uint64_t i = 0; i < count; i++)
		stamp(buf + i * kWords, r->version, first + i, state->seed);
	iovec v = {buf, count * kSector};
	ssize_t n = pwritev2(fd, &v, 1, static_cast<off_t>(first * kSector), fua ? RWF_DSYNC : 0);
	if (n == static_cast<ssize_t>(v.iov_len))
		done(r);
	else
		error("write");
}

void clear(Kind kind, uint64_t first, uint64_t count)
{
	Record *r = issue(kind, first, count);
	uint64_t range[2] = {first * kSector, count * kSector};
	if (ioctl(fd, kind == Kind::kDiscard ? BLKDISCARD : BLKZEROOUT, range))
		error(kind == Kind::kDiscard ? "discard" : "zeroes");
	else
		done(r);
}

// Any size; often whole blocks, often less than one.
Extent choose(std::minstd_rand &random, const Weights &weights, const Extent &in, bool clears)
{
	uint64_t count, first;
	if (weights.small) {
		count = 1 + random() % std::min<uint64_t>(block - 1, 8);
		return {in.first + random() % (in.count - count + 1), count};
	}
	switch (random() % 4) {
	case 0:
		count = 1 + random() % 8;
		break;
	case 1:
		count = 1 + random() % block;
		break;
	case 2:
		count = block * (1 + random() % 4);
		break;
	default:
		count = 1 + random() % (8u << random() % 7);
	}
	count = std::min({count, kMaxSectors, in.count});
	if (clears && random() % 2)
		count = std::min(block * (1 + random() % 8), in.count);
	first = in.first + random() % (in.count - count + 1);
	if (random() % 3 == 0)
		first = std::max(first / block * block, in.first);
	return {first, count};
}

void work(const Weights &weights, uint64_t seed)
{
	std::minstd_rand random(seed);
	auto *buf = static_cast<uint64_t *>(aligned_alloc(4096, kMaxSectors * kSector));
	while (!stop) {
		unsigned dice = random() % 256;
		if (dice < weights.flush) {
			flush();
			continue;
		}
		dice = random() % 256;
		bool clears = dice < weights.discard + weights.zero;
		const Extent &in =
			random() % 2 ? weights.hot : state->extent[random() % state->extents];
		Extent e = choose(random, weights, in, clears);
		if (!claim(e.first, e.count))
			continue;
		if (dice < weights.discard)
			clear(Kind::kDiscard, e.first, e.count);
		else if (clears)
			clear(Kind::kZero, e.first, e.count);
		else
			write(e.first, e.count, random() % 256 < weights.fua, buf);
		release(e.first, e.count);
		if (weights.sleep_us)
			std::this_thread::sleep_for(
				std::chrono::microseconds(random() % weights.sleep_us));
	}
	free(buf);
}

// A character for the whole run: from nearly no flush to nearly nothing else.
Weights draw(std::minstd_rand &random)
{
	static const unsigned kFlush[] = {2, 8, 32, 96}, kFua[] = {0, 0, 16, 96},
			      kClear[] = {0, 4, 24};
	static const uint64_t kSleep[] = {0, 0, 2000};
	Weights w = {kFlush[random() % 4],
		     kFua[random() % 4],
		     kClear[random() % 3],
		     kClear[random() % 3],
		     state->extent[random() % state->extents],
		     random() % 4 == 0 && block > 1,
		     kSleep[random() % 3]};
	uint64_t size = std::min<uint64_t>(w.hot.count, 256u << random() % 5);
	w.hot.first += random() % (w.hot.count - size + 1);
	w.hot.count = size;
	return w;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 7)
		return 2;
	state = open_state(argv[1]);
	logged = open_log(argv[2]);
	fd = open(argv[3], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[3]);
		return 1;
	}
	std::minstd_rand random(strtoull(argv[4], nullptr, 0) % 0x7ffffffe + 1);
	random.discard(7);
	auto end = std::chrono::steady_clock::now() +
		   std::chrono::milliseconds(static_cast<int64_t>(strtod(argv[5], nullptr) * 1000));
	block = strtoull(argv[6], nullptr, 0);
	busy.resize(state->sectors);
	signal(SIGTERM, [](int) { stop = true; });

	Weights weights = draw(random);
	std::vector<std::thread> threads;
	threads.reserve(kThreads);
	for (int i = 0; i < kThreads; i++)
		threads.emplace_back(work, weights, random());
	while (!stop && std::chrono::steady_clock::now() < end)
		std::this_thread::sleep_for(std::chrono::milliseconds(5));
	stop = true;
	for (auto &t : threads)
		t.join();
	if (!failed)
		flush();
	printf("writer: %" PRIu64 " requests%s\n", logged->records.load(),
	       failed ? "" : ", the last a flush that was answered");
	return 0;
}
