// SPDX-License-Identifier: GPL-2.0-or-later
// A device or a file to be read by others over NBD, with what has changed on it. It is served by a
// qemu-storage-daemon of our own.
#ifndef BLKCTL_TRANSPORT_EXPORT_HPP
#define BLKCTL_TRANSPORT_EXPORT_HPP

#include "base/error.hpp"
#include "transport/image.hpp"
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace blkctl::transport
{

// Clients find it as the context qemu:dirty-bitmap:NAME.
struct ExportedBitmap {
	std::string name = {};
	uint64_t granularity = 0; // a power of two; a range makes all of each that it touches dirty
	std::vector<Range> dirty = {};
};

struct ExportRequest {
	std::string path = {}; // what is read: a device, past the page cache, or a raw file
	uint64_t bytes = 0;    // how long it is
	std::string name = {}; // what a client asks for
	std::string socket = {};
	std::vector<ExportedBitmap> bitmaps = {};
};

class Export
{
      public:
	/*
	 * Makes ready to serve it, read-only, to any number of clients. The server ends with the
	 * thread that has called this; of one that is killed the name of the socket stays, before
	 * open() with some letters after it. Errors: busy (there is something in its place), usage
	 * (its path is too long), failed (also: no qemu-storage-daemon).
	 */
	static Result<std::unique_ptr<Export>> start(const ExportRequest &request);
	virtual ~Export() = default; // as stop(), and nobody hears of it

	// The socket, for its owner alone, is there from here on. Errors: busy, failed.
	virtual Result<void> open() = 0;

	// For clients: "nbd+unix:///NAME?socket=PATH".
	virtual const std::string &uri() const = 0;
	// Readable once the server has ended by itself; stop() says why then.
	virtual int ended_fd() const = 0;
	// Ends it in good order, whoever still reads; the socket is gone. Errors: failed,
	// timed_out.
	virtual Result<void> stop() = 0;

      protected:
	Export() = default;
	Export(const Export &) = delete;
	Export &operator=(const Export &) = delete;
};

} // namespace blkctl::transport

#endif
