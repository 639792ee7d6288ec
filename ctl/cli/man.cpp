// SPDX-License-Identifier: GPL-2.0-or-later
// The registry as scdoc source. Run at build time by the hidden verb __man.
#include <fmt/format.h>

#include "cli/help.hpp"
#include "cli/statuses.hpp"

namespace blkctl::cli
{

namespace
{

// Plain text for scdoc: nothing in it is markup.
std::string plain(std::string_view text)
{
	std::string out;
	for (char c : text) {
		if (std::string_view("\\*_[]|#~<>").find(c) != std::string_view::npos)
			out += '\\';
		out += c;
	}
	return out;
}

std::string strong(std::string_view text)
{
	return "*" + plain(text) + "*";
}

std::string entry(const std::string &head, std::string_view text)
{
	return head + "\n\t" + plain(text) + "\n\n";
}

std::string option_entry(const Verb &verb, const Option &option)
{
	std::string head;
	if (option.letter != 0)
		head = strong(std::string("-") + option.letter) + ", ";
	head += strong("--" + option.name);
	if (!option.value.empty())
		head += " _" + option.value + "_";
	return entry(head, option_text(verb, option));
}

std::string exit_table()
{
	std::string out;
	for (const StatusMeaning &meaning : status_meanings)
		out += entry(strong(std::to_string(static_cast<int>(meaning.status))),
			     meaning.text);
	return out;
}

std::string verb_table()
{
	std::string out;
	std::string_view title;
	for (const Verb &verb : verbs()) {
		if (group_title(verb.group) != title)
			out += fmt::format("## {}\n\n", group_title(verb.group));
		title = group_title(verb.group);
		out += entry(strong("blkctl " + verb.name) +
				     plain(synopsis(verb).substr(verb.name.size())),
			     verb.summary + ": see blkctl-" + verb.name + "(8)");
	}
	return out;
}

} // namespace

std::string man_page(const Verb &verb, std::string_view version)
{
	std::string out =
		fmt::format("blkctl-{0}(8) \"blkctl {1}\"\n\n# NAME\n\nblkctl-{0} - {2}\n\n"
			    "# SYNOPSIS\n\n{3}{4}\n\n# DESCRIPTION\n\n",
			    verb.name, version, plain(verb.summary), strong("blkctl " + verb.name),
			    plain(synopsis(verb).substr(verb.name.size())));
	for (const std::string &paragraph : verb.description)
		out += plain(paragraph) + "\n\n";
	if (!verb.positionals.empty())
		out += "# ARGUMENTS\n\n";
	for (const Positional &arg : verb.positionals)
		out += entry(strong(arg.name), arg.help);
	if (!verb.options.empty())
		out += "# OPTIONS\n\n";
	for (const Option &option : verb.options)
		out += option_entry(verb, option);
	if (!verb.examples.empty())
		out += "# EXAMPLES\n\n";
	for (const Example &example : verb.examples)
		out += entry(strong(example.command), example.says);
	out += "# EXIT STATUS\n\n" + exit_table();
	return out + "# SEE ALSO\n\n*blkctl*(8), *blkcopy*(7)\n";
}

std::string fill_man(std::string_view page, std::string_view version)
{
	constexpr std::string_view mark = "@VERSION@";
	std::string out;
	while (!page.empty()) {
		size_t end = page.find('\n');
		std::string line(page.substr(0, end));
		page.remove_prefix(end == std::string_view::npos ? page.size() : end + 1);
		if (size_t at = line.find(mark); at != std::string::npos)
			line.replace(at, mark.size(), version);
		if (line == "@VERBS@")
			out += verb_table();
		else if (line == "@EXIT@")
			out += exit_table();
		else
			out += line + "\n";
	}
	return out;
}

} // namespace blkctl::cli
