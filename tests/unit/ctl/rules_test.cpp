// SPDX-License-Identifier: GPL-2.0-or-later
// Which options of the verbs go together, and which do nothing and are refused.
#include "refused.hpp"
#include <sstream>

using namespace blkctl;
using namespace blkctl::cli;

namespace
{

struct Typed {
	std::string line;  // behind "blkctl"
	std::string named; // begins what is said; empty: it is taken
};

const std::vector<Typed> all_typed = {
	{"activate v --break-view", ""},
	{"activate --all", ""},
	{"activate --all --break-view", "--break-view and --all exclude each other"},

	{"backup v t --bitmap b --bitmap-mode never --whole-view", ""},
	{"backup v t --bitmap b --full --whole-view", ""},
	{"backup v t --full --timeout 1m --interval 1s", ""},
	{"backup v t --wait", ""},
	{"backup v t --fill --on-store-error enospc", ""},
	{"backup v t --on-store-error ignore",
	 "--on-store-error \"ignore\": none of break-snapshot"},
	{"backup v t --bitmap-mode never", "--bitmap-mode goes with --bitmap"},
	{"backup v t --whole-view", "--whole-view goes with --bitmap"},

	{"bitmap list v --json", ""},
	{"bitmap dump v b --json --format json", ""},
	{"bitmap dump v b --json --format raw", "--json and --format raw"},
	{"bitmap dump v b --json --format ranges", "--json and --format ranges"},

	{"commit v --wait --timeout 1m --interval 1s", ""},
	{"commit v --no-wait", ""},
	{"commit v --no-wait --wait", "--wait and --no-wait"},
	{"commit v --no-wait --timeout 1m", "--timeout and --no-wait"},
	{"commit v --no-wait --interval 1s", "--interval and --no-wait"},

	{"copy v t --interval 1s", ""},
	{"copy v t --wait --timeout 1m --interval 1s", ""},
	{"copy v t --pivot --until-reboot", ""},
	{"copy v t --pivot --persist --mode background --max-downtime 9", ""},
	{"copy v t --keep --no-wait", ""},
	{"copy v t --metadata m --no-boot", ""},
	{"copy v t --sync bitmap=b --pivot --mode background", ""},
	{"copy v t --sync bitmap=b --no-boot", "--no-boot goes with --metadata"},
	{"copy v t --no-wait --wait", "--wait and --no-wait"},
	{"copy v t --no-wait --timeout 1m", "--timeout and --no-wait"},
	{"copy v t --no-wait --interval 1s", "--interval and --no-wait"},
	{"copy v t --no-wait --pivot",
	 "--pivot and --no-wait exclude each other: somebody has to wait for the copy"},
	{"copy v t --no-wait --mode background --max-downtime 9", "--max-downtime and --no-wait"},
	{"copy v t --pivot --keep", "--pivot and --keep"},
	{"copy v t --until-reboot", "--until-reboot goes with --pivot"},
	{"copy v t --persist", "--persist goes with --pivot"},
	{"copy v t --max-downtime 9", "--max-downtime goes with --mode background"},
	{"copy v t --max-downtime 9 --mode dual", "--max-downtime goes with --mode background"},
	{"copy v t --no-boot", "--no-boot goes with --metadata"},

	{"create v d --boot", ""},
	{"create v d --metadata m --boot", ""},
	{"create v d --metadata m --no-boot --bitmaps 4 --segment 1M", ""},
	{"attach d --metadata m --bitmaps 4 --segment 1M", ""},
	{"attach d --bitmaps 4", "--bitmaps goes with --metadata"},
	{"attach d --segment 1M", "--segment goes with --metadata"},
	{"create v d --from b --no-boot --copy-on-read --no-hydrate --when-full wait --force", ""},
	{"create v d --boot --from b", "--boot and --from"},
	{"create v d --boot --no-boot --metadata m", "--boot and --no-boot"},
	{"create v d --no-boot", "--no-boot goes with --from or --metadata"},
	{"create v d --bitmaps 4", "--bitmaps goes with --metadata"},
	{"create v d --bitmaps 4 --metadata m --from b", "--bitmaps and --from"},
	{"create v d --segment 1M", "--segment goes with --metadata"},
	{"create v d --segment 1M --metadata m --from b", "--segment and --from"},
	{"create v d --copy-on-read", "--copy-on-read goes with --from"},
	{"create v d --no-hydrate", "--no-hydrate goes with --from"},
	{"create v d --when-full wait", "--when-full goes with --from"},
	{"create v d --force", "--force goes with --from"},

	{"list --json --reportformat json", ""},
	{"list --json -o name --noheadings", ""},
	{"list --reportformat basic", ""},
	{"list --json --reportformat basic", "--json and --reportformat basic"},

	{"pivot v --no-wait", ""},
	{"pivot v --wait --interval 1s", ""},
	{"pivot v --timeout 1m --interval 1s", ""},
	{"pivot v --max-downtime 9 --interval 1s", ""},
	{"pivot v --interval 1s", "--interval goes with --wait or --timeout or --max-downtime"},
	{"pivot v --no-wait --max-downtime 9", "--max-downtime and --no-wait"},
	{"pivot v --no-wait --wait", "--wait and --no-wait"},
	{"pivot v --no-wait --timeout 1m", "--timeout and --no-wait"},
	{"pivot v --no-wait --interval 1s", "--interval goes with --wait"},

	{"restore m d --force", ""},
	{"restore d --image f --format raw --verify --wait --timeout 1m --interval 1s", ""},
	{"restore m d --format raw", "--format goes with --image"},
	{"restore m d --verify", "--verify goes with --image"},
	{"restore m d --timeout 1m", "--timeout goes with --image"},
	{"restore m d --wait", "--wait goes with --image"},
	{"restore m d --interval 1s", "--interval goes with --image"},

	{"show v --map", ""},
	{"show v --json -S x", ""},
	{"show v --json --reportformat basic", "--json and --reportformat basic"},
	{"show v --map --json", "--map and --json exclude each other: it is a picture"},
	{"show v --map --reportformat json", "--map and --reportformat"},
	{"show v --map -o name", "--map and --options"},
	{"show v --map --units m", "--map and --units"},

	{"stream v --wait --timeout 1m --interval 1s", ""},
	{"stream v --no-wait", ""},
	{"stream v --no-wait --wait", "--wait and --no-wait"},
	{"stream v --no-wait --timeout 1m", "--timeout and --no-wait"},
	{"stream v --no-wait --interval 1s", "--interval and --no-wait"},

	{"view v w --store s --bitmap b --only-changed --discards", ""},
	{"view v w --store s --fill --on-store-error break-snapshot", ""},
	{"view v w --store s --fill --on-store-error report", ""},
	{"view v w --store s --bitmap b --only-changed --fill --on-store-error stop", ""},
	{"view v w --store s --on-store-error break-guest-write",
	 "--on-store-error \"break-guest-write\": none of break-snapshot, report, stop, enospc"},
	{"view v w --store s --only-changed", "--only-changed goes with --bitmap"},

	{"wait v --pivot --until-reboot --for ready", ""},
	{"wait v --pivot --persist", ""},
	{"wait v --for end --interval 1s", ""},
	{"wait v --until-reboot", "--until-reboot goes with --pivot"},
	{"wait v --persist", "--persist goes with --pivot"},
	{"wait v --pivot --for end", "--pivot and --for end"},
};

std::vector<std::string> words_of(const Typed &typed)
{
	std::istringstream line(typed.line);
	std::vector<std::string> words;

	for (std::string word; line >> word;)
		words.push_back(word);
	return words;
}

// What is said of the words behind the verb; empty: they are taken.
std::string said_of(const Verb &verb, std::vector<std::string> words)
{
	words.erase(words.begin());
	return refused(verb, words);
}

} // namespace

