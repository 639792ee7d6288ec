// SPDX-License-Identifier: GPL-2.0-or-later
// The running host's block devices, through sysfs, procfs, libudev and libblkid.
#ifndef BLKCTL_UDEV_SYSTEM_HPP
#define BLKCTL_UDEV_SYSTEM_HPP

#include "udev/probe.hpp"
#include <memory>

namespace blkctl::udev
{

class System final : public Probe
{
      public:
	// Errors: failed (no libudev context).
	static Result<std::unique_ptr<System>> open();
	~System() override;

	Result<DevNo> resolve(std::string_view text) override;
	Result<BlockDevice> describe(DevNo device) override;
	Result<std::vector<Use>> uses(DevNo device) override;
	Result<std::optional<Signature>> signature(DevNo device) override;
	Result<std::string> identity(DevNo device) override;
	Result<DevNo> find_identity(const std::string &identity) override;
	std::vector<DevNo> built_on(DevNo device) override;
	Result<std::vector<DevNo>> devices_of(const std::string &file) override;
	std::vector<LoopDevice> loops() override;
	Result<std::vector<uint8_t>> read(DevNo device, uint64_t at, size_t count) override;
	UniqueFd hold(DevNo device) override;

      private:
	struct Impl;
	explicit System(std::unique_ptr<Impl> impl);

	std::unique_ptr<Impl> impl_;
};

} // namespace blkctl::udev

#endif
