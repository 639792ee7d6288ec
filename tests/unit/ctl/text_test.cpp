// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/copy_options.hpp"
#include "cli/pace.hpp"
#include "cli/pivoting.hpp"
#include "cli/progress.hpp"
#include "cli/reporting.hpp"
#include "cli/show_text.hpp"
#include "cli/terminal.hpp"
#include "cli/waiting.hpp"
#include "refused.hpp"
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::cli;
using namespace std::chrono_literals;

namespace
{

job::Job copying(uint64_t done)
{
	job::Job job;
	job.state = job::State::copying;
	job.total_bytes = 128 << 20;
	job.done_bytes = done;
	return job;
}

Arguments parse(const char *verb, const std::vector<std::string> &words)
{
	return Arguments::parse(*find_verb(verb), words);
}

} // namespace

TEST(Progress, PercentIsNeverRoundedUpToTheEnd)
{
	EXPECT_EQ(percent_text(99.999), "99.9%");
	EXPECT_EQ(percent_text(100), "100.0%");
	EXPECT_EQ(percent_text(0), "0.0%");
	EXPECT_EQ(percent_text(37.19), "37.1%");
}

TEST(Progress, Times)
{
	EXPECT_EQ(clock_text(7s), "0:07");
	EXPECT_EQ(clock_text(764s), "12:44");
	EXPECT_EQ(clock_text(11109s), "3:05:09");
	EXPECT_EQ(span_text(840ms), "0.84 s");
	EXPECT_EQ(span_text(12340ms), "12.3 s");
	EXPECT_EQ(stall_text(0.412), "0.41 ms");
	EXPECT_EQ(stall_text(3.16), "3.2 ms");
	EXPECT_EQ(stall_text(1500), "1.50 s");
}

TEST(Progress, LineTellsStateBytesRateAndTime)
{
	job::Meter meter;
	auto start = job::Meter::Clock::now();
	meter.sample(start, copying(0));
	meter.sample(start + 1s, copying(32 << 20));
	std::string line = progress_line("data", copying(32 << 20), meter);
	EXPECT_EQ(line.find("data: copying 25.0%, 32.00 MiB of 128.00 MiB, "), 0u) << line;
	EXPECT_NE(line.find("/s, ETA 0:0"), std::string::npos) << line;
}

TEST(Progress, NoTimeIsMadeUp)
{
	job::Meter meter;
	std::string line = progress_line("data", copying(1 << 20), meter);
	EXPECT_NE(line.find("ETA unknown"), std::string::npos) << line;
}

TEST(Progress, ReadyIsAWordOfItsOwn)
{
	// All is copied, but the job does not say that it is ready yet.
	job::Meter meter;
	auto job = copying(128 << 20);
	EXPECT_EQ(progress_line("data", job, meter).find("ready"), std::string::npos);
	job.state = job::State::ready;
	EXPECT_EQ(progress_line("data", job, meter),
		  "data: ready 100.0%, 128.00 MiB of 128.00 MiB");
}

TEST(Progress, APausedJobHasNoRate)
{
	job::Meter meter;
	auto job = copying(1 << 20);
	job.state = job::State::paused;
	EXPECT_EQ(progress_line("data", job, meter), "data: paused 0.7%, 1.00 MiB of 128.00 MiB");
}

TEST(Progress, NoJobHasNoProgress)
{
	job::Meter meter;
	job::Job job;
	job.state = job::State::none;
	EXPECT_EQ(progress_line("data", job, meter), "data: no job");
}

TEST(Terminal, CutsALineToItsWidth)
{
	EXPECT_EQ(fit("abcdef", 6), "abcdef");
	EXPECT_EQ(fit("abcdefg", 6), "abc...");
	EXPECT_EQ(fit("abcdefg", 2), "ab");
}

TEST(Waiting, ChoicesExcludeEachOther)
{
	EXPECT_NE(refused([] {
			  waiting_of(parse("copy", {"a", "b", "--wait", "--no-wait"}), false);
		  }),
		  "");
	EXPECT_NE(
		refused([] {
			waiting_of(parse("copy", {"a", "b", "--no-wait", "--timeout", "3"}), false);
		}),
		"");
	EXPECT_NE(refused([] {
			  waiting_of(parse("copy", {"a", "b", "--timeout", "soon"}), false);
		  }),
		  "");
	EXPECT_NE(refused([] {
			  waiting_of(parse("copy", {"a", "b", "--interval", "1ms"}), false);
		  }),
		  "");
}

TEST(Waiting, TimesAreRead)
{
	auto waiting = waiting_of(
		parse("copy", {"a", "b", "--timeout", "2m", "--interval", "250ms"}), false);
	EXPECT_TRUE(waiting.wait);
	EXPECT_EQ(waiting.timeout, 120000ms);
	EXPECT_EQ(waiting.interval, 250ms);
	EXPECT_FALSE(waiting_of(parse("copy", {"a", "b", "--no-wait"}), true).wait);
	EXPECT_TRUE(waiting_of(parse("copy", {"a", "b"}), true).wait);
}

