// SPDX-License-Identifier: GPL-2.0-or-later
#include "transport/qmp.hpp"
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

namespace blkctl::transport
{

namespace
{

namespace json = boost::json;

// No command used here waits for a disk for long.
constexpr int answer_ms = 60000;

} // namespace

Error Qmp::error(std::string_view command, Status status, std::string why) const
{
	return {.status = status,
		.what = "tell QEMU to",
		.device = std::string(command),
		.why = std::move(why)};
}

Error Qmp::lost(std::string_view command)
{
	lost_ = true;
	return error(command, Status::failed, "it has hung up");
}

Result<json::object> Qmp::next_line(std::string_view command)
{
	boost::system::error_code bad;
	size_t end = 0;

	while ((end = ahead_.find('\n')) == std::string::npos) {
		pollfd poller{.fd = socket_.get(), .events = POLLIN, .revents = 0};
		char some[4096];
		const int ready = poll(&poller, 1, answer_ms);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0)
			return error(command, Status::timed_out, "it does not answer");
		const auto n = recv(socket_.get(), some, sizeof(some), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return lost(command);
		ahead_.append(some, static_cast<size_t>(n));
	}
	auto line = json::parse(std::string_view(ahead_).substr(0, end), bad);
	ahead_.erase(0, end + 1);
	if (bad || !line.is_object())
		return error(command, Status::failed, "its answer is no JSON object");
	return std::move(line.as_object());
}

Result<void> Qmp::greet()
{
	BLKCTL_TRY(const auto greeting, next_line("greet"));
	if (!greeting.contains("QMP"))
		return error("greet", Status::failed, "it is no QEMU");
	BLKCTL_CHECK(run("qmp_capabilities"));
	return {};
}

Result<json::value> Qmp::run(std::string_view command, json::object arguments)
{
	const auto line = json::serialize(json::object{{"execute", command},
						       {"arguments", std::move(arguments)}}) +
			  "\n";

	for (std::string_view left = line; !left.empty();) {
		const auto n = send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return lost(command);
		left.remove_prefix(static_cast<size_t>(n));
	}
	for (;;) {
		BLKCTL_TRY(auto answer, next_line(command));
		if (auto *const returned = answer.if_contains("return"))
			return std::move(*returned);
		const auto *const refused = answer.if_contains("error");
		// Anything else is an event.
		if (!refused)
			continue;
		const auto *const said =
			refused->is_object() ? refused->as_object().if_contains("desc") : nullptr;
		return error(command, Status::failed,
			     said && said->is_string() ? std::string(said->as_string())
						       : std::string("it refuses"));
	}
}

} // namespace blkctl::transport
