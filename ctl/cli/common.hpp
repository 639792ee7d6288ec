// SPDX-License-Identifier: GPL-2.0-or-later
// What several verbs share: their options, and how they say what they did.
#ifndef BLKCTL_CLI_COMMON_HPP
#define BLKCTL_CLI_COMMON_HPP

#include "cli/arguments.hpp"
#include "cli/verb.hpp"
#include "volume/operations.hpp"
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace blkctl::cli
{

// NAME, the volume a verb is about.
Positional volume_positional();

Option dry_run_option();
Option json_option();
Option until_reboot_option();
Option persist_option();
Option block_size_option();
Option metadata_option();
Option bitmaps_option(); // of metadata for bitmaps
Option segment_option(); // likewise
Option no_boot_option();
Option no_freeze_option();
Option force_store_option();
Option store_error_option();
std::optional<table::Policy> store_error_of(const Arguments &args);
Option fill_option();
Option when_full_option();
bool waits_for_space(const Arguments &args);

// Digits alone, and not 0.
std::optional<uint32_t> parse_count(const std::string &text);

// --segment in MiB.
uint32_t segment_mib_of(const std::string &text);

// --bitmaps: how many there is to be room for.
uint32_t bitmaps_of(const std::string &text);

// --block-size in sectors; the usual size if it is not given.
uint32_t block_sectors_of(const Arguments &args);

std::vector<Option> join(std::initializer_list<std::vector<Option>> groups);
std::vector<Rule> join_rules(std::vector<Rule> rules, const std::vector<Rule> &more);

// --dry-run as the library wants it.
volume::Run run_of(const Arguments &args);

// The whole of a verb that is one call of the library about the volume NAME; `said` makes the line
// it ends with.
using Operation = Result<volume::Outcome> (*)(volume::Context &, const std::string &, volume::Run);
Status run_operation(const Arguments &args, Operation operation,
		     const std::function<std::string(const volume::Outcome &)> &said);

// The line a verb ends with: `said` after its work, or the plan of a dry run, or that it was so
// already. As JSON with --json.
void report_outcome(const Arguments &args, const volume::Outcome &outcome, const std::string &said);

// The same for work that has the name of another verb: the pivot of a copy.
void report_outcome_as(const std::string &verb, const Arguments &args,
		       const volume::Outcome &outcome, const std::string &said);

} // namespace blkctl::cli

#endif
