// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/dispatch.hpp"

#include <algorithm>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "cli/arguments.hpp"
#include "cli/help.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "report/report.hpp"

namespace blkctl::cli
{

namespace
{

constexpr const char *version = BLKCTL_VERSION;

bool asks_help(const std::vector<std::string> &words)
{
	for (const std::string &word : words) {
		if (word == "--")
			return false;
		if (word == "--help" || word == "-h")
			return true;
	}
	return false;
}

// What the build runs to make the man pages and the completions.
bool run_hidden(const std::vector<std::string> &words)
{
	auto word = [&](size_t i) { return i < words.size() ? words[i] : ""; };
	if (words[0] == "__verbs") {
		for (const Verb &verb : verbs())
			say(verb.name);
		return true;
	}
	if (words[0] == "__completion" && (word(1) == "bash" || word(1) == "zsh")) {
		print_all(word(1) == "bash" ? bash_completion() : zsh_completion());
		return true;
	}
	if (words[0] != "__man")
		return false;
	if (const Verb *verb = find_verb(word(1))) {
		print_all(man_page(*verb, version));
		return true;
	}
	if (words.size() != 1)
		return false;
	std::string page{std::istreambuf_iterator<char>(std::cin), {}};
	print_all(fill_man(page, version));
	return true;
}

// The verb a mistyped one is nearest to, within two letters.
std::string nearest(const std::string &typed)
{
	std::string best;
	size_t least = 3;
	for (const Verb &verb : verbs()) {
		const std::string &name = verb.name;
		std::vector<size_t> row(name.size() + 1);
		for (size_t j = 0; j <= name.size(); ++j)
			row[j] = j;
		for (size_t i = 1; i <= typed.size(); ++i) {
			size_t diagonal = row[0];
			row[0] = i;
			for (size_t j = 1; j <= name.size(); ++j) {
				size_t cost = diagonal + (typed[i - 1] == name[j - 1] ? 0 : 1);
				diagonal = row[j];
				row[j] = std::min({cost, row[j] + 1, row[j - 1] + 1});
			}
		}
		if (row.back() < least) {
			least = row.back();
			best = name;
		}
	}
	return best;
}

Status unknown_verb(const std::string &word)
{
	std::string guess = nearest(word);
	complain(fmt::format("blkctl: there is no verb \"{}\" (try: blkctl {})", word,
			     guess.empty() ? "help" : guess));
	return Status::usage;
}

Status run_verb(const Verb &verb, const std::vector<std::string> &words)
{
	// Before they are parsed: that may be what is refused.
	const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
	try {
		return verb.run(Arguments::parse(verb, words));
	} catch (const Refusal &refusal) {
		Error error = refusal.error;
		// "find" is no verb anybody typed.
		if (error.what.empty() || error.what == "find")
			error.what = verb.name;
		if (error.next.empty() && error.status == Status::usage)
			error.next = "blkctl help " + verb.name;
		if (json)
			tell(report::json_error(error));
		complain("blkctl: " + error.message());
		return error.status;
	}
}

Status run_words(const std::vector<std::string> &words)
{
	if (words.empty()) {
		complain("blkctl: a verb is missing (try: blkctl help)");
		return Status::usage;
	}
	const std::string &first = words[0];
	if (first == "--version" || first == "-V") {
		say(fmt::format("blkctl {}", version));
		return Status::ok;
	}
	if (first == "--help" || first == "-h") {
		print_all(overview());
		return Status::ok;
	}
	if (run_hidden(words))
		return Status::ok;
	const Verb *verb = find_verb(first);
	if (verb == nullptr)
		return unknown_verb(first);
	std::vector<std::string> rest(words.begin() + 1, words.end());
	if (asks_help(rest)) {
		print_all(help_text(*verb));
		return Status::ok;
	}
	return run_verb(*verb, rest);
}

} // namespace

Status dispatch(const std::vector<std::string> &words)
{
	try {
		return run_words(words);
	} catch (const Refusal &refusal) {
		// Of what is no verb: help that cannot be printed.
		complain("blkctl: " + refusal.error.message());
		return refusal.error.status;
	}
}

} // namespace blkctl::cli
