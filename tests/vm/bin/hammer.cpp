// SPDX-License-Identifier: GPL-2.0-or-later
//
// hammer: random direct I/O from many threads on one block device, against a
// model of what every sector may hold. Writes in flight at the same time may
// overlap; then either content is right, but once both are done and a read
// has shown one of them, it has to stay that one. The model can be saved and
// a device (a leg of a mirror, say) checked against it later.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "hammer_options.hpp"

namespace
{

constexpr uint64_t kSector = 512;
constexpr uint64_t kWords = kSector / 8;
constexpr uint64_t kRegion = 128; // sectors behind one lock
constexpr uint64_t kInFlight = UINT64_MAX;
constexpr uint64_t kZero = 1ull << 62; // tag flag: the op wrote zeroes
constexpr uint64_t kWild = 1ull << 63; // tag flag: a discard
constexpr uint64_t kSeq = (1ull << 40) - 1;
constexpr uint64_t kMagic = 0x626c6b6863707931ull;

struct Entry {
	uint64_t tag, end;
};
struct Op {
	uint64_t tag, off, len, start, end;
};
struct Stats {
	uint64_t n[5] = {}; // read write discard zero flush
	uint64_t errors = 0, again = 0;
	std::vector<float> write_ms, read_ms;
};
enum Kind { kRead, kWrite, kDiscard, kZeroout, kFlush };

std::vector<std::vector<Entry>> model; // by sector of the range
std::unique_ptr<std::mutex[]> locks;
std::atomic<uint64_t> tick{1}, next_seq{1}, ops_done{0}, bad{0};
std::atomic<bool> stop{false};
std::vector<Op> history(1 << 18);
std::unique_ptr<std::atomic<int64_t>[]> busy_since; // ms, 0 when idle
int fd = -1;
uint64_t lbs = 512;

int64_t now_us()
{
	return std::chrono::duration_cast<std::chrono::microseconds>(
		       std::chrono::steady_clock::now().time_since_epoch())
		.count();
}

uint64_t word(uint64_t seq, uint64_t sector, uint64_t i)
{
	uint64_t x = (seq * 0x9e3779b97f4a7c15ull) ^ (sector * 0xbf58476d1ce4e5b9ull) ^ opt.seed;
	return (x ^ (x >> 29)) + i * 0x94d049bb133111ebull;
}

void stamp(uint64_t *p, uint64_t seq, uint64_t sector)
{
	p[0] = kMagic ^ opt.seed;
	p[1] = seq;
	p[2] = sector;
	uint64_t w = word(seq, sector, 3);
	for (uint64_t i = 3; i < kWords; i++, w += 0x94d049bb133111ebull)
		p[i] = w;
}

struct Seen {
	enum { kStamp, kZeroes, kGarbage } what;
	uint64_t seq;
};

Seen look(const uint64_t *p, uint64_t sector)
{
	if (p[0] == 0) {
		for (uint64_t i = 1; i < kWords; i++)
			if (p[i] != 0)
				return {Seen::kGarbage, 0};
		return {Seen::kZeroes, 0};
	}
	if (p[0] != (kMagic ^ opt.seed) || p[2] != sector)
		return {Seen::kGarbage, p[1]};
	uint64_t w = word(p[1], sector, 3);
	for (uint64_t i = 3; i < kWords; i++, w += 0x94d049bb133111ebull)
		if (p[i] != w)
			return {Seen::kGarbage, p[1]};
	return {Seen::kStamp, p[1]};
}

bool fits(const Entry &e, const Seen &s)
{
	if (s.what == Seen::kGarbage)
		return false;
	if (e.tag & kWild)
		return true;
	return e.tag & kZero ? s.what == Seen::kZeroes
			     : s.what == Seen::kStamp && (e.tag & kSeq) == s.seq;
}

template <typename F> void each_locked(uint64_t off, uint64_t len, F f)
{
	uint64_t s = off / kSector, end = (off + len) / kSector;
	while (s < end) {
		uint64_t region = s / kRegion, stop_at = std::min(end, (region + 1) * kRegion);
		std::lock_guard<std::mutex> g(locks[region]);
		for (; s < stop_at; s++)
			f(s);
	}
}

void complain(uint64_t sector, const Seen &s, const uint64_t *p, uint64_t since,
	      const std::vector<Entry> &allowed)
{
	if (bad.fetch_add(1) >= 10)
		return;
	std::string line = "hammer: WRONG DATA at sector " + std::to_string(sector) + ": found ";
	char buf[160];
	if (s.what == Seen::kZeroes) {
		line += "zeroes";
	} else {
		snprintf(buf, sizeof(buf), "%s seq %" PRIu64 " sector %" PRIu64 " (%016" PRIx64 ")",
			 s.what == Seen::kStamp ? "write" : "torn or foreign", s.seq, p[2], p[0]);
		line += buf;
		const Op &o = history[s.seq % history.size()];
		if (s.what == Seen::kStamp && (o.tag & kSeq) == s.seq) {
			snprintf(buf, sizeof(buf),
				 " [off %" PRIu64 " len %" PRIu64 " ticks %" PRIu64 "..%" PRId64
				 "]",
				 o.off, o.len, o.start, static_cast<int64_t>(o.end));
			line += buf;
		}
	}
	line += ", read began at " + std::to_string(since) + "; allowed:";
	for (const Entry &e : allowed) {
		snprintf(buf, sizeof(buf), " %s%" PRIu64 "(end %" PRId64 ")",
			 e.tag & kWild   ? "discard:"
			 : e.tag & kZero ? "zeroes:"
					 : "",
			 e.tag & kSeq, static_cast<int64_t>(e.end));
		line += buf;
	}
	fprintf(stderr, "%s\n", line.c_str());
	stop = true;
}

// The rare cases: a write that came and went while we read is in neither
// list; and a RAM disk tears a sector that two writes, or a write and a read,
// touch at once: then each byte has to come from one of them.
bool explained(const uint64_t *p, uint64_t s, uint64_t since, const Seen &seen,
	       std::vector<Entry> all, const std::vector<Entry> &now)
{
	all.insert(all.end(), now.begin(), now.end());
	for (uint64_t q = next_seq, n = 0; --q && ++n < 4096;) {
		const Op &o = history[q % history.size()];
		if (o.end <= since || o.off > s * kSector || s * kSector >= o.off + o.len)
			continue;
		all.push_back({o.tag, o.end});
		if (fits(all.back(), seen))
			return true;
	}
	std::vector<uint64_t> one(kWords), left(kWords, UINT64_MAX);
	for (const Entry &e : all) {
		if (e.tag & kWild)
			return true;
		if (e.tag & kZero)
			std::fill(one.begin(), one.end(), 0);
		else
			stamp(one.data(), e.tag & kSeq, s);
		const auto *a = reinterpret_cast<const char *>(p),
			   *b = reinterpret_cast<char *>(one.data());
		auto *l = reinterpret_cast<char *>(left.data());
		for (uint64_t i = 0; i < kSector; i++)
			if (a[i] == b[i])
				l[i] = 0;
	}
	return std::all_of(left.begin(), left.end(), [](uint64_t w) { return w == 0; });
}

// What a read that began at `since` returned: allowed is whatever the model
// held then, or anything begun meanwhile.
void judge(uint64_t off, uint64_t len, const char *buf, uint64_t since,
	   const std::vector<std::vector<Entry>> &before)
{
	uint64_t first = off / kSector;
	each_locked(off, len, [&](uint64_t s) {
		const auto *p = reinterpret_cast<const uint64_t *>(buf + (s - first) * kSector);
		Seen seen = look(p, s);
		auto &now = model[s];
		bool ok = false, settled = true, wild = false;
		for (const Entry &e : before[s - first])
			ok = ok || fits(e, seen);
		for (const Entry &e : now) {
			ok = ok || fits(e, seen);
			settled = settled && e.end < since;
			wild = wild || (e.tag & kWild);
		}
		if (!ok)
			ok = explained(p, s, since, seen, before[s - first], now);
		if (!ok) {
			complain(s, seen, p, since, before[s - first]);
		} else if (settled && !wild && now.size() > 1) {
			for (const Entry &e : now)
				if (fits(e, seen)) {
					Entry keep = e;
					now.assign(1, keep);
					break;
				}
		}
	});
}

struct Worker {
	std::mt19937_64 rng;
	char *buf;
	unsigned id;
	Stats st;
	std::vector<std::vector<Entry>> before;

