// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/help.hpp"
#include "cli/statuses.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace blkctl::cli
{

namespace
{

// A column of names, each with its text beside it.
struct Row {
	std::string name;
	std::string text;
};

std::string two_columns(const std::vector<Row> &rows)
{
	constexpr size_t widest = 26;
	size_t width = 0;
	for (const Row &row : rows)
		if (row.name.size() <= widest)
			width = std::max(width, row.name.size());
	auto indent = static_cast<unsigned>(width + 4);
	std::string out;
	for (const Row &row : rows) {
		std::string text = wrap(row.text, indent);
		std::string head = "  " + row.name;
		if (row.name.size() > width)
			out.append(head).append("\n").append(text);
		else
			out.append(head).append(text, head.size());
	}
	return out;
}

} // namespace

std::string wrap(std::string_view text, unsigned indent, unsigned columns)
{
	std::string out;
	std::string line(indent, ' ');
	bool empty = true;
	while (!text.empty()) {
		size_t end = text.find(' ');
		std::string_view word = text.substr(0, end);
		text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
		if (word.empty())
			continue;
		if (!empty && line.size() + 1 + word.size() > columns) {
			out += line + "\n";
			line.assign(indent, ' ');
			empty = true;
		}
		if (!empty)
			line += ' ';
		line += word;
		empty = false;
	}
	return out + line + "\n";
}

std::string overview()
{
	std::string out = "blkctl: move block devices while they are in use\n\n"
			  "Usage: blkctl VERB [ARGUMENTS] [OPTIONS]\n";
	std::string_view title;
	std::vector<Row> rows;
	auto flush = [&] {
		if (!rows.empty())
			out += fmt::format("\n{}:\n{}", title, two_columns(rows));
		rows.clear();
	};
	for (const Verb &verb : verbs()) {
		if (group_title(verb.group) != title)
			flush();
		title = group_title(verb.group);
		rows.push_back({verb.name, verb.summary});
	}
	flush();
	out += "\nExit status:\n";
	for (const StatusMeaning &meaning : status_meanings)
		rows.push_back({std::to_string(static_cast<int>(meaning.status)),
				std::string(meaning.text)});
	out += two_columns(rows);
	out += "\n\"blkctl help VERB\" says more of one verb; \"blkctl --version\" "
	       "the version.\n";
	return out;
}

std::string help_text(const Verb &verb)
{
	std::string out = fmt::format("blkctl {}: {}\n\nUsage: blkctl {}\n", verb.name,
				      verb.summary, synopsis(verb));
	for (const std::string &paragraph : verb.description)
		out += "\n" + wrap(paragraph, 0);
	std::vector<Row> rows;
	for (const Positional &arg : verb.positionals)
		rows.push_back({arg.name, arg.help});
	if (!rows.empty())
		out += "\nArguments:\n" + two_columns(rows);
	rows.clear();
	for (const Option &option : verb.options)
		rows.push_back({option_title(option), option_text(verb, option)});
	if (!rows.empty())
		out += "\nOptions:\n" + two_columns(rows);
	if (!verb.examples.empty())
		out += "\nExamples:\n";
	for (const Example &example : verb.examples)
		out += fmt::format("  {}\n{}", example.command, wrap(example.says, 6));
	return out;
}

} // namespace blkctl::cli
