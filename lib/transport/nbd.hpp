// SPDX-License-Identifier: GPL-2.0-or-later
// A connection to an NBD server. Internal to the library.
#ifndef BLKCTL_TRANSPORT_NBD_HPP
#define BLKCTL_TRANSPORT_NBD_HPP

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "transport/image.hpp"
#include "transport/libnbd.hpp"
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace blkctl::transport
{

/*
 * Offsets and lengths are within the export. An error has libnbd's words, and the server's errno
 * if it has given one.
 */
class Nbd
{
      public:
	// Over a connected socket. `name`: for errors.
	static Result<Nbd> connect(const Libnbd &library, UniqueFd socket,
				   const std::string &exported, const std::string &name);

	uint64_t size() const { return size_; }
	// Whether the connection is of no use any more: the server has gone, most likely.
	bool is_lost() const;

	Result<void> read(uint64_t offset, std::span<std::byte> to);
	Result<void> write(uint64_t offset, std::span<const std::byte> from);
	bool can_zero() const { return can_zero_; }
	Result<void> zero(uint64_t offset, uint64_t length);
	// Many of them, as many at once as the server takes.
	Result<void> zero_all(std::span<const Extent> ranges);
	Result<void> flush();
	Result<void> add_extents(uint64_t offset, uint64_t length, std::vector<Extent> &extents);

	// Tells the server that this was all; it may take note later.
	void say_goodbye();

      private:
	struct Close {
		void (*close)(nbd_handle *) = nullptr;
		void operator()(nbd_handle *handle) const { close(handle); }
	};

	explicit Nbd(const Libnbd &library)
		: lib_(std::make_unique<Libnbd>(library)),
		  handle_(lib_->create(), Close{lib_->close})
	{
	}
	Result<void> ask();
	Error error(const char *what) const;

	std::unique_ptr<const Libnbd> lib_;
	std::unique_ptr<nbd_handle, Close> handle_;
	std::string name_;
	uint64_t size_ = 0;
	bool can_zero_ = false;
	bool can_flush_ = false;
	bool knows_holes_ = false;
};

} // namespace blkctl::transport

#endif
