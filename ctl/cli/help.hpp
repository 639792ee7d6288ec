// SPDX-License-Identifier: GPL-2.0-or-later
// What is known of the verbs, as text for a reader.
#ifndef BLKCTL_CLI_HELP_HPP
#define BLKCTL_CLI_HELP_HPP

#include <string>
#include <string_view>

#include "cli/verb.hpp"

namespace blkctl::cli
{

std::string overview();
std::string help_text(const Verb &verb);

// Text wrapped at `columns`, every line behind `indent` spaces.
std::string wrap(std::string_view text, unsigned indent, unsigned columns = 79);

// scdoc source of a verb's man page; of the rest of blkctl(8), see fill_man().
std::string man_page(const Verb &verb, std::string_view version);
// A page written by hand, with its lines @VERBS@ and @EXIT@ and the word @VERSION@ filled in.
std::string fill_man(std::string_view page, std::string_view version);

std::string bash_completion();
std::string zsh_completion();

} // namespace blkctl::cli

#endif
