// SPDX-License-Identifier: GPL-2.0-or-later
// Modes and phases, and the words they go by.
#include "meta/superblock.hpp"
#include <utility>

namespace blkctl::meta
{

namespace
{

constexpr std::pair<Mode, std::string_view> modes[] = {
	{Mode::mirror, BLKCOPY_MODE_MIRROR},   {Mode::stream, BLKCOPY_MODE_STREAM},
	{Mode::overlay, BLKCOPY_MODE_OVERLAY}, {Mode::commit, BLKCOPY_MODE_COMMIT},
	{Mode::track, BLKCOPY_MODE_TRACK},     {Mode::backup, BLKCOPY_MODE_BACKUP},
};

constexpr std::pair<Phase, std::string_view> phases[] = {
	{Phase::idle, BLKCOPY_PHASE_IDLE},         {Phase::copying, BLKCOPY_PHASE_COPYING},
	{Phase::synced, BLKCOPY_PHASE_SYNCED},     {Phase::pivoted, BLKCOPY_PHASE_PIVOTED},
	{Phase::aborted, BLKCOPY_PHASE_ABORTED},   {Phase::streaming, BLKCOPY_PHASE_STREAMING},
	{Phase::streamed, BLKCOPY_PHASE_STREAMED}, {Phase::merging, BLKCOPY_PHASE_MERGING},
	{Phase::merged, BLKCOPY_PHASE_MERGED},     {Phase::preserving, BLKCOPY_PHASE_PRESERVING},
	{Phase::broken, BLKCOPY_PHASE_BROKEN},
};

template <class E, size_t N>
std::string_view word_in(const std::pair<E, std::string_view> (&names)[N], E value)
{
	for (const auto &[candidate, name] : names)
		if (candidate == value)
			return name;
	return "?";
}

template <class E, size_t N>
std::optional<E> value_in(const std::pair<E, std::string_view> (&names)[N], std::string_view word)
{
	for (const auto &[value, name] : names)
		if (name == word)
			return value;
	return std::nullopt;
}

} // namespace

std::string_view word(Mode mode)
{
	return word_in(modes, mode);
}

std::string_view word(Phase phase)
{
	return word_in(phases, phase);
}

std::optional<Mode> mode_from(std::string_view word)
{
	return value_in(modes, word);
}

std::optional<Phase> phase_from(std::string_view word)
{
	return value_in(phases, word);
}

} // namespace blkctl::meta
