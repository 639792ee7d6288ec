// SPDX-License-Identifier: GPL-2.0-or-later
#include "transport/nbd.hpp"
#include <algorithm>
#include <cerrno>

namespace blkctl::transport
{

namespace
{

// What every server takes in one request.
constexpr size_t payload_piece = size_t{16} << 20;
// It counts in 32 bits, and rounds what is left up.
constexpr uint64_t request_piece = uint64_t{1} << 30;

// More than this QEMU does not work on at once.
constexpr int most_in_flight = 16;

struct StatusReply {
	uint64_t offset;
	uint64_t end;
	std::vector<Extent> *extents;
};

int take_status(void *data, const char *context, uint64_t offset, uint32_t *entries, size_t count,
		int *)
{
	auto &reply = *static_cast<StatusReply *>(data);

	if (std::string_view(context) != LIBNBD_CONTEXT_BASE_ALLOCATION || offset != reply.offset)
		return 0;
	// Pairs of a length and flags; the last may go on behind what was asked for.
	for (size_t i = 0; i + 1 < count && reply.offset < reply.end; i += 2) {
		const auto now = std::min<uint64_t>(entries[i], reply.end - reply.offset);
		add_extent(*reply.extents,
			   {reply.offset, now, (entries[i + 1] & LIBNBD_STATE_ZERO) != 0});
		reply.offset += now;
	}
	return 0;
}

// The first error of several requests. Each of them has a share in it: when a connection is lost
// some are over only with the handle.
using FirstError = std::shared_ptr<int>;

int take_outcome(void *data, int *error)
{
	auto &first = **static_cast<FirstError *>(data);

	if (first == 0)
		first = *error;
	return 1;
}

void drop_outcome(void *data)
{
	delete static_cast<FirstError *>(data);
}

} // namespace

Error Nbd::error(const char *what) const
{
	const int err = lib_->get_errno();
	const char *words = lib_->get_error();

	if (err != 0 && !is_lost())
		return errno_error(what, name_, err);
	return {.what = what, .device = name_, .why = words ? words : "", .sys_errno = err};
}

Result<Nbd> Nbd::connect(const Libnbd &library, UniqueFd socket, const std::string &exported,
			 const std::string &name)
{
	Nbd nbd(library);
	auto *const handle = nbd.handle_.get();

	nbd.name_ = name;
	if (!handle)
		return errno_error("open", name, ENOMEM);
	if (library.set_export_name(handle, exported.c_str()) != 0 ||
	    library.add_meta_context(handle, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
		return nbd.error("open");
	// The socket is libnbd's, however this ends.
	if (library.connect_socket(handle, socket.release()) != 0)
		return nbd.error("open");
	BLKCTL_CHECK(nbd.ask());
	return nbd;
}

// Once: of a connection that is lost nothing is known, which must not be taken for a no.
Result<void> Nbd::ask()
{
	auto *const handle = handle_.get();
	const auto bytes = lib_->get_size(handle);
	const int zero = lib_->can_zero(handle);
	const int flush = lib_->can_flush(handle);
	const int holes = lib_->can_meta_context(handle, LIBNBD_CONTEXT_BASE_ALLOCATION);

	if (bytes < 0 || zero < 0 || flush < 0 || holes < 0)
		return error("open");
	size_ = static_cast<uint64_t>(bytes);
	can_zero_ = zero == 1;
	can_flush_ = flush == 1;
	knows_holes_ = holes == 1;
	return {};
}

bool Nbd::is_lost() const
{
	return lib_->aio_is_dead(handle_.get()) != 0 || lib_->aio_is_closed(handle_.get()) != 0;
}

Result<void> Nbd::read(uint64_t offset, std::span<std::byte> to)
{
	while (!to.empty()) {
		const auto now = to.first(std::min(to.size(), payload_piece));
		if (lib_->pread(handle_.get(), now.data(), now.size(), offset, 0) != 0)
			return error("read");
		to = to.subspan(now.size());
		offset += now.size();
	}
	return {};
}

Result<void> Nbd::write(uint64_t offset, std::span<const std::byte> from)
{
	while (!from.empty()) {
		const auto now = from.first(std::min(from.size(), payload_piece));
		if (lib_->pwrite(handle_.get(), now.data(), now.size(), offset, 0) != 0)
			return error("write");
		from = from.subspan(now.size());
		offset += now.size();
	}
	return {};
}

Result<void> Nbd::zero_all(std::span<const Extent> ranges)
{
	auto *const handle = handle_.get();
	const auto failed = std::make_shared<int>(0);

	for (const auto &range : ranges) {
		auto [offset, left, ignored] = range;
		while (left != 0 && *failed == 0) {
			const auto now = std::min(left, request_piece);
			const nbd_completion_callback done{.callback = take_outcome,
							   .user_data = new FirstError(failed),
							   .free = drop_outcome};
			if (lib_->aio_zero(handle, now, offset, done, 0) < 0)
				return error("zero");
			offset += now;
			left -= now;
			while (lib_->aio_in_flight(handle) >= most_in_flight)
				if (lib_->poll(handle, -1) < 0)
					return error("zero");
		}
	}
	while (lib_->aio_in_flight(handle) > 0)
		if (lib_->poll(handle, -1) < 0)
			return error("zero");
	if (*failed != 0)
		return errno_error("zero", name_, *failed);
	return {};
}

Result<void> Nbd::zero(uint64_t offset, uint64_t length)
{
	const Extent range{offset, length, true};

	return zero_all({&range, 1});
}

Result<void> Nbd::flush()
{
	if (!can_flush_)
		return Error{.what = "flush", .device = name_, .why = "its NBD server cannot"};
	if (lib_->flush(handle_.get(), 0) != 0)
		return error("flush");
	return {};
}

Result<void> Nbd::add_extents(uint64_t offset, uint64_t length, std::vector<Extent> &extents)
{
	StatusReply reply{.offset = offset, .end = offset + length, .extents = &extents};

	if (!knows_holes_) {
		add_extent(extents, {offset, length, false});
		return {};
	}
	while (reply.offset < reply.end) {
		const auto before = reply.offset;
		const nbd_extent_callback take{
			.callback = take_status, .user_data = &reply, .free = nullptr};
		if (lib_->block_status(handle_.get(), reply.end - reply.offset, reply.offset, take,
				       0) != 0)
			return error("look for holes in");
		if (reply.offset == before)
			return Error{.what = "look for holes in",
				     .device = name_,
				     .why = "the NBD server has told nothing"};
	}
	return {};
}

void Nbd::say_goodbye()
{
	// Without a wait: it may hang.
	if (!is_lost())
		(void)lib_->aio_disconnect(handle_.get(), 0);
}

} // namespace blkctl::transport
