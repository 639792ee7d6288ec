// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/arguments.hpp"
#include "cli/refusal.hpp"
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::cli;

namespace
{

Verb sample()
{
	Verb verb;
	verb.name = "sample";
	verb.positionals = {{.name = "NAME", .help = ""},
			    {.name = "REST", .help = "", .optional = true}};
	verb.options = {{.name = "rate", .letter = 'r', .value = "RATE", .help = ""},
			{.name = "sort", .letter = 'O', .value = "FIELDS", .help = ""},
			{.name = "mode", .value = "MODE", .help = "", .words = {"dual", "other"}},
			{.name = "wait", .value = "", .help = ""}};
	return verb;
}

// The words of the refusal, or "" if it parsed.
std::string refusal(const Verb &verb, const std::vector<std::string> &words)
{
	try {
		Arguments::parse(verb, words);
	} catch (const Refusal &refusal) {
		EXPECT_EQ(refusal.error.status, Status::usage);
		EXPECT_EQ(refusal.error.message().find('\n'), std::string::npos);
		return refusal.error.why;
	}
	return "";
}

} // namespace

TEST(Arguments, ReadsOptionsAndPositionalsInAnyOrder)
{
	Verb verb = sample();
	auto args = Arguments::parse(verb, {"--rate", "5M", "data", "--wait", "more"});
	EXPECT_EQ(args.at(0), "data");
	EXPECT_EQ(args.at(1), "more");
	EXPECT_EQ(args.value("rate"), "5M");
	EXPECT_TRUE(args.flag("wait"));
	EXPECT_EQ(args.value("mode"), std::nullopt);
}

TEST(Arguments, KeepsAllValuesOfARepeatedOption)
{
	Verb verb = sample();
	verb.options.push_back({.name = "bitmap", .value = "BITMAP", .help = "", .repeated = true});
	auto args = Arguments::parse(verb, {"--bitmap", "b", "data", "--bitmap=a"});
	EXPECT_EQ(args.values("bitmap"), (std::vector<std::string>{"b", "a"}));
	EXPECT_TRUE(Arguments::parse(verb, {"data"}).values("bitmap").empty());
	EXPECT_FALSE(refusal(verb, {"data", "--rate", "1", "--rate", "2"}).empty());
}

TEST(Arguments, TakesEveryFormOfAValue)
{
	Verb verb = sample();
	EXPECT_EQ(Arguments::parse(verb, {"--rate=5M", "d"}).value("rate"), "5M");
	EXPECT_EQ(Arguments::parse(verb, {"-r", "5M", "d"}).value("rate"), "5M");
	EXPECT_EQ(Arguments::parse(verb, {"-r5M", "d"}).value("rate"), "5M");
	// lvm's descending sort key.
	EXPECT_EQ(Arguments::parse(verb, {"d", "-O", "-size"}).value("sort"), "-size");
}

TEST(Arguments, DoubleDashEndsTheOptions)
{
	Verb verb = sample();
	auto args = Arguments::parse(verb, {"--", "--wait"});
	EXPECT_EQ(args.at(0), "--wait");
	EXPECT_FALSE(args.flag("wait"));
}

TEST(Arguments, LeftOutReadsAsEmpty)
{
	Verb verb = sample();
	auto args = Arguments::parse(verb, {"data"});
	EXPECT_EQ(args.at(1), "");
	EXPECT_EQ(args.count(), 1u);
	EXPECT_TRUE(args.rest(1).empty());
}

TEST(Arguments, RefusesInWords)
{
	Verb verb = sample();
	EXPECT_NE(refusal(verb, {}).find("NAME is missing"), std::string::npos);
	EXPECT_NE(refusal(verb, {"a", "b", "c"}).find("\"c\""), std::string::npos);
	EXPECT_NE(refusal(verb, {"a", "--nonsense"}).find("--nonsense"), std::string::npos);
	EXPECT_NE(refusal(verb, {"a", "--rate"}).find("rate"), std::string::npos);
	EXPECT_NE(refusal(verb, {"a", "--mode", "odd"}).find("dual, other"), std::string::npos);
	EXPECT_NE(refusal(verb, {"a", "--rate", "1", "--rate", "2"}), "");
	EXPECT_NE(refusal(verb, {"a", "--wait=yes"}), "");
	EXPECT_NE(refusal(verb, {"a", ""}), "");
}

TEST(Arguments, TakesNoAbbreviation)
{
	EXPECT_NE(refusal(sample(), {"a", "--wai"}), "");
	EXPECT_NE(refusal(sample(), {"a", "--ra", "5M"}), "");
}

TEST(Arguments, TheInnerKeyIsNoOption)
{
	EXPECT_NE(refusal(sample(), {"--blkctl-positional", "a"}), "");
	EXPECT_NE(refusal(sample(), {"--blkctl-positional=a"}), "");
}
