// SPDX-License-Identifier: GPL-2.0-or-later
// The words after a verb, parsed and checked against what the verb takes.
#ifndef BLKCTL_CLI_ARGUMENTS_HPP
#define BLKCTL_CLI_ARGUMENTS_HPP

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/verb.hpp"

namespace blkctl::cli
{

class Arguments
{
      public:
	// Throws Refusal{usage}, in words, for anything the verb does not take.
	static Arguments parse(const Verb &verb, const std::vector<std::string> &words);

	const Verb &verb() const { return *verb_; }
	bool flag(const std::string &option) const;
	std::optional<std::string> value(const std::string &option) const;
	// Whether an option is, or one value of it: see Rule.
	bool given(const std::string &option) const;
	// Of an option that may be repeated.
	std::vector<std::string> values(const std::string &option) const;
	// Positional number `index`; the ones that may be left out read as "".
	const std::string &at(size_t index) const;
	// All positionals from `index` on.
	std::vector<std::string> rest(size_t index) const;
	size_t count() const { return positionals_.size(); }

      private:
	explicit Arguments(const Verb &verb) : verb_(&verb) {}
	void check() const;
	void check(const Rule &rule) const;

	const Verb *verb_;
	std::set<std::string> flags_;
	std::map<std::string, std::string> values_;
	std::map<std::string, std::vector<std::string>> lists_;
	std::vector<std::string> positionals_;
};

} // namespace blkctl::cli

#endif
