// SPDX-License-Identifier: GPL-2.0-or-later
// Images: what a volume's data is written to and read back from. A device, a raw file or a qcow2
// file, all alike.
#ifndef BLKCTL_TRANSPORT_IMAGE_HPP
#define BLKCTL_TRANSPORT_IMAGE_HPP

#include "base/error.hpp"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace blkctl::transport
{

// Offsets and lengths are whole sectors.
inline constexpr uint64_t sector_bytes = 512;

enum class Format { raw, qcow2 };
std::string_view word(Format format); // "raw", "qcow2"
// What a file is by its name alone: qcow2 if that ends so.
Format format_by_name(std::string_view path);

enum class Access { read, write };

// In bytes, whole sectors.
struct Range {
	uint64_t offset = 0;
	uint64_t length = 0;

	bool operator==(const Range &) const = default;
};

// A range, in bytes, and whether it is known to read as zeroes.
struct Extent {
	uint64_t offset = 0;
	uint64_t length = 0;
	bool zero = false;

	bool operator==(const Extent &) const = default;
};

// Memory that direct I/O takes as it is. Any other is taken too, and copied.
class Buffer
{
      public:
	static constexpr size_t alignment = 4096;

	explicit Buffer(size_t bytes);
	std::span<std::byte> span() { return {memory_.get(), bytes_}; }
	std::span<const std::byte> span() const { return {memory_.get(), bytes_}; }

      private:
	struct Free {
		void operator()(std::byte *memory) const;
	};

	std::unique_ptr<std::byte, Free> memory_;
	size_t bytes_;
};

/*
 * Used by one thread at a time. Errors: usage (not whole sectors, or behind the end), failed,
 * busy or not_found as the system said. After an error of write(), zero() or flush() nobody knows
 * what is on it.
 */
class Image
{
      public:
	Image(const Image &) = delete;
	Image &operator=(const Image &) = delete;
	virtual ~Image() = default;

	const std::string &name() const { return name_; } // as a person would name it
	uint64_t size() const { return size_; }

	Result<void> read(uint64_t offset, std::span<std::byte> to);
	Result<void> write(uint64_t offset, std::span<const std::byte> from);
	// Reads as zeroes from then on, and is a hole where there can be one.
	Result<void> zero(uint64_t offset, uint64_t length);
	// What was written before is on the medium when this returns.
	Result<void> flush();
	// The whole range, in order, neighbours of one kind in one. What knows nothing of itself
	// is all data.
	Result<std::vector<Extent>> extents(uint64_t offset, uint64_t length);

	// Flushes, and lets go of it in good order: nothing else is called after that. One that is
	// destroyed without it is let go of too, and nobody hears whether that went well.
	virtual Result<void> close() = 0;

      protected:
	Image(std::string name, uint64_t size, Access access)
		: name_(std::move(name)), size_(size), access_(access)
	{
	}

	Access access() const { return access_; }

	// Within the image, whole sectors, not empty.
	virtual Result<void> do_read(uint64_t offset, std::span<std::byte> to) = 0;
	virtual Result<void> do_write(uint64_t offset, std::span<const std::byte> from) = 0;
	virtual Result<void> do_zero(uint64_t offset, uint64_t length) = 0;
	virtual Result<void> do_flush() = 0;
	// Adds the extents of the range, by add_extent().
	virtual Result<void> do_extents(uint64_t offset, uint64_t length,
					std::vector<Extent> &extents) = 0;

	// For those that have no quicker way.
	Result<void> write_zeroes(uint64_t offset, uint64_t length);

      private:
	Result<void> check(const char *what, uint64_t offset, uint64_t length) const;
	Result<void> check_writable(const char *what, uint64_t offset, uint64_t length) const;

	std::string name_;
	uint64_t size_;
	Access access_;
};

// Adds a range to extents, to the last one if it is of its kind.
void add_extent(std::vector<Extent> &extents, const Extent &extent);

/*
 * A device or a file, as it is. A device is opened past the page cache, and exclusively for
 * writing. Errors: not_found, busy (claimed by somebody), usage (neither of them), failed.
 */
Result<std::unique_ptr<Image>> open_raw(const std::string &path, Access access);

/*
 * The same to write so many bytes to. A file is made sparse if it is not there, and made that long;
 * what it holds stays. A device stays as long as it is. Errors: also usage (the device is
 * smaller).
 */
Result<std::unique_ptr<Image>> make_raw(const std::string &path, uint64_t bytes);

/*
 * A qcow2 file with all that it is backed by. It is read and written by a qemu-nbd of our own, over
 * a socket below run_dir that is gone when this returns. That process ends with the thread that
 * has opened the image. Errors: not_found, busy (another program has it), failed (also: no
 * qemu-nbd).
 */
Result<std::unique_ptr<Image>> open_qcow2(const std::string &path, Access access,
					  const std::string &run_dir);

// The file that an image is backed by: what it does not hold itself is read from there.
struct Backing {
	std::string path = {};       // relative: to the folder of the image
	Format format = Format::raw; // where none is written down: by its name
};

/*
 * A new qcow2 file that reads as its backing file, and as zeroes where there is none. It is on the
 * medium when this returns. Errors: busy (it is there already), failed.
 */
Result<void> create_qcow2(const std::string &path, uint64_t bytes,
			  const std::optional<Backing> &backing = {});

struct ImageInfo {
	Format format = Format::raw;
	uint64_t bytes = 0;                  // as a guest would see it
	std::optional<Backing> backing = {}; // as it is written down there
};

/*
 * What a file says of itself. Whoever has written a raw one can make it look like a qcow2: where
 * the format is known it is better said than asked for. Errors: not_found, failed (also: another
 * format).
 */
Result<ImageInfo> look_at_image(const std::string &path, std::optional<Format> format = {});

// Either of the formats.
Result<std::unique_ptr<Image>> open_image(const std::string &path, Format format, Access access,
					  const std::string &run_dir);

} // namespace blkctl::transport

#endif