TEST(CopyOptions, AreReadAsTheKernelTakesThem)
{
	auto params = read_copy_options(
		parse("copy", {"a", "b", "--mode", "background", "--rate", "2M", "--inflight", "8M",
			       "--run", "64k", "--on-top-error", "stop"}));
	EXPECT_EQ(params.copy_mode, table::CopyMode::background);
	EXPECT_EQ(params.rate_kib, 2048u);
	EXPECT_EQ(params.inflight_kib, 8192u);
	EXPECT_EQ(params.run_kib, 64u);
	EXPECT_EQ(params.on_top_error, table::Policy::stop);
	EXPECT_EQ(params.on_base_error, std::nullopt);
	EXPECT_EQ(read_copy_options(parse("copy", {"a", "b"})), table::Params());
}

TEST(CopyOptions, AreRefusedByName)
{
	auto reason = [](const char *option, const char *value) {
		return refused([&] {
			read_copy_options(parse("copy", {"a", "b", option, value}));
		});
	};
	EXPECT_EQ(reason("--rate", "fast").find("--rate"), 0u);
	EXPECT_EQ(reason("--inflight", "1k").find("--inflight"), 0u);
	EXPECT_EQ(reason("--inflight", "65M").find("--inflight"), 0u);
	EXPECT_EQ(reason("--run", "2M").find("--run"), 0u);
	EXPECT_EQ(reason("--run", "4097").find("--run"), 0u);
	EXPECT_NE(reason("--mode", "both"), "");
	EXPECT_NE(reason("--on-base-error", "panic"), "");
}

TEST(Settings, AreTranslated)
{
	using Pair = std::pair<std::string, std::string>;
	EXPECT_EQ(read_setting("rate=5M"), Pair("rate_kib", "5120"));
	EXPECT_EQ(read_setting("mode=dual"), Pair("copy_mode", "dual"));
	EXPECT_EQ(read_setting("inflight=1M"), Pair("inflight_kib", "1024"));
	EXPECT_EQ(read_setting("on-top-error=stop"), Pair("on_top_error", "stop"));
	for (const char *bad : {"rate", "=5", "rate=", "colour=red", "inflight=lots", "run=2M",
				"mode=both", "on-top-error=panic", "rate=fast"})
		EXPECT_NE(refused([&] { read_setting(bad); }), "") << bad;
}

TEST(Show, MentionsATableThatIsLoadedOnly)
{
	report::Row row;
	row.volume.info.name = "data";
	EXPECT_EQ(show_text(row).find("loaded"), std::string::npos);
	row.volume.info.inactive_table = true;
	EXPECT_NE(show_text(row).find("blkctl abort data"), std::string::npos);
}

TEST(Show, SaysHowToMendAJob)
{
	report::Row row;
	row.volume.info.name = "data";
	row.volume.table.mode = table::Mode::commit;
	row.volume.table.top = table::Leg{{8, 16}, 0};
	row.job.state = job::State::failed;
	row.to_mend = "blkctl deactivate data, and so on";
	const auto text = show_text(row);
	EXPECT_NE(text.find("blkctl deactivate data, and so on"), std::string::npos) << text;
	EXPECT_EQ(text.find("blkctl abort"), std::string::npos) << text;
}

// By the verbs; by rules: see rules_test.cpp.
TEST(Options, OfNoEffectAreRefused)
{
	const auto reason = [](const char *verb, const std::vector<std::string> &words) {
		return refused([&] { find_verb(verb)->run(parse(verb, words)); });
	};
	EXPECT_NE(reason("bitmap", {"list", "v", "--format", "raw"}).find("--format"),
		  std::string::npos);
	EXPECT_NE(reason("bitmap", {"clear", "v", "b", "--granularity", "1M"}).find("--gran"),
		  std::string::npos);
	EXPECT_NE(reason("bitmap", {"dump", "v", "b", "--disabled"}).find("--disabled"),
		  std::string::npos);
	for (const auto *sync : {"bitmap", "bitmap="})
		EXPECT_NE(reason("copy", {"v", "t", "--sync", sync}).find("names no bitmap"),
			  std::string::npos);
	for (const auto *sync : {"bitmaps=b", "Bitmap=b", "=b", "half"})
		EXPECT_NE(reason("copy", {"v", "t", "--sync", sync}).find("bitmap=BITMAP"),
			  std::string::npos);
	for (const auto &words : std::vector<std::vector<std::string>>{
		     {"list", "v", "--dry-run"}, {"dump", "v", "b", "--dry-run"}})
		EXPECT_NE(reason("bitmap", words).find("takes no --dry-run"), std::string::npos);
	EXPECT_EQ(reason("backup", {"v", "t", "--bitmap", ""}), "--bitmap is empty");
	EXPECT_NE(reason("set", {"v", "rate=1M", "run=64k", "rate=none"})
			  .find("\"rate=none\": that was given"),
		  std::string::npos);
}

