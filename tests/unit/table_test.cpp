// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/blkcopy.hpp"
#include "table/linear.hpp"
#include "table/view.hpp"
#include <gtest/gtest.h>
#include <random>
#include <sstream>

using namespace blkctl;
using namespace blkctl::table;

namespace
{

constexpr const char *everything =
	"mirror 8:0 0 8:16 0 - 128 3 no_discard_passdown detect_zeroes paused 14 rate_kib 0 "
	"inflight_kib 64 run_kib 4 segment_mib 1 copy_mode background on_base_error ignore "
	"on_top_error enospc";

constexpr const char *tables[] = {
	"track 8:0 0 - 0 - 128",
	"track 253:12 2048 - 0 - 8",
	"track 8:0 18446744073709551615 - 0 mem:abc 2048",
	"mirror 8:0 0 8:16 0 - 128",
	"mirror 8:0 0 8:16 0 259:1048575 128 1 paused",
	"mirror 8:0 2048 8:16 4096 - 128 0 2 rate_kib 1024",
	"track 8:0 0 - 0 8:32 128",
	"mirror 8:0 0 8:16 0 - 128 1 paused 4 rate_kib 1 bitmaps 8:32",
	"overlay 8:0 0 8:16 0 8:48 128 0 2 bitmaps 8:32",
	"mirror 8:0 0 8:16 0 - 128 0 2 sync nightly",
	"mirror 8:0 0 8:16 0 - 128 1 paused 6 rate_kib 1 bitmaps 8:32 sync a-b_c.d+e:f",
	everything,
};

constexpr const char *statuses[] = {
	"track idle rw 1024 0 0 0 1024 128 0 0 0 0/1 0 0 0 0 0",
	"mirror copying rw 1000 20 0 4 1024 128 1280 4096 51200 0/16 0 0 0 0 0",
	"mirror aborted rw 1 0 0 0 1 8 0 0 0 0/1 7 18446744073709551615 0 0 0",
	"mirror synced meta_ro 0 1 0 0 1 2048 0 0 0 1/1 0 0 9 1 2 one 5 recording two 0 disabled",
	"mirror copying rw 1 0 0 0 1 8 0 0 0 0/1 1 0 0 0 0 -",
	"mirror copying rw 1 0 0 0 1 8 0 0 0 0/1 1 0 0 0 1 one 5 recording user",
	"mirror aborted rw 1 0 0 0 1 8 0 0 0 0/1 7 0 0 0 0 policy",
	"mirror synced rw 0 1 0 0 1 2048 0 0 0 1/1 0 0 9 1 0 - verified 1 0",
	"track idle rw 1 0 0 0 1 8 0 0 0 0/1 0 0 0 0 1 one 5 recording - - 0 0",
	"track idle rw 1 0 0 0 1 8 0 0 0 0/1 0 0 0 0 2 a 5 recording b 0 frozen - - 0 0 8 2097152",
	"mirror synced fail 0 1 0 0 1 2048 0 0 0 1/1 0 0 9 1 0 - verifying 1 0 something new",
	"mirror synced rw 0 1 0 0 1 8 0 0 0 1/1 0 0 9 1 1 one 5 recording - - 0 0 8 something new",
};

std::vector<std::string> words_of(const std::string &line)
{
	std::istringstream stream(line);
	std::vector<std::string> words;
	std::string word;

	while (stream >> word)
		words.push_back(word);
	return words;
}

std::string join(const std::vector<std::string> &words)
{
	std::string line;

	for (const auto &word : words)
		line += (line.empty() ? "" : " ") + word;
	return line;
}

// Every line that is one step away from a good one: a word gone, doubled, or replaced by something
// it cannot be.
template <class Check> void sweep(const std::string &line, Check check)
{
	const auto words = words_of(line);
	const char *const odd[] = {"-1",    "+1",  "x",         "1x",     "99999999999999999999999",
				   "0x1",   "",    "8:",        ":0",     "4096:0",
				   "8:0:0", "1.5", "8:1048576", "paused "};

	for (size_t i = 0; i < words.size(); i++) {
		auto gone = words;
		gone.erase(gone.begin() + static_cast<ptrdiff_t>(i));
		check(join(gone));
		auto doubled = words;
		doubled.insert(doubled.begin() + static_cast<ptrdiff_t>(i), words[i]);
		check(join(doubled));
		for (const auto *word : odd) {
			auto replaced = words;
			replaced[i] = word;
			check(join(replaced));
		}
	}
	check(line + " ");
	check(" " + line);
}

class Generator
{
      public:
	explicit Generator(uint32_t seed) : engine_(seed) {}

