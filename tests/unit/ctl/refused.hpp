// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef BLKCTL_TESTS_CTL_REFUSED_HPP
#define BLKCTL_TESTS_CTL_REFUSED_HPP

#include "cli/arguments.hpp"
#include "cli/refusal.hpp"
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace blkctl::cli
{

// Why it is refused as bad usage, in one line; empty: it is not.
template <class F> std::string refused(F f)
{
	try {
		f();
	} catch (const Refusal &refusal) {
		EXPECT_EQ(refusal.error.status, Status::usage);
		EXPECT_EQ(refusal.error.message().find('\n'), std::string::npos);
		return refusal.error.why;
	}
	return "";
}

inline std::string refused(const Verb &verb, const std::vector<std::string> &words)
{
	return refused([&] { Arguments::parse(verb, words); });
}

} // namespace blkctl::cli

#endif
