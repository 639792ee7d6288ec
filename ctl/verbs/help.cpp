// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "cli/arguments.hpp"
#include "cli/help.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "cli/verb.hpp"

namespace blkctl::cli::verb_help
{

namespace
{

Status run(const Arguments &args)
{
	std::string text = overview();
	if (args.count() != 0) {
		const Verb *verb = find_verb(args.at(0));
		if (verb == nullptr)
			bad_usage(fmt::format("there is no verb \"{}\"", args.at(0)),
				  "blkctl help");
		text = help_text(*verb);
	}
	print_all(text);
	return Status::ok;
}

const Register entry{Verb{
	.name = "help",
	.group = Group::help,
	.rank = 1,
	.summary = "say what the verbs do, or how one of them is used",
	.description = {"Without a verb: all of them, and the exit statuses."},
	.positionals = {{.name = "VERB",
			 .help = "the verb to explain",
			 .offer = Offer::verb,
			 .optional = true}},
	.options = {},
	.examples = {{"blkctl help copy", "How a live copy is made."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_help
