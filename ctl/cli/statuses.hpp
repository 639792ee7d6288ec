// SPDX-License-Identifier: GPL-2.0-or-later
// What the exit statuses mean, for the help and the man pages.
#ifndef BLKCTL_CLI_STATUSES_HPP
#define BLKCTL_CLI_STATUSES_HPP

#include "base/error.hpp"
#include <array>
#include <string_view>

namespace blkctl::cli
{

struct StatusMeaning {
	Status status;
	std::string_view text;
};

inline constexpr std::array<StatusMeaning, 8> status_meanings{{
	{Status::ok, "done"},
	{Status::usage, "what was asked makes no sense; nothing was changed"},
	{Status::not_found, "no such volume or device, or the volume has no job"},
	{Status::busy, "a device is in use, or the volume has another job"},
	{Status::failed, "failed; the message says where and why"},
	{Status::aborted, "the job was aborted"},
	{Status::timed_out, "timed out, left with Ctrl-C, or not ready yet; the volume goes on"},
	{Status::needs_attention,
	 "the job stopped and waits for somebody to decide, or metadata is damaged"},
}};

} // namespace blkctl::cli

#endif
