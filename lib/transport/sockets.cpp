// SPDX-License-Identifier: GPL-2.0-or-later
#include "transport/sockets.hpp"
#include "base/files.hpp"
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace blkctl::transport
{

namespace
{

constexpr int backlog = 16;

Result<sockaddr_un> address_of(const std::string &path)
{
	sockaddr_un address = {};

	if (path.size() >= sizeof(address.sun_path))
		return Error{.status = Status::usage,
			     .what = "open the socket",
			     .device = path,
			     .why = "the path is longer than that of a socket can be"};
	address.sun_family = AF_UNIX;
	std::memcpy(address.sun_path, path.data(), path.size());
	return address;
}

Result<UniqueFd> make_socket(const std::string &path)
{
	UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	if (!fd)
		return errno_error("open the socket", path, errno);
	return fd;
}

// A folder that only its owner can look into, and what is in it under one name.
class PrivateFolder
{
      public:
	explicit PrivateFolder(const std::string &parent) : path_(parent + "/nbd-XXXXXX") {}
	~PrivateFolder()
	{
		if (!made_)
			return;
		unlink(name().c_str());
		rmdir(path_.c_str());
	}
	PrivateFolder(const PrivateFolder &) = delete;
	PrivateFolder &operator=(const PrivateFolder &) = delete;

	Result<void> make()
	{
		made_ = mkdtemp(path_.data()) != nullptr;
		if (made_)
			return {};
		auto error = errno_error("make a folder", path_, errno);
		error.status = Status::failed;
		return error;
	}
	std::string name() const { return path_ + "/socket"; }

      private:
	std::string path_;
	bool made_ = false;
};

} // namespace

Result<UniqueFd> listen_at(const std::string &path)
{
	BLKCTL_TRY(const auto address, address_of(path));
	BLKCTL_TRY(auto fd, make_socket(path));

	// Before it has a name: the file has this mode from its first moment on.
	if (fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0)
		return errno_error("open the socket", path, errno);
	if (bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) != 0) {
		if (errno == EADDRINUSE)
			return Error{.status = Status::busy,
				     .what = "open the socket",
				     .device = path,
				     .why = "something is there already",
				     .sys_errno = EADDRINUSE};
		return errno_error("open the socket", path, errno);
	}
	if (listen(fd.get(), backlog) != 0) {
		auto error = errno_error("open the socket", path, errno);
		unlink(path.c_str());
		return error;
	}
	return fd;
}

Result<UniqueFd> connect_to(const std::string &path)
{
	BLKCTL_TRY(const auto address, address_of(path));
	BLKCTL_TRY(auto fd, make_socket(path));

	if (connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) != 0)
		return errno_error("connect to", path, errno);
	return fd;
}

Result<PrivateSocket> private_socket(const std::string &run_dir)
{
	PrivateFolder folder(run_dir);
	PrivateSocket both;

	BLKCTL_CHECK(make_folder(run_dir));
	BLKCTL_CHECK(folder.make());
	BLKCTL_TRY(both.listener, listen_at(folder.name()));
	// It waits there until somebody takes it up.
	BLKCTL_TRY(both.connection, connect_to(folder.name()));
	return both;
}

} // namespace blkctl::transport
