// SPDX-License-Identifier: GPL-2.0-or-later
// What metadata is read from and written to, in sectors of 4 KiB. Tests use memory.
#ifndef BLKCTL_META_DEVICE_HPP
#define BLKCTL_META_DEVICE_HPP

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace blkctl::meta
{

class Device
{
      public:
	virtual ~Device() = default;

	// As a person would name it.
	virtual const std::string &name() const = 0;
	virtual uint64_t bytes() const = 0;

	// Whole sectors, any number. Errors: failed (also behind the end).
	virtual Result<void> read(uint64_t sector, std::span<uint8_t> to) = 0;
	virtual Result<void> write(uint64_t sector, std::span<const uint8_t> from) = 0;
	// What was written before is on the medium when this returns. Errors: failed.
	virtual Result<void> flush() = 0;
};

enum class Access { read, write };

// How a device is opened: the seam.
using Opener = std::function<Result<std::unique_ptr<Device>>(const std::string &path, Access)>;
Result<std::unique_ptr<Device>> open_device(const std::string &path, Access access);

// A file or a block device, past the page cache where that can be: the kernel writes metadata
// past it too.
class FileDevice final : public Device
{
      public:
	// For writing a block device is opened exclusively. Errors: not_found, busy (claimed by
	// somebody), usage (neither a file nor a block device), failed.
	static Result<std::unique_ptr<FileDevice>> open(const std::string &path, Access access);

	const std::string &name() const override { return path_; }
	uint64_t bytes() const override { return bytes_; }
	Result<void> read(uint64_t sector, std::span<uint8_t> to) override;
	Result<void> write(uint64_t sector, std::span<const uint8_t> from) override;
	Result<void> flush() override;

      private:
	struct Free {
		void operator()(uint8_t *memory) const;
	};

	FileDevice() = default;

	std::string path_;
	uint64_t bytes_ = 0;
	UniqueFd fd_;
	std::unique_ptr<uint8_t, Free> buffer_; // aligned, for direct I/O
};

} // namespace blkctl::meta

#endif
