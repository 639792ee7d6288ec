// SPDX-License-Identifier: GPL-2.0-or-later
// The running kernel's device-mapper, through libdevmapper.
#ifndef BLKCTL_DM_KERNEL_HPP
#define BLKCTL_DM_KERNEL_HPP

#include "dm/mapper.hpp"
#include <memory>

namespace blkctl::dm
{

struct KernelOptions {
	std::chrono::milliseconds udev_timeout{30000}; // how long to wait for udev after a switch
	std::string run_dir = "/run/blkctl";           // where cookies in use are written down
};

class Kernel final : public Mapper
{
      public:
	// Checks that the device-mapper answers. Errors: failed (not root, no device-mapper).
	static Result<std::unique_ptr<Kernel>> open(const KernelOptions &options);

	Result<std::vector<Listed>> list() override;
	Result<Info> info(DevNo device) override;
	Result<Info> find_name(std::string_view name) override;
	Result<Table> table(DevNo device, Slot slot, bool secret) override;
	Result<Table> status(DevNo device) override;
	Result<std::vector<DevNo>> deps(DevNo device) override;
	Result<DevNo> create(const std::string &name, const std::string &uuid) override;
	Result<void> load(DevNo device, const Table &table, const LoadOptions &options) override;
	Result<ResumeResult> resume(DevNo device, const ResumeOptions &options) override;
	Result<GroupResult> switch_all(const std::vector<DevNo> &devices,
				       const GroupOptions &options) override;
	Result<void> clear(DevNo device) override;
	Result<void> remove(DevNo device, Visibility visibility) override;
	Result<std::string> message(DevNo device, uint64_t sector,
				    const std::string &text) override;
	Result<std::vector<TargetVersion>> targets() override;
	Result<std::unique_ptr<Events>> events() override;

      private:
	explicit Kernel(KernelOptions options) : options_(std::move(options)) {}

	KernelOptions options_;
};

} // namespace blkctl::dm

#endif
