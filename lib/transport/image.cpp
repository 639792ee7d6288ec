// SPDX-License-Identifier: GPL-2.0-or-later
#include "transport/image.hpp"
#include <algorithm>
#include <fmt/format.h>
#include <new>

namespace blkctl::transport
{

namespace
{

// What is asked for at once: the kernel zeroes without looking up, and NBD counts in 32 bits.
constexpr uint64_t zero_piece = uint64_t{1} << 30;
constexpr uint64_t extents_piece = uint64_t{1} << 30;

constexpr size_t zeroes_at_once = size_t{1} << 20;

} // namespace

std::string_view word(Format format)
{
	return format == Format::qcow2 ? "qcow2" : "raw";
}

Format format_by_name(std::string_view path)
{
	return path.ends_with(".qcow2") ? Format::qcow2 : Format::raw;
}

Buffer::Buffer(size_t bytes)
	: memory_(static_cast<std::byte *>(::operator new (bytes, std::align_val_t{alignment}))),
	  bytes_(bytes)
{
}

void Buffer::Free::operator()(std::byte *memory) const
{
	::operator delete (memory, std::align_val_t{alignment});
}

Result<void> Image::check(const char *what, uint64_t offset, uint64_t length) const
{
	Error error{.status = Status::usage, .what = what, .device = name_};

	if (offset % sector_bytes != 0 || length % sector_bytes != 0)
		error.why = fmt::format("{} bytes at {} are not whole sectors", length, offset);
	else if (offset > size_ || length > size_ - offset)
		error.why =
			fmt::format("{} bytes at {} are behind its end, {}", length, offset, size_);
	else
		return {};
	return error;
}

Result<void> Image::check_writable(const char *what, uint64_t offset, uint64_t length) const
{
	if (access_ == Access::read)
		return Error{.status = Status::usage,
			     .what = what,
			     .device = name_,
			     .why = "it was opened to be read"};
	return check(what, offset, length);
}

Result<void> Image::read(uint64_t offset, std::span<std::byte> to)
{
	BLKCTL_CHECK(check("read", offset, to.size()));
	if (to.empty())
		return {};
	return do_read(offset, to);
}

Result<void> Image::write(uint64_t offset, std::span<const std::byte> from)
{
	BLKCTL_CHECK(check_writable("write", offset, from.size()));
	if (from.empty())
		return {};
	return do_write(offset, from);
}

Result<void> Image::zero(uint64_t offset, uint64_t length)
{
	BLKCTL_CHECK(check_writable("zero", offset, length));
	while (length != 0) {
		const auto now = std::min(length, zero_piece);
		BLKCTL_CHECK(do_zero(offset, now));
		offset += now;
		length -= now;
	}
	return {};
}

Result<void> Image::flush()
{
	BLKCTL_CHECK(check_writable("flush", 0, 0));
	return do_flush();
}

Result<std::vector<Extent>> Image::extents(uint64_t offset, uint64_t length)
{
	std::vector<Extent> all;

	BLKCTL_CHECK(check("look for holes in", offset, length));
	while (length != 0) {
		const auto now = std::min(length, extents_piece);
		BLKCTL_CHECK(do_extents(offset, now, all));
		offset += now;
		length -= now;
	}
	return all;
}

Result<void> Image::write_zeroes(uint64_t offset, uint64_t length)
{
	Buffer zeroes(std::min<uint64_t>(length, zeroes_at_once));

	std::ranges::fill(zeroes.span(), std::byte{0});
	while (length != 0) {
		const auto now = zeroes.span().first(std::min<uint64_t>(length, zeroes_at_once));
		BLKCTL_CHECK(do_write(offset, now));
		offset += now.size();
		length -= now.size();
	}
	return {};
}

void add_extent(std::vector<Extent> &extents, const Extent &extent)
{
	auto *const last = extents.empty() ? nullptr : &extents.back();

	if (last && last->zero == extent.zero && last->offset + last->length == extent.offset)
		last->length += extent.length;
	else if (extent.length != 0)
		extents.push_back(extent);
}

Result<std::unique_ptr<Image>> open_image(const std::string &path, Format format, Access access,
					  const std::string &run_dir)
{
	if (format == Format::qcow2)
		return open_qcow2(path, access, run_dir);
	return open_raw(path, access);
}

} // namespace blkctl::transport
