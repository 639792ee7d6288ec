// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's words, from the one header that spells them.
#include "table/enums.hpp"
#include "table/blkcopy.hpp"

namespace blkctl::table
{

namespace
{

template <class E, size_t N>
std::string_view word_in(const std::array<std::pair<E, std::string_view>, N> &names, E value)
{
	for (const auto &[candidate, name] : names)
		if (candidate == value)
			return name;
	return "?";
}

} // namespace

std::string_view word(Mode value)
{
	return word_in(modes, value);
}

std::string_view word(Phase value)
{
	return word_in(phases, value);
}

std::string_view word(Health value)
{
	return word_in(healths, value);
}

std::string_view word(CopyMode value)
{
	return word_in(copy_modes, value);
}

std::string_view word(Policy value)
{
	return word_in(policies, value);
}

std::string_view word(Cause value)
{
	return word_in(causes, value);
}

std::optional<CopyMode> copy_mode_from(std::string_view word)
{
	return value_in(copy_modes, word);
}

std::optional<Policy> policy_from(std::string_view word)
{
	return value_in(policies, word);
}

} // namespace blkctl::table