	Blkcopy table()
	{
		Blkcopy t;
		t.mode = static_cast<Mode>(number() % 5);
		t.base = leg();
		if (t.mode != Mode::track)
			t.top = leg();
		t.meta = t.is_durable() ? leg().device.str()
			 : coin()       ? "-"
			 : coin()       ? "mem:id-" + std::to_string(number())
					: leg().device.str();
		if (t.mode == Mode::track ? t.meta_device().has_value() : coin())
			t.bitmaps = leg().device;
		// In track they are where the metadata is.
		if (t.mode == Mode::track && t.bitmaps)
			t.meta = "-";
		if (t.mode == Mode::mirror && coin())
			t.sync = "b" + std::to_string(number());
		t.block_sectors = 8u << (number() % 9);
		t.features = {coin(), coin(), coin(), coin(), coin()};
		if (coin())
			t.params.rate_kib = static_cast<uint32_t>(number());
		if (coin())
			t.params.inflight_kib = static_cast<uint32_t>(number());
		if (coin())
			t.params.run_kib = static_cast<uint32_t>(number());
		if (coin())
			t.params.segment_mib = static_cast<uint32_t>(number());
		if (coin())
			t.params.copy_mode = coin() ? CopyMode::dual : CopyMode::background;
		if (coin())
			t.params.on_base_error = static_cast<Policy>(number() % 4);
		if (coin())
			t.params.on_top_error = static_cast<Policy>(number() % 4);
		return t;
	}

	BlkcopyStatus status()
	{
		BlkcopyStatus s;
		s.mode = static_cast<Mode>(number() % 5);
		s.phase = static_cast<Phase>(number() % 9);
		s.health = static_cast<Health>(number() % 3);
		s.base_only = number() >> 3;
		s.both = number() >> 3;
		s.top_only = number() >> 3;
		s.zero = number() >> 3;
		s.total = s.base_only + s.both + s.top_only + s.zero;
		s.block_sectors = 8u << (number() % 9);
		s.copied_kib = number();
		s.inflight_kib = number();
		s.rate_kib = number();
		s.segments_marked = number();
		s.segments = number();
		s.base_errors = number();
		s.top_errors = number();
		s.meta_commits = number();
		s.meta_torn = number();
		for (uint64_t i = number() % 3; i > 0; i--)
			s.bitmaps.push_back({"b" + std::to_string(i), number(), "recording"});
		if (coin())
			return s;
		s.cause = static_cast<Cause>(number() % 3);
		if (coin())
			return s;
		s.verify = {coin() ? "-" : "verified", number(), number()};
		if (coin())
			return s;
		for (auto &bitmap : s.bitmaps)
			bitmap.granule_sectors = 8u << (number() % 9);
		for (uint64_t i = number() % 3; i > 0; i--)
			s.more.push_back("m" + std::to_string(i));
		return s;
	}

      private:
	uint64_t number() { return engine_() >> (engine_() % 60); }
	bool coin() { return number() % 2 == 0; }
	Leg leg()
	{
		return {{static_cast<uint32_t>(number() % 4096),
			 static_cast<uint32_t>(number() % 1048576)},
			number()};
	}

	std::mt19937_64 engine_;
};

} // namespace

TEST(Table, PrintsWhatItParsed)
{
	for (const auto *line : tables) {
		const auto table = parse_blkcopy(line);
		ASSERT_TRUE(table) << line << ": " << table.error().message();
		EXPECT_EQ(print(*table), line);
	}
}

TEST(Table, ParsesWhatItPrinted)
{
	Generator generator(1);

	for (int i = 0; i < 20000; i++) {
		const auto table = generator.table();
		const auto parsed = parse_blkcopy(print(table));
		ASSERT_TRUE(parsed) << print(table) << ": " << parsed.error().message();
		ASSERT_EQ(*parsed, table) << print(table);
	}
}