	explicit Worker(unsigned i) : rng(opt.seed * 1000003 + i), id(i)
	{
		if (posix_memalign(reinterpret_cast<void **>(&buf), 4096,
				   std::max<uint64_t>(opt.max, 1u << 20)))
			die("no memory");
	}
	~Worker() { free(buf); }
	Worker(const Worker &) = delete;
	Worker &operator=(const Worker &) = delete;

	uint64_t pick(uint64_t n) { return rng() % n; }
	bool chance(int pct) { return static_cast<int>(pick(100)) < pct; }

	void place(uint64_t &off, uint64_t &len)
	{
		bool hot = opt.hot_len && chance(opt.hot);
		uint64_t base = hot ? opt.hot_off : opt.range_off;
		uint64_t room = hot ? opt.hot_len : opt.range_len;
		double lo = std::log2(static_cast<double>(opt.min));
		double hi = std::log2(static_cast<double>(std::min(opt.max, room)));
		std::uniform_real_distribution<double> d(lo, std::max(lo, hi));
		len = static_cast<uint64_t>(std::exp2(d(rng))) / lbs * lbs;
		len = std::min(std::max(len, lbs), room / lbs * lbs);
		off = base + pick((room - len) / lbs + 1) * lbs;
	}

	// Runs one syscall, timed and watched; short transfers are an error.
	template <typename F> bool run(F f, uint64_t want, std::vector<float> *lat)
	{
		int64_t t0 = now_us();
		busy_since[id] = t0 / 1000 + 1;
		ssize_t r = f();
		int e = errno;
		busy_since[id] = 0;
		if (lat)
			lat->push_back(static_cast<float>(now_us() - t0) / 1000);
		if (r >= 0 && static_cast<uint64_t>(r) == want)
			return true;
		st.errors++;
		if (!opt.allow_errors) {
			fprintf(stderr, "hammer: I/O failed: %s (returned %zd of %" PRIu64 ")\n",
				r < 0 ? strerror(e) : "short", r, want);
			bad++;
			stop = true;
		}
		return false;
	}

