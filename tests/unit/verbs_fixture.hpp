// SPDX-License-Identifier: GPL-2.0-or-later
// A recorded host, and what verbs leave on it.
#ifndef BLKCTL_TESTS_VERBS_FIXTURE_HPP
#define BLKCTL_TESTS_VERBS_FIXTURE_HPP

#include "fake_host.hpp"
#include "volume/operations.hpp"
#include "volume/volume.hpp"
#include <gtest/gtest.h>

namespace blkctl::fake
{

class VerbsTest : public testing::Test
{
      protected:
	std::string live(DevNo device = volume_number)
	{
		const auto &table = host.mapper.at(device).live;
		return table.empty() ? "" : table[0].str();
	}

	void expect_refusal(const Result<volume::Outcome> &result, Status status,
			    const std::string &word)
	{
		ASSERT_FALSE(result);
		EXPECT_EQ(result.error().status, status) << result.error().message();
		EXPECT_NE(result.error().message().find(word), std::string::npos)
			<< result.error().message();
		EXPECT_TRUE(host.mapper.calls.empty()) << host.mapper.calls.front();
	}

	// A foreign device whose table is to be taken over.
	Device &add_foreign(const dm::Table &table, const std::string &uuid = "LVM-x")
	{
		return host.mapper.add("vg-lv", uuid, {253, 7}, table);
	}

	Host host;
};

} // namespace blkctl::fake

#endif
