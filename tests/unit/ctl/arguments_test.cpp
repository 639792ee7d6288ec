// SPDX-License-Identifier: GPL-2.0-or-later
#include "refused.hpp"

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
	EXPECT_FALSE(refused(verb, {"data", "--rate", "1", "--rate", "2"}).empty());
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
	EXPECT_NE(refused(verb, {}).find("NAME is missing"), std::string::npos);
	EXPECT_NE(refused(verb, {"a", "b", "c"}).find("\"c\""), std::string::npos);
	EXPECT_NE(refused(verb, {"a", "--nonsense"}).find("--nonsense"), std::string::npos);
	EXPECT_NE(refused(verb, {"a", "--rate"}).find("rate"), std::string::npos);
	EXPECT_NE(refused(verb, {"a", "--mode", "odd"}).find("dual, other"), std::string::npos);
	EXPECT_NE(refused(verb, {"a", "--rate", "1", "--rate", "2"}), "");
	EXPECT_NE(refused(verb, {"a", "--wait=yes"}), "");
	EXPECT_NE(refused(verb, {"a", ""}), "");
}

TEST(Arguments, AnEmptyValueAsksForNothing)
{
	Verb verb = sample();
	verb.options.push_back({.name = "bitmap", .value = "BITMAP", .help = "", .repeated = true});
	EXPECT_EQ(refused(verb, {"a", "--rate", ""}), "--rate is empty");
	EXPECT_EQ(refused(verb, {"a", "--bitmap", "b", "--bitmap", ""}), "--bitmap is empty");
}

TEST(Arguments, KnowsWhatIsGiven)
{
	Verb verb = sample();
	verb.options.push_back({.name = "bitmap", .value = "BITMAP", .help = "", .repeated = true});
	const auto args = Arguments::parse(
		verb, {"a", "--wait", "--mode", "dual", "--bitmap", "b", "--rate", "5M"});
	for (const char *option : {"wait", "mode", "mode dual", "bitmap", "rate"})
		EXPECT_TRUE(args.given(option)) << option;
	for (const char *option : {"sort", "mode other", "wait yes", "rate 5"})
		EXPECT_FALSE(args.given(option)) << option;
}

TEST(Arguments, WhatGoesTogether)
{
	Verb verb = sample();
	verb.rules = {{.options = {"rate"},
		       .needs = {"wait", "mode other"},
		       .excludes = {"sort"},
		       .why = "so it is"},
		      {.options = {"sort"}, .needs = {"wait"}, .when = {"mode dual"}}};
	EXPECT_EQ(refused(verb, {"a", "--rate", "1"}),
		  "--rate goes with --wait or --mode other: so it is");
	EXPECT_EQ(refused(verb, {"a", "--rate", "1", "--mode", "dual"}),
		  "--rate goes with --wait or --mode other: so it is");
	EXPECT_EQ(refused(verb, {"a", "--rate", "1", "--wait", "-O", "x"}),
		  "--rate and --sort exclude each other: so it is");
	EXPECT_EQ(refused(verb, {"a", "-O", "x", "--mode", "dual"}), "--sort goes with --wait");
	for (const auto &words :
	     std::vector<std::vector<std::string>>{{"a"},
						   {"a", "--wait"},
						   {"a", "--rate", "1", "--wait"},
						   {"a", "--rate", "1", "--mode", "other"},
						   {"a", "-O", "x"},
						   {"a", "-O", "x", "--mode", "other"},
						   {"a", "-O", "x", "--mode", "dual", "--wait"}})
		EXPECT_EQ(refused(verb, words), "");
	EXPECT_EQ(option_text(verb, verb.options[0]), "; with --wait or --mode other");
	EXPECT_EQ(option_text(verb, verb.options[1]), "");
	EXPECT_EQ(option_text(verb, verb.options[2]), " (dual, other)");
}

TEST(Arguments, TakesNoAbbreviation)
{
	EXPECT_NE(refused(sample(), {"a", "--wai"}), "");
	EXPECT_NE(refused(sample(), {"a", "--ra", "5M"}), "");
}

TEST(Arguments, TheInnerKeyIsNoOption)
{
	EXPECT_NE(refused(sample(), {"--blkctl-positional", "a"}), "");
	EXPECT_NE(refused(sample(), {"--blkctl-positional=a"}), "");
}