	ssize_t transfer(bool write, uint64_t off, uint64_t len, int flags)
	{
		struct iovec v = {buf, len};
		auto pos = static_cast<off_t>(off + opt.shift);
		if (flags & RWF_NOWAIT) {
			ssize_t r = write ? pwritev2(fd, &v, 1, pos, flags)
					  : preadv2(fd, &v, 1, pos, flags);
			if (r == static_cast<ssize_t>(len))
				return r;
			if (r < 0 && errno != EAGAIN && errno != EOPNOTSUPP)
				return r;
			st.again++;
		}
		flags &= ~RWF_NOWAIT;
		return write ? pwritev2(fd, &v, 1, pos, flags) : preadv2(fd, &v, 1, pos, flags);
	}

	void read(uint64_t off, uint64_t len)
	{
		uint64_t since = tick++, first = off / kSector;
		before.resize(std::max<size_t>(before.size(), len / kSector));
		each_locked(off, len, [&](uint64_t s) { before[s - first] = model[s]; });
		int flags = chance(opt.nowait) ? RWF_NOWAIT : 0;
		if (run([&] { return transfer(false, off, len, flags); }, len, &st.read_ms))
			judge(off, len, buf, since, before);
	}

	void change(Kind kind, uint64_t off, uint64_t len)
	{
		uint64_t seq = next_seq++, tag = seq, start = tick++;
		if (kind == kZeroout || (kind == kDiscard && opt.discard_zeroes))
			tag |= kZero;
		else if (kind == kDiscard)
			tag |= kWild;
		Op &op = history[seq % history.size()];
		op = {tag, off, len, start, kInFlight};
		if (kind == kWrite)
			for (uint64_t i = 0; i < len; i += kSector)
				stamp(reinterpret_cast<uint64_t *>(buf + i), seq,
				      (off + i) / kSector);
		each_locked(off, len, [&](uint64_t s) { model[s].push_back({tag, kInFlight}); });
		bool ok;
		if (kind == kWrite) {
			int flags = (chance(opt.fua) ? RWF_DSYNC : 0) |
				    (chance(opt.nowait) ? RWF_NOWAIT : 0);
			ok = run([&] { return transfer(true, off, len, flags); }, len,
				 &st.write_ms);
		} else {
			uint64_t arg[2] = {off + opt.shift, len};
			ok = run(
				[&] {
					return ioctl(fd, kind == kDiscard ? BLKDISCARD : BLKZEROOUT,
						     arg);
				},
				0, &st.write_ms);
		}
		uint64_t end = tick++;
		op.end = end;
		each_locked(off, len, [&](uint64_t s) {
			auto &v = model[s];
			if (ok) // a failed write may or may not have landed: it hides nothing
				v.erase(std::remove_if(
						v.begin(), v.end(),
						[&](const Entry &e) { return e.end < start; }),
					v.end());
			for (Entry &e : v)
				if (e.tag == tag)
					e.end = end;
		});
	}

