// SPDX-License-Identifier: GPL-2.0-or-later
// What is exported of a view, and what is not.
#include "fake_host.hpp"
#include "uapi/blkcopy.h"
#include "volume/bitmaps.hpp"
#include "volume/operations.hpp"
#include "volume/view_export.hpp"
#include <gtest/gtest.h>

using namespace blkctl;
using namespace blkctl::volume;
using fake::volume_number;

namespace
{

class ViewExporting : public testing::Test
{
      protected:
	ViewExporting()
	{
		host.add_volume().status.bitmaps = {{"nightly", 3, "recording"}};
		EXPECT_TRUE(view(
			host.context,
			{.name = "v0", .view = "now", .store = "/dev/sdb", .bitmap = "nightly"},
			volume::Run::doit));
		status().bitmaps = {{"nightly", 3, BLKCOPY_BITMAP_FROZEN},
				    {"open", 1, "recording"},
				    {"bad", 1, BLKCOPY_BITMAP_INCONSISTENT}};
		host.mapper.lists["bitmap list nightly 0 gaps"] = "0+2 1021 end";
		// One that an older module has.
		host.mapper.lists["bitmap list open 0"] = "1+1 end";
	}
	table::BlkcopyStatus &status() { return host.mapper.at(volume_number).status; }

	fake::Host host;
};

} // namespace

TEST_F(ViewExporting, HasWhatABitmapHasKept)
{
	const auto found = view_export(host.context, "now", {"nightly"});
	ASSERT_TRUE(found) << found.error().message();
	EXPECT_EQ(found->volume, "v0");
	const auto &request = found->request;
	EXPECT_EQ(request.path, "/dev/mapper/now");
	EXPECT_EQ(request.bytes, uint64_t{131072} * 512);
	EXPECT_EQ(request.name, "now");
	ASSERT_EQ(request.bitmaps.size(), 1u);
	EXPECT_EQ(request.bitmaps[0].name, "nightly");
	EXPECT_EQ(request.bitmaps[0].granularity, 65536u);
	EXPECT_EQ(request.bitmaps[0].dirty,
		  (std::vector<transport::Range>{{0, 131072}, {67043328, 65536}}));
	EXPECT_TRUE(view_export(host.context, "now", {})->request.bitmaps.empty());
}

TEST_F(ViewExporting, RefusesWhatIsNotFrozen)
{
	const auto open = view_export(host.context, "now", {"nightly", "open"});
	ASSERT_FALSE(open);
	EXPECT_EQ(open.error().status, Status::busy);
	EXPECT_EQ(open.error().next, "blkctl view with --bitmap open, of a new view");
	EXPECT_EQ(view_export(host.context, "now", {"bad"}).error().status,
		  Status::needs_attention);
	EXPECT_EQ(view_export(host.context, "now", {"none"}).error().status, Status::not_found);
}

// Frozen before or after the view's instant it has not what has changed by then.
TEST_F(ViewExporting, RefusesWhatWasFrozenAtAnotherInstant)
{
	status().bitmaps.push_back({"other", 1, BLKCOPY_BITMAP_FROZEN});
	host.mapper.lists["bitmap list other 0 gaps"] = "0+2 1021 end";
	EXPECT_EQ(view_export(host.context, "now", {"other"}).error().status, Status::busy);
	ASSERT_TRUE(bitmap_thaw(host.context, "v0", "nightly", volume::Run::doit));
	status().bitmaps[0].state = BLKCOPY_BITMAP_FROZEN;
	EXPECT_EQ(view_export(host.context, "now", {"nightly"}).error().status, Status::busy);
}

TEST_F(ViewExporting, RefusesWhatIsNoView)
{
	for (const auto *name : {"v0", "none", "/dev/sda"}) {
		const auto found = view_export(host.context, name, {});
		ASSERT_FALSE(found);
		EXPECT_EQ(found.error().status, Status::not_found) << found.error().message();
	}
	// Its volume has let go of what it held.
	ASSERT_TRUE(volume::abort(host.context, "v0", volume::Run::doit));
	const auto ended = view_export(host.context, "now", {});
	ASSERT_FALSE(ended);
	EXPECT_EQ(ended.error().status, Status::failed);
	EXPECT_EQ(ended.error().next, "blkctl remove now");
}
