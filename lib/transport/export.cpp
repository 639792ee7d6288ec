// SPDX-License-Identifier: GPL-2.0-or-later
#include "transport/export.hpp"
#include "base/child.hpp"
#include "base/random.hpp"
#include "base/unique_fd.hpp"
#include "transport/nbd.hpp"
#include "transport/qmp.hpp"
#include "transport/sockets.hpp"
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace blkctl::transport
{

namespace
{

namespace json = boost::json;

// The node that is read, and the export of it.
constexpr const char *source = "source";

constexpr std::chrono::milliseconds end_patience{30000};

// A socket until it has its own name: so few letters as the path has room for.
constexpr size_t suffix_letters = 8;

std::string percent_encoded(std::string_view text, std::string_view plain)
{
	std::string all;

	for (const char c : text)
		if (isalnum(static_cast<unsigned char>(c)) || plain.find(c) != plain.npos)
			all += c;
		else
			all += fmt::format("%{:02X}", static_cast<unsigned char>(c));
	return all;
}

std::string uri_of(const std::string &name, const std::string &socket)
{
	return "nbd+unix:///" + percent_encoded(name, "-_.~") +
	       "?socket=" + percent_encoded(socket, "-_.~/");
}

Error taken(const std::string &socket)
{
	return {.status = Status::busy,
		.what = "open the socket",
		.device = socket,
		.why = "something is there already",
		.next = "rm " + socket + ", if nobody serves it any more"};
}

struct Ends {
	UniqueFd ours = {};
	UniqueFd theirs = {};
};

Result<Ends> socket_pair()
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return errno_error("open a socket", "", errno);
	return Ends{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

class Server final : public Export
{
      public:
	explicit Server(const ExportRequest &request)
		: request_(request), uri_(uri_of(request.name, request.socket))
	{
	}
	~Server() override
	{
		(void)stop();
		// Whoever was stopped before it was done.
		if (!waiting_at_.empty())
			unlink(waiting_at_.c_str());
	}

	const std::string &uri() const override { return uri_; }
	int ended_fd() const override { return child_->ended_fd(); }
	Result<void> open() override;
	Result<void> stop() override;

	Result<void> launch();
	Result<void> serve();

      private:
	// What has failed, in the words of the server if it has gone.
	Error explained(const Error &error, bool lost);
	Result<void> tell(std::string_view command, json::object arguments);
	Result<void> add_source();
	Result<void> add_bitmap(const ExportedBitmap &bitmap, const std::string &node);
	Result<void> fill(const ExportedBitmap &bitmap, const std::string &node);

	ExportRequest request_;
	std::string uri_;
	std::string waiting_at_; // where the socket is until all is ready
	bool published_ = false;
	std::optional<Child> child_;
	std::optional<Qmp> qmp_;
};

Result<void> Server::launch()
{
	struct stat st;

	if (lstat(request_.socket.c_str(), &st) == 0)
		return taken(request_.socket);
	BLKCTL_TRY(const auto letters, random_hex());
	const auto path = request_.socket + "." + letters.substr(0, suffix_letters);
	BLKCTL_TRY(const auto listener, listen_at(path));
	waiting_at_ = path;
	BLKCTL_TRY(auto control, socket_pair());
	auto child =
		Child::start({.words = {"qemu-storage-daemon", "--chardev",
					"socket,id=control,fd=3", "--monitor", "chardev=control",
					"--nbd-server", "addr.type=fd,addr.str=4"},
			      .package = "qemu-system-common",
			      .pass = {control.theirs.get(), listener.get()}});
	if (!child)
		return child.error();
	child_.emplace(std::move(*child));
	qmp_.emplace(std::move(control.ours));
	return {};
}

Error Server::explained(const Error &error, bool lost)
{
	auto told = lost ? child_->error(error.what, error.device, error.why) : error;

	told.what = "serve";
	told.device = request_.path;
	return told;
}

Result<void> Server::tell(std::string_view command, json::object arguments)
{
	const auto answer = qmp_->run(command, std::move(arguments));

	if (!answer)
		return explained(answer.error(), qmp_->is_lost());
	return {};
}

Result<void> Server::add_source()
{
	struct stat st;

	if (stat(request_.path.c_str(), &st) != 0)
		return errno_error("serve", request_.path, errno);
	const bool device = S_ISBLK(st.st_mode);
	return tell("blockdev-add", {{"driver", device ? "host_device" : "file"},
				     {"node-name", source},
				     {"filename", request_.path},
				     {"read-only", true},
				     {"cache", {{"direct", device}}}});
}

// QEMU lets nobody say what is dirty: what is written to is. So somebody writes, to a device that
// keeps nothing, and what was recorded there is merged.
Result<void> Server::add_bitmap(const ExportedBitmap &bitmap, const std::string &node)
{
	BLKCTL_CHECK(tell("blockdev-add", {{"driver", "null-co"},
					   {"node-name", node},
					   {"size", request_.bytes},
					   {"read-zeroes", true}}));
	BLKCTL_CHECK(
		tell("block-dirty-bitmap-add",
		     {{"node", node}, {"name", bitmap.name}, {"granularity", bitmap.granularity}}));
	BLKCTL_CHECK(tell("block-export-add", {{"type", "nbd"},
					       {"id", node},
					       {"node-name", node},
					       {"name", node},
					       {"writable", true}}));
	BLKCTL_CHECK(fill(bitmap, node));
	BLKCTL_CHECK(tell("block-export-del", {{"id", node}, {"mode", "hard"}}));
	// One that records nothing is all that a read-only export takes.
	BLKCTL_CHECK(tell("block-dirty-bitmap-add", {{"node", source},
						     {"name", bitmap.name},
						     {"granularity", bitmap.granularity},
						     {"disabled", true}}));
	BLKCTL_CHECK(tell(
		"block-dirty-bitmap-merge",
		{{"node", source},
		 {"target", bitmap.name},
		 {"bitmaps", json::array{json::object{{"node", node}, {"name", bitmap.name}}}}}));
	return tell("block-dirty-bitmap-remove", {{"node", node}, {"name", bitmap.name}});
}

Result<void> Server::fill(const ExportedBitmap &bitmap, const std::string &node)
{
	std::vector<Extent> ranges;

	for (const auto &range : bitmap.dirty)
		ranges.push_back({range.offset, range.length, true});
	BLKCTL_TRY(const auto library, Libnbd::load());
	BLKCTL_TRY(auto socket, connect_to(waiting_at_));
	auto nbd = Nbd::connect(library, std::move(socket), node, request_.path);
	if (!nbd)
		return explained(nbd.error(), true);
	const auto filled = nbd->zero_all(ranges);
	if (!filled)
		return explained(filled.error(), nbd->is_lost());
	nbd->say_goodbye();
	return {};
}

Result<void> Server::serve()
{
	json::array names;

	const auto greeted = qmp_->greet();
	if (!greeted)
		return explained(greeted.error(), qmp_->is_lost());
	BLKCTL_CHECK(add_source());
	for (const auto &bitmap : request_.bitmaps) {
		BLKCTL_CHECK(add_bitmap(bitmap, fmt::format("fill-{}", names.size())));
		names.emplace_back(bitmap.name);
	}
	return tell("block-export-add", {{"type", "nbd"},
					 {"id", source},
					 {"node-name", source},
					 {"name", request_.name},
					 {"writable", false},
					 {"bitmaps", std::move(names)}});
}

// In one step, and never over what somebody else has put there meanwhile.
Result<void> Server::open()
{
	if (renameat2(AT_FDCWD, waiting_at_.c_str(), AT_FDCWD, request_.socket.c_str(),
		      RENAME_NOREPLACE) != 0)
		return errno == EEXIST ? taken(request_.socket)
				       : errno_error("open the socket", request_.socket, errno);
	waiting_at_.clear();
	published_ = true;
	return {};
}

Result<void> Server::stop()
{
	if (std::exchange(published_, false))
		unlink(request_.socket.c_str());
	if (!child_)
		return {};
	pollfd poller{.fd = child_->ended_fd(), .events = POLLIN, .revents = 0};
	const bool by_itself = poll(&poller, 1, 0) > 0;
	child_->terminate();
	const auto ended = child_->finish(end_patience);
	const auto why = explained(ended ? Error{} : ended.error(), by_itself);
	child_.reset();
	if (by_itself || !ended)
		return why;
	return {};
}

} // namespace

Result<std::unique_ptr<Export>> Export::start(const ExportRequest &request)
{
	auto wanted = request;
	std::error_code bad;

	// A URI has the whole of a path.
	wanted.socket = std::filesystem::absolute(request.socket, bad).string();
	if (bad)
		return errno_error("open the socket", request.socket, bad.value());
	auto server = std::make_unique<Server>(wanted);
	BLKCTL_CHECK(server->launch());
	BLKCTL_CHECK(server->serve());
	return std::unique_ptr<Export>(std::move(server));
}

} // namespace blkctl::transport
