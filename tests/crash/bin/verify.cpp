// SPDX-License-Identifier: GPL-2.0-or-later
//
// verify STATE LOG DEVICE [keep]: does every sector of the device, or image,
// hold what it may hold after a cut? At least the last version whose write was
// acknowledged before a flush was asked for that was acknowledged too, or any
// later one that was asked for. What it holds is then what is known of it, and
// the log is emptied; not so with "keep".
// Exit status: 0 nothing is lost, 1 it is, 3 the device cannot be read.
#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <vector>

#include "model.hpp"

using namespace model;

namespace
{

constexpr uint32_t kNone = UINT32_MAX;
constexpr uint64_t kChunk = 2048; // sectors
constexpr uint64_t kReported = 12;

State *state;
Log *logged;
uint64_t flushed; // what was done before this tick is durable
uint64_t losses, newer;

struct Step { // one record of one sector, the latest first
	uint32_t record, before;
};
std::vector<uint32_t> latest; // by device sector
std::vector<Step> steps;

bool durable(const Record &r)
{
	return r.done && (r.fua || r.done < flushed);
}

void read_log()
{
	uint64_t n = std::min<uint64_t>(logged->records, kMaxRecords);
	latest.assign(state->sectors, kNone);
	for (uint64_t i = 0; i < n; i++) {
		const Record &r = logged->record[i];
		if (r.kind == Kind::kFlush && r.done)
			flushed = std::max(flushed, r.issued);
	}
	// Those of one sector were never in flight together, so the order in
	// which they were logged is that in which they were done.
	for (uint64_t i = 0; i < n; i++) {
		const Record &r = logged->record[i];
		if (r.kind == Kind::kFlush || !r.issued)
			continue;
		for (uint64_t s = r.first; s < r.first + r.count; s++) {
			steps.push_back({static_cast<uint32_t>(i), latest[s]});
			latest[s] = static_cast<uint32_t>(steps.size() - 1);
		}
	}
}

// A discard need not do anything: after it, zeroes are right and so is what
// was right before.
bool allowed(uint64_t sector, uint64_t known, uint64_t found)
{
	for (uint32_t at = latest[sector]; at != kNone; at = steps[at].before) {
		const Record &r = logged->record[steps[at].record];
		if (found == r.version) {
			newer++;
			return true;
		}
		if (r.kind != Kind::kDiscard && durable(r))
			return false;
	}
	return found == known;
}

void print_version(uint64_t version)
{
	if (version == kZeroes)
		printf("zeroes");
	else
		printf("version %" PRIu64, version);
}

void report(uint64_t sector, uint64_t known, const uint64_t *p, bool garbage, uint64_t found)
{
	// Of a run of sectors with the same story only the first.
	static uint64_t last = UINT64_MAX, last_found, reported;
	static uint32_t last_step;
	uint32_t step = latest[sector] == kNone ? kNone : steps[latest[sector]].record;
	bool more = losses++ && sector == last + 1 && found == last_found && step == last_step;
	last = sector;
	last_found = found;
	last_step = step;
	if (more || ++reported > kReported)
		return;
	printf("LOSS: sector %" PRIu64 " holds ", sector);
	if (garbage)
		printf("garbage (%016" PRIx64 " sector %" PRIu64 " version %" PRIu64 ")", p[0],
		       p[1], p[2]);
	else
		print_version(found);
	printf("; known before: ");
	print_version(known);
	std::vector<uint32_t> order;
	for (uint32_t at = latest[sector]; at != kNone; at = steps[at].before)
		order.push_back(steps[at].record);
	std::reverse(order.begin(), order.end());
	for (uint32_t i : order) {
		const Record &r = logged->record[i];
		printf("; then %s", r.kind == Kind::kDiscard ? "a discard, " : "");
		print_version(r.version);
		printf(" (%" PRIu64 "+%" PRIu64 ", %s)", r.first, r.count,
		       durable(r) ? (r.fua ? "fua" : "flushed")
		       : r.done   ? "acknowledged"
				  : "asked for");
	}
	printf("\n");
}

void check(uint64_t sector, uint64_t &known, const uint64_t *p)
{
	uint64_t found = kZeroes;
	bool garbage = false;
	if (!is_zero(p)) {
		garbage = !is_stamp(p, sector, state->seed);
		found = p[2];
	}
	if (garbage || !allowed(sector, known, found))
		report(sector, known, p, garbage, found);
	known = found;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	state = open_state(argv[1]);
	logged = open_log(argv[2]);
	int fd = open(argv[3], O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 && errno == EINVAL) // tmpfs
		fd = open(argv[3], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[3]);
		return 3;
	}
	read_log();
	auto *buf = static_cast<uint64_t *>(aligned_alloc(4096, kChunk * kSector));
	std::vector<uint64_t> seen;
	uint64_t at = 0;
	for (uint64_t i = 0; i < state->extents; i++) {
		const Extent &e = state->extent[i];
		for (uint64_t s = e.first; s < e.first + e.count;) {
			uint64_t n = std::min(kChunk, e.first + e.count - s);
			if (pread(fd, buf, n * kSector, static_cast<off_t>(s * kSector)) !=
			    static_cast<ssize_t>(n * kSector)) {
				printf("verify: cannot read %" PRIu64 "+%" PRIu64 ": %s\n", s, n,
				       strerror(errno));
				return 3;
			}
			for (uint64_t k = 0; k < n; k++, s++, at++) {
				seen.push_back(state->version[at]);
				check(s, seen.back(), buf + k * kWords);
			}
		}
	}
	free(buf);
	printf("verify: %" PRIu64 " sectors, %" PRIu64 " newer, %" PRIu64 " lost\n", at, newer,
	       losses);
	if (losses)
		return 1;
	if (argc < 5) {
		std::copy(seen.begin(), seen.end(), state->version);
		memset(static_cast<void *>(logged->record), 0,
		       std::min<uint64_t>(logged->records, kMaxRecords) * sizeof(Record));
		logged->records = 0;
		logged->tick = 0;
	}
	return 0;
}
