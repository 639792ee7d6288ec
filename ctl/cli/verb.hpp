// SPDX-License-Identifier: GPL-2.0-or-later
// What a verb is, and the registry the verbs enter by themselves. The help,
// the man pages and the completions are all made from what is said here.
#ifndef BLKCTL_CLI_VERB_HPP
#define BLKCTL_CLI_VERB_HPP

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace blkctl::cli
{

class Arguments;

// What a shell may offer in a place.
enum class Offer { nothing, volume, block_device, dm_device, verb, field };

struct Positional {
	std::string name;
	std::string help;
	Offer offer = Offer::nothing;
	bool optional = false;
	bool repeated = false;
	std::vector<std::string> words = {};
};

struct Option {
	std::string name;  // without the dashes
	char letter = 0;   // the one-letter form, or 0
	std::string value; // the value's name in the help; empty: a flag
	std::string help;
	std::vector<std::string> words = {}; // if any: the only values allowed
	Offer offer = Offer::nothing;
	bool repeated = false; // it may be given again, for another value
	bool may_be_empty = false;
};

/*
 * What options do nothing, or make no sense, together or alone: it is refused before the verb runs.
 * An option is named as it is typed, without the dashes: "pivot", or "for end", of one value.
 */
struct Rule {
	std::vector<std::string> options;       // each of these
	std::vector<std::string> needs = {};    // goes with one of these, if there are any,
	std::vector<std::string> excludes = {}; // and with none of these
	std::vector<std::string> when = {};     // if one of these is given; empty: always
	std::string why = {};
};

struct Example {
	std::string command;
	std::string says;
};

enum class Group { volumes, copy, snapshots, look, metadata, help };

struct Verb {
	std::string name;
	Group group;
	int rank; // the order within the group
	std::string summary;
	std::vector<std::string> description; // paragraphs
	std::vector<Positional> positionals;
	std::vector<Option> options;
	std::vector<Rule> rules = {};
	std::vector<Example> examples;
	Status (*run)(const Arguments &) = nullptr;
};

// All verbs, ordered by group and rank.
const std::vector<Verb> &verbs();
const Verb *find_verb(std::string_view name);
std::string_view group_title(Group group);

// "static const Register entry{{...}};" at the end of a verb's file.
struct Register {
	explicit Register(Verb verb);
};

// "create NAME DEVICE [OPTIONS]"
std::string synopsis(const Verb &verb);

// "-o, --options FIELDS"
std::string option_title(const Option &option);

// Its help, the options it goes with, and the values there are.
std::string option_text(const Verb &verb, const Option &option);

} // namespace blkctl::cli

#endif
