// SPDX-License-Identifier: GPL-2.0-or-later
// Errors are values with context: what was tried, on which device, why it did not
// work, and the command to run next.
#ifndef BLKCTL_BASE_ERROR_HPP
#define BLKCTL_BASE_ERROR_HPP

#include <boost/system/result.hpp>
#include <string>

namespace blkctl
{

/*
 * The classes of outcome, numbered as blkctl's exit statuses.
 *   usage            what was asked makes no sense on any machine in any state: a size that
 *                    does not parse, a block size out of range, a target that is the source
 *                    or is too small
 *   not_found        no such device, no such volume, or no job on that volume
 *   busy             in use: mounted, held by somebody, running another job, carrying a
 *                    signature that only force may overwrite
 *   failed           everything else: not root, no module, an I/O error, a refused takeover
 *   aborted          the job was aborted
 *   timed_out        the time given ran out, or the job is not ready for what was asked
 *   needs_attention  the job waits for a person (stopped by an error policy)
 */
enum class Status : int {
	ok = 0,
	usage = 2,
	not_found = 3,
	busy = 4,
	failed = 5,
	aborted = 6,
	timed_out = 7,
	needs_attention = 8,
};

struct Error {
	Status status = Status::failed;
	std::string what = {};   // what was tried: "copy", "load a table"
	std::string device = {}; // on which device, as the user knows it; may be empty
	std::string why = {};    // the reason in words
	std::string next = {};   // the command to run next; may be empty
	int sys_errno = 0;       // the errno behind it, 0 if there is none

	// One line: "WHAT DEVICE: WHY (try: NEXT)". Never empty, never ends in a newline.
	std::string message() const;
};

template <class T> using Result = boost::system::result<T, Error>;

// Called by Result::value() on an error: a bug in the caller, not an outcome.
[[noreturn]] void throw_exception_from_error(const Error &error,
					     const boost::source_location &where);

// An Error whose reason is strerror(err); EPERM and EACCES say that root is needed.
Error errno_error(std::string what, std::string device, int err);

} // namespace blkctl

// Evaluates a Result; on error returns it from the calling function.
#define BLKCTL_CHECK(expr)                                                                         \
	do {                                                                                       \
		auto blkctl_result_ = (expr);                                                      \
		if (!blkctl_result_)                                                               \
			return blkctl_result_.error();                                             \
	} while (false)

#define BLKCTL_CONCAT_(a, b) a##b
#define BLKCTL_CONCAT(a, b) BLKCTL_CONCAT_(a, b)

// BLKCTL_TRY(auto x, f()): x = *f(), or return f()'s error from the calling function.
#define BLKCTL_TRY_IMPL_(decl, expr, tmp)                                                          \
	auto tmp = (expr);                                                                         \
	if (!tmp)                                                                                  \
		return tmp.error();                                                                \
	decl = std::move(*tmp)
#define BLKCTL_TRY(decl, expr) BLKCTL_TRY_IMPL_(decl, expr, BLKCTL_CONCAT(blkctl_try_, __LINE__))

#endif
