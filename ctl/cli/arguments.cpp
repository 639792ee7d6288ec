// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/arguments.hpp"

#include <algorithm>

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/refusal.hpp"

namespace blkctl::cli
{

namespace po = boost::program_options;

namespace
{

constexpr const char *positional_key = "blkctl-positional";

po::options_description describe(const Verb &verb)
{
	po::options_description all;
	for (const Option &option : verb.options) {
		std::string names = option.name;
		if (option.letter != 0)
			names += std::string(",") + option.letter;
		if (option.value.empty())
			all.add_options()(names.c_str(), po::bool_switch());
		else if (option.repeated)
			all.add_options()(names.c_str(), po::value<std::vector<std::string>>());
		else
			all.add_options()(names.c_str(), po::value<std::string>());
	}
	all.add_options()(positional_key, po::value<std::vector<std::string>>());
	return all;
}

// A unique prefix is not accepted: a script that leans on one breaks the day
// an option is added.
constexpr int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;

po::variables_map read(const Verb &verb, const std::vector<std::string> &words)
{
	po::options_description options = describe(verb);
	po::positional_options_description positionals;
	positionals.add(positional_key, -1);
	po::variables_map map;
	po::store(po::command_line_parser(words)
			  .options(options)
			  .positional(positionals)
			  .style(style)
			  .run(),
		  map);
	return map;
}

} // namespace

Arguments Arguments::parse(const Verb &verb, const std::vector<std::string> &words)
{
	// The key of the positionals is no option of anybody.
	for (const std::string &word : words)
		if (word.rfind(std::string("--") + positional_key, 0) == 0)
			bad_usage(fmt::format("unrecognised option '{}'", word));

	Arguments args(verb);
	po::variables_map map;
	try {
		map = read(verb, words);
	} catch (const po::error &error) {
		bad_usage(error.what());
	}
	for (const Option &option : verb.options) {
		if (map.count(option.name) == 0)
			continue;
		const auto &found = map[option.name];
		if (option.repeated)
			args.lists_[option.name] = found.as<std::vector<std::string>>();
		else if (!option.value.empty())
			args.values_[option.name] = found.as<std::string>();
		else if (found.as<bool>())
			args.flags_.insert(option.name);
	}
	if (map.count(positional_key) != 0)
		args.positionals_ = map[positional_key].as<std::vector<std::string>>();
	args.check();
	return args;
}

void Arguments::check() const
{
	const auto &wanted = verb_->positionals;
	size_t needed = 0;
	for (const Positional &arg : wanted)
		needed += arg.optional ? 0 : 1;
	if (positionals_.size() < needed)
		bad_usage(fmt::format("{} is missing", wanted.at(positionals_.size()).name));
	bool open_end = !wanted.empty() && wanted.back().repeated;
	if (!open_end && positionals_.size() > wanted.size())
		bad_usage(fmt::format("one word too many: \"{}\"", positionals_[wanted.size()]));
	for (const std::string &word : positionals_)
		if (word.empty())
			bad_usage("an argument is the empty string");
	// An unset variable of a script: what it was to ask for would not be done, without a word.
	for (const Option &option : verb_->options) {
		const auto value = values_.find(option.name);
		const auto list = lists_.find(option.name);
		const bool empty =
			(value != values_.end() && value->second.empty()) ||
			(list != lists_.end() && std::find(list->second.begin(), list->second.end(),
							   "") != list->second.end());
		if (empty && !option.may_be_empty)
			bad_usage("--" + option.name + " is empty");
	}

	for (const Option &option : verb_->options) {
		auto found = values_.find(option.name);
		if (found == values_.end() || option.words.empty())
			continue;
		const std::string &word = found->second;
		if (std::find(option.words.begin(), option.words.end(), word) == option.words.end())
			bad_usage(fmt::format("--{} \"{}\": none of {}", option.name, word,
					      fmt::join(option.words, ", ")));
	}
	for (const Rule &rule : verb_->rules)
		check(rule);
}

void Arguments::check(const Rule &rule) const
{
	const auto any_of = [&](const std::vector<std::string> &options) {
		return std::any_of(options.begin(), options.end(),
				   [&](const std::string &option) { return given(option); });
	};
	const auto why = rule.why.empty() ? "" : ": " + rule.why;

	if (!rule.when.empty() && !any_of(rule.when))
		return;
	for (const std::string &option : rule.options) {
		if (!given(option))
			continue;
		for (const std::string &other : rule.excludes)
			if (given(other))
				bad_usage(fmt::format("--{} and --{} exclude each other{}", option,
						      other, why));
		if (!rule.needs.empty() && !any_of(rule.needs))
			bad_usage(fmt::format("--{} goes with --{}{}", option,
					      fmt::join(rule.needs, " or --"), why));
	}
}

bool Arguments::flag(const std::string &option) const
{
	return flags_.count(option) != 0;
}

std::optional<std::string> Arguments::value(const std::string &option) const
{
	auto found = values_.find(option);
	if (found == values_.end())
		return std::nullopt;
	return found->second;
}

bool Arguments::given(const std::string &option) const
{
	const auto space = option.find(' ');
	if (space != std::string::npos)
		return value(option.substr(0, space)) == option.substr(space + 1);
	return flag(option) || value(option) || lists_.count(option) != 0;
}

std::vector<std::string> Arguments::values(const std::string &option) const
{
	auto found = lists_.find(option);
	return found == lists_.end() ? std::vector<std::string>() : found->second;
}

const std::string &Arguments::at(size_t index) const
{
	static const std::string none;
	return index < positionals_.size() ? positionals_[index] : none;
}

std::vector<std::string> Arguments::rest(size_t index) const
{
	if (index >= positionals_.size())
		return {};
	return {positionals_.begin() + static_cast<std::ptrdiff_t>(index), positionals_.end()};
}

} // namespace blkctl::cli
