// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verb.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace blkctl::cli
{

namespace
{

// Inside a function: verbs register while static objects are made, in no
// order that can be relied on.
std::vector<Verb> &registry()
{
	static std::vector<Verb> all;
	return all;
}

bool before(const Verb &a, const Verb &b)
{
	return std::tie(a.group, a.rank, a.name) < std::tie(b.group, b.rank, b.name);
}

} // namespace

Register::Register(Verb verb)
{
	auto &all = registry();
	auto place = std::upper_bound(all.begin(), all.end(), verb, before);
	all.insert(place, std::move(verb));
}

const std::vector<Verb> &verbs()
{
	return registry();
}

const Verb *find_verb(std::string_view name)
{
	for (const Verb &verb : registry())
		if (verb.name == name)
			return &verb;
	return nullptr;
}

std::string_view group_title(Group group)
{
	switch (group) {
	case Group::volumes:
		return "Volumes";
	case Group::copy:
		return "Live copy";
	case Group::look:
		return "Looking";
	case Group::snapshots:
		return "Snapshots and streams";
	case Group::metadata:
		return "Metadata devices";
	case Group::help:
		return "Help";
	}
	return "";
}

std::string synopsis(const Verb &verb)
{
	std::string text = verb.name;
	for (const Positional &arg : verb.positionals) {
		std::string word = arg.name + (arg.repeated ? "..." : "");
		text += arg.optional ? " [" + word + "]" : " " + word;
	}
	if (!verb.options.empty())
		text += " [OPTIONS]";
	return text;
}

std::string option_title(const Option &option)
{
	std::string text;
	if (option.letter != 0)
		text = std::string("-") + option.letter + ", ";
	text += "--" + option.name;
	if (!option.value.empty())
		text += " " + option.value;
	return text;
}

std::string option_text(const Verb &verb, const Option &option)
{
	std::string text = option.help;
	for (const Rule &rule : verb.rules) {
		const auto &all = rule.options;
		const bool about = std::find(all.begin(), all.end(), option.name) != all.end();
		if (about && rule.when.empty() && !rule.needs.empty())
			text += fmt::format("; with --{}", fmt::join(rule.needs, " or --"));
	}
	if (!option.words.empty())
		text += fmt::format(" ({})", fmt::join(option.words, ", "));
	return text;
}

} // namespace blkctl::cli