// A line one step away is either refused, or means something else and prints as itself.
TEST(Table, MalformedLinesAreRefused)
{
	int refused = 0;

	for (const auto *good : tables) {
		sweep(good, [&](const std::string &line) {
			const auto table = parse_blkcopy(line);
			if (!table) {
				refused++;
				EXPECT_FALSE(table.error().why.empty());
				EXPECT_EQ(table.error().status, Status::failed);
			} else if (line.find(" 0 - 128 0") == std::string::npos) {
				EXPECT_EQ(print(*table), line);
			}
		});
	}
	EXPECT_GT(refused, 800);
}

TEST(Table, RefusalsNameTheArgument)
{
	const std::pair<const char *, const char *> bad[] = {
		{"", "mode"},
		{"stream 8:0 0 8:16 0 - 128", "mode"},
		{"track", "base device"},
		{"track /dev/sda 0 - 0 - 128", "base device"},
		{"track 8:0 -1 - 0 - 128", "base offset"},
		{"track 8:0 0 8:16 0 - 128", "top device"},
		{"track 8:0 0 - 8 - 128", "top offset"},
		{"mirror 8:0 0 - 0 - 128", "top device"},
		{"mirror 8:0 0 8:16 0 mem: 128", "metadata"},
		{"mirror 8:0 0 8:16 0 - 0", "block size"},
		{"mirror 8:0 0 8:16 0 - 4", "block size"},
		{"mirror 8:0 0 8:16 0 - 4096", "block size"},
		{"mirror 8:0 0 8:16 0 - 100", "block size"},
		{"mirror 8:0 0 8:16 0 - 4294967424", "block size"},
		{"mirror 8:0 0 8:16 0 - 128 1", "feature"},
		{"mirror 8:0 0 8:16 0 - 128 1 fast", "feature"},
		{"mirror 8:0 0 8:16 0 - 128 2 paused paused", "twice"},
		{"mirror 8:0 0 8:16 0 - 128 4294967295 paused", "feature"},
		{"mirror 8:0 0 8:16 0 - 128 0 1 rate_kib", "odd"},
		{"mirror 8:0 0 8:16 0 - 128 0 2 rate_kib", "rate_kib"},
		{"mirror 8:0 0 8:16 0 - 128 0 2 rate_kib 4294967296", "rate_kib"},
		{"mirror 8:0 0 8:16 0 - 128 0 4 rate_kib 1 rate_kib 1", "twice"},
		{"mirror 8:0 0 8:16 0 - 128 0 2 copy_mode fast", "copy_mode"},
		{"mirror 8:0 0 8:16 0 - 128 0 2 on_top_error panic", "on_top_error"},
		{"mirror 8:0 0 8:16 0 - 128 0 2 speed 1", "parameter"},
		{"mirror 8:0 0 8:16 0 - 128 0 2 bitmaps -", "bitmaps"},
		{"mirror 8:0 0 8:16 0 - 128 0 4 bitmaps 8:1 bitmaps 8:1", "twice"},
		{"track 8:0 0 - 0 - 128 0 2 bitmaps 8:1", "where its metadata is"},
		{"mirror 8:0 0 8:16 0 - 128 0 2 sync", "sync is missing"},
		{"mirror 8:0 0 8:16 0 - 128 0 2 sync a*b", "the name of a bitmap"},
		{"mirror 8:0 0 8:16 0 - 128 0 4 sync a sync b", "twice"},
		{"track 8:0 0 - 0 - 128 0 2 sync a", "no mirror begins"},
		{"backup 8:0 0 8:16 0 - 128 0 2 sync a", "no mirror begins"},
		{"mirror 8:0 0 8:16 0 - 128 0 2 rate_kib 1 more", "too many"},
	};
	for (const auto &[line, word] : bad) {
		const auto table = parse_blkcopy(line);
		ASSERT_FALSE(table) << line;
		EXPECT_NE(table.error().why.find(word), std::string::npos)
			<< line << ": " << table.error().why;
	}
}

TEST(Status, PrintsWhatItParsed)
{
	for (const auto *line : statuses) {
		const auto status = parse_status(line);
		ASSERT_TRUE(status) << line << ": " << status.error().message();
		EXPECT_EQ(print(*status), line);
	}
}

TEST(Status, ParsesWhatItPrinted)
{
	Generator generator(2);

	for (int i = 0; i < 20000; i++) {
		const auto status = generator.status();
		const auto parsed = parse_status(print(status));
		ASSERT_TRUE(parsed) << print(status) << ": " << parsed.error().message();
		ASSERT_EQ(*parsed, status) << print(status);
	}
}

