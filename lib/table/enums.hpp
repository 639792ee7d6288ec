// SPDX-License-Identifier: GPL-2.0-or-later
// Values and the words they go by. Internal to the library.
#ifndef BLKCTL_TABLE_ENUMS_HPP
#define BLKCTL_TABLE_ENUMS_HPP

#include "table/blkcopy.hpp"
#include "uapi/blkcopy.h"
#include <array>
#include <utility>

namespace blkctl::table
{

template <class E, size_t N> using Names = std::array<std::pair<E, std::string_view>, N>;

inline constexpr Names<Mode, 6> modes{{
	{Mode::track, BLKCOPY_MODE_TRACK},
	{Mode::mirror, BLKCOPY_MODE_MIRROR},
	{Mode::stream, BLKCOPY_MODE_STREAM},
	{Mode::overlay, BLKCOPY_MODE_OVERLAY},
	{Mode::commit, BLKCOPY_MODE_COMMIT},
	{Mode::backup, BLKCOPY_MODE_BACKUP},
}};

inline constexpr Names<Phase, 11> phases{{
	{Phase::idle, BLKCOPY_PHASE_IDLE},
	{Phase::copying, BLKCOPY_PHASE_COPYING},
	{Phase::synced, BLKCOPY_PHASE_SYNCED},
	{Phase::pivoted, BLKCOPY_PHASE_PIVOTED},
	{Phase::aborted, BLKCOPY_PHASE_ABORTED},
	{Phase::streaming, BLKCOPY_PHASE_STREAMING},
	{Phase::streamed, BLKCOPY_PHASE_STREAMED},
	{Phase::merging, BLKCOPY_PHASE_MERGING},
	{Phase::merged, BLKCOPY_PHASE_MERGED},
	{Phase::preserving, BLKCOPY_PHASE_PRESERVING},
	{Phase::broken, BLKCOPY_PHASE_BROKEN},
}};

inline constexpr Names<Health, 3> healths{{
	{Health::rw, BLKCOPY_HEALTH_RW},
	{Health::meta_ro, BLKCOPY_HEALTH_META_RO},
	{Health::fail, BLKCOPY_HEALTH_FAIL},
}};

inline constexpr Names<CopyMode, 2> copy_modes{{
	{CopyMode::dual, BLKCOPY_COPY_MODE_DUAL},
	{CopyMode::background, BLKCOPY_COPY_MODE_BACKGROUND},
}};

inline constexpr Names<Policy, 4> policies{{
	{Policy::report, BLKCOPY_POLICY_REPORT},
	{Policy::ignore, BLKCOPY_POLICY_IGNORE},
	{Policy::stop, BLKCOPY_POLICY_STOP},
	{Policy::enospc, BLKCOPY_POLICY_ENOSPC},
}};

inline constexpr Names<Cause, 3> causes{{
	{Cause::none, BLKCOPY_STOPPED_BY_NOBODY},
	{Cause::user, BLKCOPY_STOPPED_BY_USER},
	{Cause::policy, BLKCOPY_STOPPED_BY_POLICY},
}};

template <class E, size_t N>
std::optional<E> value_in(const Names<E, N> &names, std::string_view word)
{
	for (const auto &[value, name] : names)
		if (name == word)
			return value;
	return std::nullopt;
}

} // namespace blkctl::table

#endif
