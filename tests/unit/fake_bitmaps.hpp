// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel does to the superblock of bitmaps in a file as their volume comes and, sealed or
// not, goes.
#ifndef BLKCTL_TESTS_FAKE_BITMAPS_HPP
#define BLKCTL_TESTS_FAKE_BITMAPS_HPP

#include "fake_host.hpp"
#include "meta/superblock.hpp"
#include <algorithm>
#include <gtest/gtest.h>

namespace blkctl::fake
{

class BitmapKernel
{
      public:
	BitmapKernel(Host &host, std::string file) : host_(host), file_(std::move(file))
	{
		host_.mapper.on_switch = [this](Device &device) {
			if (has(device) && !open_)
				open();
		};
		host_.mapper.on_remove = [this] {
			const auto &all = host_.mapper.devices;
			if (open_ && std::none_of(all.begin(), all.end(), [this](const auto &each) {
				    return has(each.second);
			    }))
				close();
		};
	}

	// If it can be written to; else what is there stays as it is.
	bool writes = true;

	meta::Superblock super() const
	{
		const auto device = meta::open_device(file_, meta::Access::read);
		EXPECT_TRUE(device);
		const auto found = device ? meta::read_superblock(**device) : device.error();
		EXPECT_TRUE(found);
		return found ? *found : meta::Superblock();
	}
	void change(const std::function<void(meta::Superblock &)> &how) const
	{
		auto changed = super();
		const auto device = meta::open_device(file_, meta::Access::write);
		ASSERT_TRUE(device);
		how(changed);
		ASSERT_TRUE(meta::update_superblock(**device, changed));
	}

      private:
	bool has(const Device &device) const
	{
		for (const auto &loop : host_.probe.loop_devices)
			if (loop.file == file_)
				return std::any_of(
					device.live.begin(), device.live.end(),
					[&](const auto &target) {
						return (target.params + " ")
							       .find(" " + loop.devno.str() +
								     " ") != std::string::npos;
					});
		return false;
	}
	void open()
	{
		open_ = true;
		if (writes)
			change([](meta::Superblock &super) {
				super.legs[0].stamp.reset();
				super.clean = super.unsealed = false;
			});
	}
	void close()
	{
		const auto &calls = host_.mapper.calls;
		const bool sealed = std::any_of(calls.begin(), calls.end(), [](const auto &call) {
			return call.find("seal") != std::string::npos;
		});
		open_ = false;
		if (writes)
			change([sealed](meta::Superblock &super) {
				super.clean = true;
				super.unsealed = !sealed;
			});
	}

	Host &host_;
	std::string file_;
	bool open_ = false;
};

} // namespace blkctl::fake

#endif