TEST(Status, MalformedLinesAreRefused)
{
	int refused = 0;

	for (const auto *good : statuses) {
		sweep(good, [&](const std::string &line) {
			const auto status = parse_status(line);
			if (status)
				EXPECT_EQ(print(*status), line);
			else
				refused++;
		});
	}
	EXPECT_GT(refused, 1000);
}

TEST(Status, CountsMustAddUp)
{
	for (const char *line : {
		     "track idle rw 1023 0 0 0 1024 128 0 0 0 0/1 0 0 0 0 0",
		     "track idle rw 1025 0 0 0 1024 128 0 0 0 0/1 0 0 0 0 0",
		     "track idle rw 18446744073709551615 2 0 0 1 128 0 0 0 0/1 0 0 0 0 0",
		     "track idle rw 1 0 0 0 1 0 0 0 0 0/1 0 0 0 0 0",
	     })
		EXPECT_FALSE(parse_status(line)) << line;
}

// Of an older module nobody knows them.
TEST(Status, HasTheGranulesOfItsBitmaps)
{
	const std::string line = "track idle rw 1 0 0 0 1 8 0 0 0 0/1 0 0 0 0 2 one 5 recording "
				 "two 0 frozen - - 0 0";
	const auto older = parse_status(line);
	ASSERT_TRUE(older);
	EXPECT_EQ(older->bitmaps[0].granule_sectors, std::nullopt);
	const auto status = parse_status(line + " 8 2048");
	ASSERT_TRUE(status) << status.error().message();
	EXPECT_EQ(status->bitmaps[0].granule_sectors, 8u);
	EXPECT_EQ(status->bitmaps[1].granule_sectors, 2048u);
	EXPECT_TRUE(status->more.empty());
	for (const auto *bad : {" 8", " 8 0", " 8 x"})
		EXPECT_FALSE(parse_status(line + bad)) << bad;
}

TEST(Linear, ParsesAndPrints)
{
	const auto linear = parse_linear("254:3 2048");
	ASSERT_TRUE(linear);
	EXPECT_EQ(linear->lower, (Leg{{254, 3}, 2048}));
	EXPECT_EQ(print(*linear), "254:3 2048");
	for (const char *line : {"", "254:3", "254:3 ", "254:3 x", "254:3 1 1", "/dev/sda 0",
				 "254:3 -1", "254:3 18446744073709551616", "254 0", " 254:3 0"})
		EXPECT_FALSE(parse_linear(line)) << line;
}

TEST(ViewLine, ParsesAndPrints)
{
	for (const char *line : {"253:0", "253:0 1 discards"}) {
		const auto view = parse_view(line);
		ASSERT_TRUE(view) << line;
		EXPECT_EQ(view->live, (DevNo{253, 0}));
		EXPECT_EQ(print(*view), line);
	}
	EXPECT_EQ(print(*parse_view("253:0 0")), "253:0");
	for (const char *line :
	     {"", "253", "253:0 ", "253:0 1", "253:0 1 discard", "253:0 0 discards",
	      "253:0 2 discards discards", "253:0 1 discards more", "data"})
		EXPECT_FALSE(parse_view(line)) << line;
}

TEST(Table, StreamOverlayAndCommitNeedAMetadataDevice)
{
	for (const std::string mode : {"stream", "overlay", "commit"}) {
		const auto table = parse_blkcopy(mode + " 8:0 0 8:16 8 8:32 128 1 paused");
		ASSERT_TRUE(table) << table.error().message();
		EXPECT_EQ(table->meta_device(), (DevNo{8, 32}));
		EXPECT_EQ(word(table->mode), mode);
		for (const char *meta : {"-", "mem:x", "8"}) {
			const auto bad = parse_blkcopy(mode + " 8:0 0 8:16 8 " + meta + " 128");
			ASSERT_FALSE(bad);
			EXPECT_NE(bad.error().why.find("MAJ:MIN"), std::string::npos);
		}
		EXPECT_FALSE(parse_blkcopy(mode + " 8:0 0 - 0 8:32 128"));
	}
	const auto stream = parse_blkcopy("stream 8:0 0 8:16 0 8:32 128 2 paused copy_on_read");
	ASSERT_TRUE(stream);
	EXPECT_TRUE(stream->features.copy_on_read);
}