	void loop(int64_t until)
	{
		while (!stop && now_us() < until && (!opt.ops || ops_done++ < opt.ops)) {
			uint64_t off, len;
			place(off, len);
			int dice = static_cast<int>(pick(100));
			Kind k = kWrite;
			if ((dice -= opt.read) < 0)
				k = kRead;
			else if ((dice -= opt.discard) < 0)
				k = kDiscard;
			else if ((dice -= opt.zero) < 0)
				k = kZeroout;
			else if ((dice -= opt.flush) < 0)
				k = kFlush;
			st.n[k]++;
			if (k == kRead)
				read(off, len);
			else if (k == kFlush)
				run([&] { return fdatasync(fd); }, 0, nullptr);
			else
				change(k, off, len);
			if (opt.think_us)
				usleep(static_cast<useconds_t>(pick(2 * opt.think_us)));
		}
	}
};

void sweep(bool write)
{
	Worker w(0);
	uint64_t end = opt.range_off + opt.range_len;
	for (uint64_t off = opt.range_off; off < end && bad < 10; off += 1u << 20) {
		uint64_t len = std::min<uint64_t>(1u << 20, end - off);
		if (write)
			w.change(kWrite, off, len);
		else
			w.read(off, len);
	}
	if (w.st.errors && !write)
		bad++;
}

void save()
{
	FILE *f = fopen(opt.dump.c_str(), "w");
	if (!f)
		die("cannot write " + opt.dump);
	uint64_t head[5] = {kMagic, opt.seed, opt.range_off, opt.range_len, next_seq};
	bool ok = fwrite(head, sizeof(head), 1, f) == 1;
	for (uint64_t s = opt.range_off / kSector; s < model.size(); s++) {
		uint64_t n = model[s].size();
		ok = ok && fwrite(&n, 8, 1, f) == 1;
		for (const Entry &e : model[s])
			ok = ok && fwrite(&e.tag, 8, 1, f) == 1;
	}
	if (fclose(f) || !ok)
		die("cannot write " + opt.dump);
}

void prepare(uint64_t size)
{
	FILE *f = nullptr;
	uint64_t head[5];
	if (!opt.load.empty()) {
		f = fopen(opt.load.c_str(), "r");
		if (!f || fread(head, sizeof(head), 1, f) != 1 || head[0] != kMagic)
			die("no model in " + opt.load);
		opt.seed = head[1];
		opt.range_off = head[2];
		opt.range_len = head[3];
		next_seq = head[4];
	}
	if (!opt.range_len)
		opt.range_len = size - opt.range_off;
	opt.range_len = opt.range_len / lbs * lbs;
	if (opt.range_off + opt.range_len + opt.shift > size)
		die("the range is larger than the device");
	model.resize((opt.range_off + opt.range_len) / kSector, {{kZero, 0}});
	locks = std::make_unique<std::mutex[]>(model.size() / kRegion + 1);
	if (!f)
		return;
	for (uint64_t s = opt.range_off / kSector; s < model.size(); s++) {
		uint64_t n, tag;
		if (fread(&n, 8, 1, f) != 1)
			die("short model");
		model[s].clear();
		while (n-- && fread(&tag, 8, 1, f) == 1)
			model[s].push_back({tag, 0});
	}
	fclose(f);
}

void report(const std::vector<std::unique_ptr<Worker>> &workers)
{
	Stats sum;
	for (const auto &w : workers) {
		for (int i = 0; i < 5; i++)
			sum.n[i] += w->st.n[i];
		sum.errors += w->st.errors;
		sum.again += w->st.again;
		sum.write_ms.insert(sum.write_ms.end(), w->st.write_ms.begin(),
				    w->st.write_ms.end());
		sum.read_ms.insert(sum.read_ms.end(), w->st.read_ms.begin(), w->st.read_ms.end());
	}
	auto at = [](std::vector<float> &v, double q) {
		if (v.empty())
			return 0.0;
		std::sort(v.begin(), v.end());
		return static_cast<double>(
			v[static_cast<size_t>(q * static_cast<double>(v.size() - 1))]);
	};
	printf("hammer: reads=%" PRIu64 " writes=%" PRIu64 " discards=%" PRIu64 " zeroes=%" PRIu64
	       " flushes=%" PRIu64 " errors=%" PRIu64 " again=%" PRIu64
	       " write_p50_ms=%.1f write_p99_ms=%.1f write_max_ms=%.1f read_max_ms=%.1f "
	       "bad=%" PRIu64 "\n",
	       sum.n[kRead], sum.n[kWrite], sum.n[kDiscard], sum.n[kZeroout], sum.n[kFlush],
	       sum.errors, sum.again, at(sum.write_ms, 0.5), at(sum.write_ms, 0.99),
	       at(sum.write_ms, 1), at(sum.read_ms, 1), bad.load());
}

void on_signal(int)
{
	stop = true;
}

} // namespace

