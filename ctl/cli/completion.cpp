// SPDX-License-Identifier: GPL-2.0-or-later
// The registry as completion scripts. Run at build time by __completion.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/help.hpp"

namespace blkctl::cli
{

namespace
{

constexpr const char *volumes_command = "blkctl list --noheadings -o name 2>/dev/null";
constexpr const char *dm_command = "command ls /dev/mapper 2>/dev/null | grep -vx control | "
				   "sed 's,^,/dev/mapper/,'";
constexpr const char *device_command = "command lsblk -nrpo NAME 2>/dev/null";

std::string verb_names()
{
	std::string out;
	for (const Verb &verb : verbs())
		out += (out.empty() ? "" : " ") + verb.name;
	return out;
}

// A shell command that prints the words for a place, or nothing.
std::string words_command(Offer offer, const std::vector<std::string> &words)
{
	if (!words.empty())
		return fmt::format("echo {}", fmt::join(words, " "));
	switch (offer) {
	case Offer::volume:
		return volumes_command;
	case Offer::block_device:
		return device_command;
	case Offer::dm_device:
		return dm_command;
	case Offer::verb:
		return "echo " + verb_names();
	case Offer::field:
	case Offer::nothing:
		break;
	}
	return ":";
}

std::string bash_options(const Verb &verb)
{
	std::string names = "--help";
	for (const Option &option : verb.options)
		names += " --" + option.name;
	return names;
}

std::string bash_values(const Verb &verb)
{
	std::string out;
	for (const Option &option : verb.options) {
		if (option.value.empty())
			continue;
		std::string pattern = verb.name + ":--" + option.name;
		if (option.letter != 0)
			pattern += fmt::format("|{}:-{}", verb.name, option.letter);
		out += fmt::format("    {}) words=$({}); value=1 ;;\n", pattern,
				   words_command(option.offer, option.words));
	}
	return out;
}

// "|copy:--rate|copy:--mode|": whose next word is a value, no place.
std::string bash_takers()
{
	std::string out = "|";
	for (const Verb &verb : verbs())
		for (const Option &option : verb.options) {
			if (option.value.empty())
				continue;
			out += fmt::format("{}:--{}|", verb.name, option.name);
			if (option.letter != 0)
				out += fmt::format("{}:-{}|", verb.name, option.letter);
		}
	return out;
}

std::string bash_places(const Verb &verb)
{
	std::string out;
	for (size_t i = 0; i < verb.positionals.size(); ++i) {
		const Positional &arg = verb.positionals[i];
		std::string place = arg.repeated ? "*" : std::to_string(i);
		out += fmt::format("    {}:{}) words=$({}) ;;\n", verb.name, place,
				   words_command(arg.offer, arg.words));
	}
	return out;
}

// Text inside zsh's '...' and [...].
std::string zsh_text(std::string_view text)
{
	std::string out;
	for (char c : text) {
		if (c == '\'')
			out += "'\\''";
		else if (c == '[' || c == ']' || c == ':' || c == '\\')
			out += std::string("\\") + c;
		else
			out += c;
	}
	return out;
}

std::string zsh_action(Offer offer, const std::vector<std::string> &words)
{
	if (!words.empty())
		return fmt::format("({})", fmt::join(words, " "));
	switch (offer) {
	case Offer::volume:
		return "_blkctl_volumes";
	case Offer::block_device:
		return "_blkctl_devices";
	case Offer::dm_device:
		return "_blkctl_dm";
	case Offer::verb:
		return "(" + verb_names() + ")";
	case Offer::field:
	case Offer::nothing:
		break;
	}
	return " ";
}

std::string zsh_verb(const Verb &verb)
{
	std::string out = fmt::format("    {}) _arguments -s \\\n", verb.name);
	for (const Option &option : verb.options) {
		std::string value;
		if (!option.value.empty())
			value = fmt::format(":{}:{}", zsh_text(option.value),
					    zsh_action(option.offer, option.words));
		std::string says = zsh_text(option.help);
		const char *again = option.repeated ? "*" : "";
		out += fmt::format("      '{}--{}[{}]{}' \\\n", again, option.name, says, value);
		if (option.letter != 0)
			out += fmt::format("      '{}-{}[{}]{}' \\\n", again, option.letter, says,
					   value);
	}
	for (const Positional &arg : verb.positionals)
		out += fmt::format("      '{}:{}:{}' \\\n", arg.repeated ? "*" : "",
				   zsh_text(arg.name), zsh_action(arg.offer, arg.words));
	return out + "      '--help[say how the verb is used]' ;;\n";
}

} // namespace

std::string bash_completion()
{
	std::string out = "# bash completion of blkctl; generated from its verbs.\n"
			  "_blkctl() {\n"
			  "  local cur=${COMP_WORDS[COMP_CWORD]}\n"
			  "  local prev=${COMP_WORDS[COMP_CWORD-1]}\n"
			  "  local verb=${COMP_WORDS[1]} words= value= place=0 i\n"
			  "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n";
	out += fmt::format("    COMPREPLY=($(compgen -W '{} --help --version' -- "
			   "\"$cur\"))\n    return\n  fi\n",
			   verb_names());
	out += fmt::format("  local takers='{}'\n"
			   "  case \"$verb:$prev\" in\n",
			   bash_takers());
	for (const Verb &verb : verbs())
		out += bash_values(verb);
	out += "  esac\n"
	       "  if [ -z \"$value\" ] && [ \"${cur#-}\" != \"$cur\" ]; then\n"
	       "    case \"$verb\" in\n";
	for (const Verb &verb : verbs())
		out += fmt::format("    {}) words='{}' ;;\n", verb.name, bash_options(verb));
	out += "    esac\n"
	       "  elif [ -z \"$value\" ]; then\n"
	       "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
	       "      case ${COMP_WORDS[i]} in\n"
	       "      -*) [[ $takers == *\"|$verb:${COMP_WORDS[i]}|\"* ]] && "
	       "i=$((i + 1)) ;;\n"
	       "      *) place=$((place + 1)) ;;\n"
	       "      esac\n"
	       "    done\n"
	       "    case \"$verb:$place\" in\n";
	for (const Verb &verb : verbs())
		out += bash_places(verb);
	return out + "    esac\n"
		     "  fi\n"
		     "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
		     "}\n"
		     "complete -F _blkctl blkctl\n";
}

std::string zsh_completion()
{
	std::string out = fmt::format("#compdef blkctl\n"
				      "# zsh completion of blkctl; generated from its verbs.\n"
				      "_blkctl_volumes() {{ compadd -- $({}) }}\n"
				      "_blkctl_devices() {{ compadd -- $({}) }}\n"
				      "_blkctl_dm() {{ compadd -- $({}) }}\n"
				      "_blkctl() {{\n"
				      "  if (( CURRENT == 2 )); then\n"
				      "    local -a verbs=(\n",
				      volumes_command, device_command, dm_command);
	for (const Verb &verb : verbs())
		out += fmt::format("      '{}:{}'\n", verb.name, zsh_text(verb.summary));
	out += "    )\n"
	       "    _describe verb verbs\n"
	       "    return\n"
	       "  fi\n"
	       "  local verb=$words[2]\n"
	       "  shift words; (( CURRENT-- ))\n"
	       "  case $verb in\n";
	for (const Verb &verb : verbs())
		out += zsh_verb(verb);
	return out + "  esac\n"
		     "}\n"
		     "_blkctl \"$@\"\n";
}

} // namespace blkctl::cli
