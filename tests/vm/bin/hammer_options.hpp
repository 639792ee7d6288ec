// SPDX-License-Identifier: GPL-2.0-or-later
// The command line of hammer.
#ifndef BLKCTL_TESTS_VM_HAMMER_OPTIONS_HPP
#define BLKCTL_TESTS_VM_HAMMER_OPTIONS_HPP

#include <getopt.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace
{

struct Options {
	std::string device, dump, load;
	uint64_t seed = 1, threads = 8, ops = 0, min = 512, max = 4u << 20;
	uint64_t range_off = 0, range_len = 0, hot_off = 0, hot_len = 0;
	uint64_t think_us = 0, stuck_s = 60, shift = 0;
	double seconds = 5;
	int hot = 0, read = 30, discard = 0, zero = 0, flush = 0, fua = 0, nowait = 0;
	bool check = false, zeroed = false, allow_errors = false, discard_zeroes = false;
} opt;

[[noreturn]] void die(const std::string &what)
{
	fprintf(stderr, "hammer: %s\n", what.c_str());
	_exit(2);
}

uint64_t bytes(const char *s)
{
	char *end;
	uint64_t v = strtoull(s, &end, 0);
	if (*end == 'k')
		v <<= 10, end++;
	else if (*end == 'm')
		v <<= 20, end++;
	if (*end && *end != ':')
		die(std::string("not a number: ") + s);
	return v;
}

void pair(const char *s, uint64_t &a, uint64_t &b)
{
	const char *colon = strchr(s, ':');
	if (!colon)
		die("expected OFFSET:LENGTH");
	a = bytes(s);
	b = bytes(colon + 1);
}

const char kUsage[] = "usage: hammer [options] DEVICE   (numbers take k and m)\n"
		      "  --seed N --threads N --seconds S --ops N --think-us N\n"
		      "  --min BYTES --max BYTES   sizes, chosen evenly on a log scale\n"
		      "  --range OFF:LEN           stay in there\n"
		      "  --hot OFF:LEN --hot-pct N a share of the I/O goes in there\n"
		      "  --read PCT --discard PCT --zero PCT --flush PCT   the rest are writes\n"
		      "  --fua PCT --nowait PCT    of the writes\n"
		      "  --discard-zeroes          a discard here leaves zeroes\n"
		      "  --zeroed                  the device holds zeroes: do not fill it first\n"
		      "  --allow-errors            a failed write leaves old or new\n"
		      "  --stuck SECONDS           an I/O this old is reported and ends the run\n"
		      "  --dump-model FILE --load-model FILE\n"
		      "  --check                   only verify DEVICE against the loaded model\n"
		      "  --shift BYTES             the range begins this much later on DEVICE\n";

void parse(int argc, char **argv)
{
	enum { kOps = 256 };
	static const char *names[] = {"seed",       "threads",      "seconds",
				      "ops",        "think-us",     "min",
				      "max",        "range",        "hot",
				      "hot-pct",    "read",         "discard",
				      "zero",       "flush",        "fua",
				      "nowait",     "stuck",        "dump-model",
				      "load-model", "shift",        "discard-zeroes",
				      "zeroed",     "allow-errors", "check"};
	std::vector<option> longs;
	for (int i = 0; i < 24; i++)
		longs.push_back({names[i], i < 20, nullptr, kOps + i});
	longs.push_back({nullptr, 0, nullptr, 0});
	auto pct = [](const char *s) { return static_cast<int>(bytes(s)); };
	for (int c; (c = getopt_long(argc, argv, "", longs.data(), nullptr)) != -1;) {
		switch (c - kOps) {
		case 0:
			opt.seed = bytes(optarg);
			break;
		case 1:
			opt.threads = bytes(optarg);
			break;
		case 2:
			opt.seconds = atof(optarg);
			break;
		case 3:
			opt.ops = bytes(optarg);
			opt.seconds = 1e6;
			break;
		case 4:
			opt.think_us = bytes(optarg);
			break;
		case 5:
			opt.min = bytes(optarg);
			break;
		case 6:
			opt.max = bytes(optarg);
			break;
		case 7:
			pair(optarg, opt.range_off, opt.range_len);
			break;
		case 8:
			pair(optarg, opt.hot_off, opt.hot_len);
			break;
		case 9:
			opt.hot = pct(optarg);
			break;
		case 10:
			opt.read = pct(optarg);
			break;
		case 11:
			opt.discard = pct(optarg);
			break;
		case 12:
			opt.zero = pct(optarg);
			break;
		case 13:
			opt.flush = pct(optarg);
			break;
		case 14:
			opt.fua = pct(optarg);
			break;
		case 15:
			opt.nowait = pct(optarg);
			break;
		case 16:
			opt.stuck_s = bytes(optarg);
			break;
		case 17:
			opt.dump = optarg;
			break;
		case 18:
			opt.load = optarg;
			break;
		case 19:
			opt.shift = bytes(optarg);
			break;
		case 20:
			opt.discard_zeroes = true;
			break;
		case 21:
			opt.zeroed = true;
			break;
		case 22:
			opt.allow_errors = true;
			break;
		case 23:
			opt.check = true;
			break;
		default:
			die(kUsage);
		}
	}
	if (optind + 1 != argc)
		die(kUsage);
	opt.device = argv[optind];
	if (opt.check && opt.load.empty())
		die("--check needs --load-model");
	if (opt.hot_len && !opt.hot)
		opt.hot = 90;
}

} // namespace

#endif