int main(int argc, char **argv)
{
	parse(argc, argv);
	struct stat sb;
	fd = open(opt.device.c_str(), (opt.check ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &sb))
		die("cannot open " + opt.device + ": " + strerror(errno));
	if (!S_ISBLK(sb.st_mode))
		die(opt.device + " is no block device");
	int ssz = 512;
	uint64_t size = 0;
	if (ioctl(fd, BLKSSZGET, &ssz) || ioctl(fd, BLKGETSIZE64, &size))
		die("cannot size " + opt.device);
	lbs = static_cast<uint64_t>(ssz);
	busy_since = std::make_unique<std::atomic<int64_t>[]>(opt.threads + 1);
	prepare(size);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);

	std::atomic<bool> over{false};
	std::thread watchdog([&] {
		for (; !over; usleep(50000)) {
			for (unsigned i = 0; i < opt.threads; i++) {
				int64_t since = busy_since[i], age = now_us() / 1000 - since;
				if (!since || age <= static_cast<int64_t>(opt.stuck_s) * 1000)
					continue;
				fprintf(stderr,
					"hammer: STUCK: an I/O has been waiting for %" PRId64
					" ms\n",
					age);
				_exit(3);
			}
		}
	});
	std::vector<std::unique_ptr<Worker>> workers;
	std::vector<std::thread> threads;
	if (!opt.check) {
		if (!opt.zeroed && opt.load.empty())
			sweep(true);
		puts("hammer: filled");
		fflush(stdout);
		int64_t until = now_us() + static_cast<int64_t>(opt.seconds * 1e6);
		for (unsigned i = 0; i < opt.threads; i++)
			workers.push_back(std::make_unique<Worker>(i));
		for (auto &w : workers)
			threads.emplace_back([&w, until] { w->loop(until); });
		for (auto &t : threads)
			t.join();
	}
	if (bad == 0)
		sweep(false);
	over = true;
	watchdog.join();
	report(workers);
	if (!opt.dump.empty())
		save();
	return bad ? 1 : 0;
}
