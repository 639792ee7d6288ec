// SPDX-License-Identifier: GPL-2.0-or-later
// qcow2 files, by way of QEMU's own programs: nobody else's knowledge of the format is as good.
#include "base/child.hpp"
#include "base/files.hpp"
#include "transport/image.hpp"
#include "transport/nbd.hpp"
#include "transport/sockets.hpp"
#include <boost/json.hpp>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace blkctl::transport
{

namespace
{

constexpr const char *package = "qemu-utils";

constexpr std::chrono::milliseconds patience{30000};

// What QEMU says when a lock on the file is another program's.
constexpr std::string_view in_use = "Is another process using the image";

std::string absolute(const std::string &path)
{
	std::error_code ignored;
	const auto full = std::filesystem::absolute(path, ignored);

	return ignored ? path : full.string();
}

Error told_by_qemu(Error error, const std::string &what, const std::string &path)
{
	error.what = what;
	error.device = path;
	if (error.why.find(in_use) != std::string::npos)
		error.status = Status::busy;
	return error;
}

class Qcow2Image final : public Image
{
      public:
	Qcow2Image(const std::string &path, uint64_t bytes, Access access, Child server, Nbd nbd)
		: Image(path, bytes, access), server_(std::move(server)), nbd_(std::move(nbd))
	{
	}
	~Qcow2Image() override { (void)end(); }

	Result<void> close() override
	{
		const auto flushed = access() == Access::write ? do_flush() : Result<void>();
		const auto ended = end();
		return flushed ? ended : flushed;
	}

      private:
	Result<void> do_read(uint64_t offset, std::span<std::byte> to) override
	{
		return explained(nbd_->read(offset, to));
	}
	Result<void> do_write(uint64_t offset, std::span<const std::byte> from) override
	{
		return explained(nbd_->write(offset, from));
	}
	Result<void> do_zero(uint64_t offset, uint64_t length) override
	{
		if (!nbd_->can_zero())
			return write_zeroes(offset, length);
		return explained(nbd_->zero(offset, length));
	}
	Result<void> do_flush() override { return explained(nbd_->flush()); }
	Result<void> do_extents(uint64_t offset, uint64_t length,
				std::vector<Extent> &extents) override
	{
		return explained(nbd_->add_extents(offset, length, extents));
	}

	// A connection that is lost says less than the server that has gone.
	Result<void> explained(Result<void> result)
	{
		if (result || !nbd_->is_lost())
			return result;
		const auto &error = result.error();
		return server_.error(error.what, error.device, error.why);
	}

	// The server writes down all of its tables, and ends, when its only client has gone.
	Result<void> end()
	{
		if (!nbd_)
			return {};
		nbd_->say_goodbye();
		nbd_.reset();
		const auto ended = server_.finish(patience);
		if (!ended)
			return told_by_qemu(ended.error(), "close", name());
		return {};
	}

	Child server_;
	std::optional<Nbd> nbd_;
};

Result<Format> parse_format(const std::string &path, std::string_view text)
{
	for (const auto format : {Format::raw, Format::qcow2})
		if (text == word(format))
			return format;
	return Error{.what = "look at",
		     .device = path,
		     .why = "it is in the format " + std::string(text) +
			    ", which is not known here"};
}

Result<std::optional<Backing>> parse_backing(const std::string &path,
					     const boost::json::object &info)
{
	const auto *const file = info.if_contains("backing-filename");
	const auto *const format = info.if_contains("backing-filename-format");
	Backing backing;

	if (!file || !file->is_string())
		return std::optional<Backing>();
	backing.path = file->as_string().c_str();
	backing.format = format_by_name(backing.path);
	if (format && format->is_string()) {
		BLKCTL_TRY(backing.format, parse_format(path, format->as_string()));
	}
	return std::optional<Backing>(std::move(backing));
}

// A file of that name, not one that QEMU reaches by a protocol of it.
std::string plain(const std::string &path)
{
	return path.starts_with('/') || path.find(':') == std::string::npos ? path : "./" + path;
}

} // namespace

Result<std::unique_ptr<Image>> open_qcow2(const std::string &path, Access access,
					  const std::string &run_dir)
{
	if (::access(path.c_str(), F_OK) != 0)
		return errno_error("open", path, errno);
	BLKCTL_TRY(const auto library, Libnbd::load());
	BLKCTL_TRY(auto socket, private_socket(run_dir));
	Program program{.words = {"qemu-nbd", "--format=qcow2", "--cache=writeback",
				  "--discard=unmap", "--detect-zeroes=off", "--shared=1"},
			.package = package,
			.pass = {socket.listener.get()},
			.socket_activation = true};
	if (access == Access::read)
		program.words.emplace_back("--read-only");
	program.words.push_back(absolute(path));
	BLKCTL_TRY(auto server, Child::start(program));
	// From here on the connection ends when the server does.
	socket.listener.reset();
	auto nbd = Nbd::connect(library, std::move(socket.connection), "", path);
	if (!nbd)
		return told_by_qemu(server.error("open", path, nbd.error().why), "open", path);
	const auto bytes = nbd->size();
	return std::unique_ptr<Image>(
		new Qcow2Image(path, bytes, access, std::move(server), std::move(*nbd)));
}

Result<void> create_qcow2(const std::string &path, uint64_t bytes,
			  const std::optional<Backing> &backing)
{
	Program program{.words = {"qemu-img", "create", "-q", "-f", "qcow2"}, .package = package};

	if (backing)
		for (const auto &one : {std::string("-b"), plain(backing->path), std::string("-F"),
					std::string(word(backing->format))})
			program.words.push_back(one);
	program.words.push_back(absolute(path));
	program.words.push_back(std::to_string(bytes));

	// qemu-img would overwrite what is there.
	BLKCTL_TRY(const auto fd, make_file(path));
	const auto made = run_program(program, patience);
	if (made && fsync(fd.get()) == 0)
		return sync_folder_of(path);
	auto error = made ? errno_error("make the file", path, errno) : made.error();
	unlink(path.c_str());
	if (error.next.empty())
		error = told_by_qemu(error, "make the file", path);
	return error;
}

Result<ImageInfo> look_at_image(const std::string &path, std::optional<Format> format)
{
	Program program{.words = {"qemu-img", "info", "--output=json", "--force-share"},
			.package = package};
	ImageInfo info;
	boost::system::error_code bad;

	if (::access(path.c_str(), F_OK) != 0)
		return errno_error("look at", path, errno);
	if (format)
		program.words.push_back("--format=" + std::string(word(*format)));
	program.words.push_back(absolute(path));
	auto text = run_program(program, patience);
	if (!text)
		return text.error().next.empty() ? told_by_qemu(text.error(), "look at", path)
						 : text.error();
	const auto json = boost::json::parse(*text, bad);
	const auto *const object = bad ? nullptr : json.if_object();
	const auto *const told = object ? object->if_contains("format") : nullptr;
	const auto *const size = object ? object->if_contains("virtual-size") : nullptr;
	if (!told || !told->is_string() || !size)
		return Error{.what = "look at", .device = path, .why = "qemu-img tells nothing"};
	BLKCTL_TRY(info.format, parse_format(path, told->as_string()));
	info.bytes = size->to_number<uint64_t>(bad);
	BLKCTL_TRY(info.backing, parse_backing(path, *object));
	return info;
}

} // namespace blkctl::transport