// The same with a terminal and without.
TEST(Waiting, WhoSaysHowWaits)
{
	const auto waits = [](const std::vector<std::string> &more) {
		std::vector<std::string> words = {"v", "t"};
		words.insert(words.end(), more.begin(), more.end());
		return waiting_of(parse("copy", words), false).wait;
	};
	EXPECT_EQ(waits({}), on_terminal());
	EXPECT_TRUE(waits({"--wait"}));
	EXPECT_TRUE(waits({"--timeout", "1m"}));
	EXPECT_TRUE(waits({"--interval", "1s"}));
	EXPECT_FALSE(waits({"--no-wait"}));
}

TEST(Reporting, ShowIsAReportWhenOneIsAskedFor)
{
	for (const auto &words : std::vector<std::vector<std::string>>{
		     {"v"}, {"v", "--json"}, {"v", "--reportformat", "json"}})
		EXPECT_FALSE(shapes_report(parse("show", words)));
	for (const auto &words :
	     std::vector<std::vector<std::string>>{{"v", "--json", "-S", "name=v"},
						   {"v", "-o", "name"},
						   {"v", "--reportformat", "basic"}})
		EXPECT_TRUE(shapes_report(parse("show", words)));
}

TEST(CopyOptions, HelpHasTheModulesLimits)
{
	std::string all;
	for (const Option &option : copy_options())
		all += option.help + "\n";
	EXPECT_NE(all.find("64k to 64M; 2M if not given"), std::string::npos) << all;
	EXPECT_NE(all.find("4k to 1M; 512k if not given"), std::string::npos) << all;
}

TEST(Waiting, EveryPivotThatWaitsCatchesUp)
{
	EXPECT_EQ(downtime_of(parse("wait", {"v"}), false), std::nullopt);
	EXPECT_EQ(downtime_of(parse("wait", {"v", "--pivot"}), true), 1000ms);
	EXPECT_EQ(downtime_of(parse("pivot", {"v", "--max-downtime", "250"}), true), 250ms);
	EXPECT_EQ(downtime_of(parse("pivot", {"v", "--max-downtime", "500ms"}), true), 500ms);
	EXPECT_EQ(downtime_of(parse("pivot", {"v", "--max-downtime", "2s"}), true), 2000ms);
	for (const char *bad : {"0", "-1", "0ms", "1x", "s", "", "99999999999"})
		EXPECT_NE(refused([&] {
				  (void)downtime_of(
					  parse("copy", {"v", "t", "--mode", "background",
							 std::string("--max-downtime=") + bad}),
					  true);
			  }),
			  "")
			<< bad;
}

// wipefs of what is not the volume's alone would take others' data with it.
TEST(Pivoting, SaysWhatToDoWithTheOldDevice)
{
	volume::Volume volume;
	volume.info.name = "v";
	volume.kind = volume::Kind::created;
	EXPECT_NE(old_leg_text(volume, "/dev/sda", false).find("wipefs -a /dev/sda"),
		  std::string::npos);
	for (auto kind : {volume::Kind::absorbed, volume::Kind::stacked}) {
		volume.kind = kind;
		volume.lvm = false;
		EXPECT_NE(old_leg_text(volume, "/dev/sda", false).find("stale"), std::string::npos);
		EXPECT_EQ(old_leg_text(volume, "/dev/sda", false).find("wipefs"),
			  std::string::npos);
		volume.lvm = true;
		EXPECT_NE(old_leg_text(volume, "/dev/sda", false).find("LVM"), std::string::npos);
		EXPECT_EQ(old_leg_text(volume, "/dev/sda", false).find("wipefs"),
			  std::string::npos);
		EXPECT_NE(old_leg_text(volume, "/dev/sda", true).find("blkctltab"),
			  std::string::npos);
	}
}

TEST(Pace, KeepsTheTimeout)
{
	EXPECT_EQ(pace_of(parse("watch", {}), 1s).next(), 1s);
	EXPECT_FALSE(pace_of(parse("events", {}), 1s).over());
	auto pace = pace_of(parse("events", {"--interval", "2s", "--timeout", "100ms"}), 1s);
	EXPECT_EQ(pace.interval, 2s);
	EXPECT_LE(pace.next(), 100ms);
	EXPECT_TRUE(pace_of(parse("watch", {"--timeout", "0"}), 1s).over());
	EXPECT_NE(refused([] { (void)pace_of(parse("watch", {"--interval", "49ms"}), 1s); }), "");
}

TEST(Waiting, ComesBackWithTheSameOptions)
{
	EXPECT_EQ(options_again(parse("wait", {"v"})), "");
	EXPECT_EQ(options_again(parse("copy", {"v", "t", "--pivot", "--until-reboot", "--mode",
					       "background", "--max-downtime", "50"})),
		  " --pivot --until-reboot --max-downtime 50");
}
