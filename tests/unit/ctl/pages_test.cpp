// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/pages.hpp"
#include <gtest/gtest.h>
#include <limits>
#include <string>

using blkctl::cli::Pages;

TEST(Pages, PrintsWhatItIsGiven)
{
	std::string expected;
	testing::internal::CaptureStdout();
	{
		Pages pages;
		const auto number = [&](uint64_t value) {
			pages.number(value);
			pages.literal("\n");
			expected += std::to_string(value) + "\n";
		};
		for (const uint64_t value :
		     {uint64_t{0}, uint64_t{0}, uint64_t{7}, uint64_t{7}, uint64_t{99'999'999},
		      uint64_t{100'000'000}, uint64_t{100'000'007}, uint64_t{200'000'070},
		      uint64_t{65536}, uint64_t{1'234'567'890'123'456'789}, uint64_t{65536},
		      uint64_t{1'234'567'890'000'000'009}, std::numeric_limits<uint64_t>::max()})
			number(value);
		// More than a page, in lines that do not end where one does.
		for (uint64_t value = 0; value < 20'000; value++)
			number(value * 6'543'211);
		const std::string longer(100'000, 'x');
		pages.text(longer);
		pages.text("");
		expected += longer;
		pages.finish();
	}
	EXPECT_EQ(testing::internal::GetCapturedStdout(), expected);
}
