// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/arguments.hpp"
#include "cli/help.hpp"
#include "cli/refusal.hpp"
#include <algorithm>
#include <gtest/gtest.h>
#include <set>

using namespace blkctl;
using namespace blkctl::cli;

namespace
{

// The words of an example as a shell would split them, up to a "||".
std::vector<std::string> split(const std::string &command)
{
	std::vector<std::string> words;
	std::string word;
	bool quoted = false;
	for (char c : command + " ") {
		if (c == '\'')
			quoted = !quoted;
		else if (c != ' ' || quoted)
			word += c;
		else if (!word.empty())
			words.push_back(std::exchange(word, ""));
	}
	for (size_t i = 0; i < words.size(); ++i)
		if (words[i] == "||")
			words.resize(i);
	return words;
}

} // namespace

TEST(Registry, HasEveryVerbOnce)
{
	std::multiset<std::string> names;
	for (const Verb &verb : verbs())
		names.insert(verb.name);
	std::multiset<std::string> wanted{"create",     "attach",   "detach", "copy",   "pivot",
					  "abort",      "pause",    "resume", "set",    "wait",
					  "list",       "show",     "watch",  "events", "remove",
					  "help",       "format",   "check",  "dump",   "restore",
					  "repair",     "snapshot", "commit", "stream", "activate",
					  "deactivate", "bitmap",   "view",   "export", "backup"};
	EXPECT_EQ(names, wanted);
}

TEST(Registry, EveryVerbIsExplained)
{
	for (const Verb &verb : verbs()) {
		SCOPED_TRACE(verb.name);
		EXPECT_FALSE(verb.summary.empty());
		EXPECT_FALSE(verb.description.empty());
		EXPECT_FALSE(verb.examples.empty());
		EXPECT_NE(verb.run, nullptr);
		std::string help = help_text(verb);
		for (const Option &option : verb.options) {
			EXPECT_FALSE(option.help.empty()) << option.name;
			EXPECT_NE(help.find("--" + option.name), std::string::npos);
		}
	}
}

TEST(Registry, ExamplesAreAccepted)
{
	for (const Verb &verb : verbs())
		for (const Example &example : verb.examples) {
			SCOPED_TRACE(example.command);
			auto words = split(example.command);
			ASSERT_GE(words.size(), 2u);
			EXPECT_EQ(words[0], "blkctl");
			EXPECT_EQ(words[1], verb.name);
			words.erase(words.begin(), words.begin() + 2);
			EXPECT_NO_THROW(Arguments::parse(verb, words));
		}
}

TEST(Registry, OptionsOfAVerbDiffer)
{
	for (const Verb &verb : verbs()) {
		std::set<std::string> names;
		std::set<char> letters;
		for (const Option &option : verb.options) {
			EXPECT_TRUE(names.insert(option.name).second) << option.name;
			bool fresh = option.letter == 0 || letters.insert(option.letter).second;
			EXPECT_TRUE(fresh) << option.letter;
			EXPECT_NE(option.name, "help");
			EXPECT_NE(option.letter, 'h');
		}
	}
}

TEST(Registry, RulesAreAboutOptionsThereAre)
{
	for (const Verb &verb : verbs()) {
		SCOPED_TRACE(verb.name);
		const auto expect_there = [&](const std::string &typed) {
			const auto space = typed.find(' ');
			const auto name = typed.substr(0, space);
			const auto &all = verb.options;
			const auto option =
				std::find_if(all.begin(), all.end(),
					     [&](const Option &each) { return each.name == name; });
			ASSERT_NE(option, all.end()) << typed;
			if (space == std::string::npos)
				return;
			const auto &words = option->words;
			EXPECT_NE(std::find(words.begin(), words.end(), typed.substr(space + 1)),
				  words.end())
				<< typed;
		};
		for (const Rule &rule : verb.rules)
			for (const auto *list :
			     {&rule.options, &rule.needs, &rule.excludes, &rule.when})
				for (const std::string &typed : *list)
					expect_there(typed);
	}
}

TEST(Registry, ChangingVerbsHaveADryRun)
{
	for (const char *name : {"create", "attach", "detach", "copy", "pivot", "abort", "pause",
				 "resume", "set", "remove"}) {
		const Verb *verb = find_verb(name);
		ASSERT_NE(verb, nullptr) << name;
		bool found = false;
		for (const Option &option : verb->options)
			found = found || option.name == "dry-run";
		EXPECT_TRUE(found) << name;
	}
}

TEST(Registry, LongVerbsHaveTheSameOptions)
{
	for (const char *name : {"copy", "pivot", "wait", "watch", "events", "commit", "stream",
				 "backup", "restore"}) {
		std::set<std::string> options;
		for (const Option &option : find_verb(name)->options)
			options.insert(option.name);
		for (const char *option : {"interval", "timeout", "json"})
			EXPECT_TRUE(options.count(option)) << name << " --" << option;
	}
	EXPECT_NO_THROW(Arguments::parse(*find_verb("copy"), {"v", "t", "--no-wait"}));
	EXPECT_NO_THROW(Arguments::parse(*find_verb("pivot"), {"v", "--no-wait"}));
}

TEST(Help, WrapsAtTheWidth)
{
	std::string text = wrap("one two three four five six seven eight nine ten", 4, 20);
	size_t start = 0;
	while (start < text.size()) {
		size_t end = text.find('\n', start);
		EXPECT_LE(end - start, 20u);
		EXPECT_EQ(text.compare(start, 4, "    "), 0);
		start = end + 1;
	}
	EXPECT_EQ(wrap("", 2, 20), "  \n");
}

TEST(Help, OverviewFitsATerminal)
{
	std::string text = overview();
	for (const Verb &verb : verbs())
		text += help_text(verb);
	size_t start = 0;
	while (start < text.size()) {
		size_t end = text.find('\n', start);
		EXPECT_LE(end - start, 79u) << text.substr(start, end - start);
		start = end + 1;
	}
}

TEST(Man, NothingInAPageIsMarkupByAccident)
{
	Verb verb;
	verb.name = "odd";
	verb.summary = "a_b *c* [d]";
	verb.description = {"x_y"};
	std::string page = man_page(verb, "1");
	EXPECT_NE(page.find("a\\_b \\*c\\* \\[d\\]"), std::string::npos) << page;
	EXPECT_NE(page.find("x\\_y"), std::string::npos);
}

TEST(Man, FillsAPageIn)
{
	std::string page = fill_man("a @VERSION@ b\n@EXIT@\n@VERBS@\nend\n", "7.5");
	EXPECT_NE(page.find("a 7.5 b\n"), std::string::npos);
	EXPECT_NE(page.find("*blkctl copy*"), std::string::npos);
	EXPECT_NE(page.find("*8*\n"), std::string::npos);
	EXPECT_EQ(page.find('@'), std::string::npos);
}
