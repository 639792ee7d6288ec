// SPDX-License-Identifier: GPL-2.0-or-later
// How a verb gives up: one exception, thrown by ctl's own code only and caught once, in
// dispatch(). The library returns its errors as values; take() turns them into this.
#ifndef BLKCTL_CLI_REFUSAL_HPP
#define BLKCTL_CLI_REFUSAL_HPP

#include "base/error.hpp"
#include <string>
#include <utility>

namespace blkctl::cli
{

struct Refusal {
	Error error;
};

[[noreturn]] inline void refuse(Error error)
{
	throw Refusal{std::move(error)};
}

// What was typed makes no sense. The verb is put in front by dispatch().
[[noreturn]] inline void bad_usage(std::string why, std::string next = "")
{
	Error error;
	error.status = Status::usage;
	error.why = std::move(why);
	error.next = std::move(next);
	refuse(std::move(error));
}

// The value of a result, or the end of the verb.
template <class T> T take(Result<T> result)
{
	if (!result)
		refuse(result.error());
	return std::move(*result);
}

inline void take(const Result<void> &result)
{
	if (!result)
		refuse(result.error());
}

// The same for a value that was typed after an option: both are named.
template <class T>
T take_value(const std::string &option, const std::string &text, Result<T> result)
{
	if (!result)
		bad_usage("--" + option + " \"" + text + "\": " + result.error().why);
	return std::move(*result);
}

} // namespace blkctl::cli

#endif