TEST(Rules, AreKept)
{
	for (const auto &typed : all_typed) {
		const auto words = words_of(typed);
		const auto said = said_of(*find_verb(words[0]), words);
		EXPECT_EQ(said.empty(), typed.named.empty()) << typed.line << ": " << said;
		EXPECT_EQ(said.rfind(typed.named, 0), 0u) << typed.line << ": " << said;
	}
}

// A rule that is added needs an option that is refused for it, and one that is taken.
TEST(Rules, AreAllAbove)
{
	const auto look = [](const Verb &verb, const Rule &rule, const std::string &option) {
		Verb alone = verb;
		bool taken = false, refused = false;
		alone.rules = {rule};
		for (const auto &typed : all_typed) {
			auto words = words_of(typed);
			if (words[0] != verb.name)
				continue;
			const auto said = said_of(alone, words);
			refused = refused || said.rfind("--" + option + " ", 0) == 0;
			words.erase(words.begin());
			taken = taken || (typed.named.empty() &&
					  Arguments::parse(verb, words).given(option));
		}
		EXPECT_TRUE(taken) << verb.name << " --" << option;
		EXPECT_TRUE(refused) << verb.name << " --" << option;
	};
	for (const Verb &verb : verbs())
		for (const Rule &rule : verb.rules)
			for (const std::string &option : rule.options)
				look(verb, rule, option);
}
