// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/interrupt.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "volume/view_export.hpp"
#include <boost/json.hpp>
#include <cerrno>
#include <fmt/format.h>
#include <poll.h>

namespace blkctl::cli::verb_export
{

namespace
{

// Whoever starts it in a program waits for this line.
void say_ready(const Arguments &args, const volume::ViewExport &found, const std::string &uri)
{
	boost::json::array bitmaps;
	for (const auto &bitmap : found.request.bitmaps)
		bitmaps.emplace_back(bitmap.name);
	if (args.flag("json"))
		say(boost::json::serialize(boost::json::object{{"schema", 1},
							       {"type", "export"},
							       {"name", found.volume},
							       {"view", args.at(0)},
							       {"uri", uri},
							       {"bitmaps", std::move(bitmaps)}}));
	else
		say(fmt::format("{}: served, read-only, at {}; Ctrl-C or SIGTERM ends it",
				args.at(0), uri));
}

// Returns when a signal has come, or the server has gone.
void wait_for_end(const Interrupt &interrupt, int ended_fd)
{
	pollfd poller{.fd = ended_fd, .events = POLLIN, .revents = 0};
	sigset_t none;
	sigemptyset(&none);
	while (!interrupt.came()) {
		const int n = ppoll(&poller, 1, nullptr, &none);
		if (n > 0)
			return;
		if (n < 0 && errno != EINTR)
			refuse(errno_error("wait for", "the server", errno));
	}
}

Status run(const Arguments &args)
{
	const auto socket = args.value("socket");
	if (!socket)
		bad_usage("--socket is missing: clients have to come by one");
	auto host = take(volume::Host::open());
	auto found = take(volume::view_export(host.context(), args.at(0), args.values("bitmap")));
	found.request.socket = *socket;
	if (auto name = args.value("name"))
		found.request.name = *name;
	const auto server = take(transport::Export::start(found.request));

	const Interrupt interrupt;
	take(server->open());
	say_ready(args, found, server->uri());
	wait_for_end(interrupt, server->ended_fd());
	take(server->stop());
	return Status::ok;
}

const Register entry{Verb{
	.name = "export",
	.group = Group::snapshots,
	.rank = 6,
	.summary = "serve a view, and what has changed, to backup tools over NBD",
	.description =
		{"Serves VIEW, made by blkctl-view(8), read-only, to any program that speaks NBD, "
		 "over a unix socket, until it is interrupted; then the socket is gone, and the "
		 "status is 0. The socket, for root alone, is there from when it can be used, and "
		 "the URI for clients is printed then.",
		 "With --bitmap a client also finds which ranges have changed, as the context "
		 "qemu:dirty-bitmap:BITMAP: what a bitmap of the volume has kept that was frozen "
		 "at the view's instant, by --bitmap of blkctl-view(8). The context "
		 "base:allocation "
		 "is there too, and says that all is data: a device does not tell its holes.",
		 "A qemu-storage-daemon, of Debian's qemu-system-common, does the serving, and "
		 "ends with blkctl. While it runs VIEW is open and cannot be removed."},
	.positionals = {{.name = "VIEW",
			 .help = "the view, by its name in /dev/mapper",
			 .offer = Offer::dm_device}},
	.options = {{.name = "socket",
		     .value = "PATH",
		     .help = "where the socket will be; must be given, and nothing be there"},
		    {.name = "bitmap",
		     .value = "BITMAP",
		     .help = "a frozen bitmap of the volume, to be served too; may be given again",
		     .repeated = true},
		    {.name = "name",
		     .value = "NAME",
		     .help = "what clients ask for; VIEW if not given"},
		    json_option()},
	.examples = {{"blkctl export data-now --socket /run/data.sock --bitmap nightly",
		      "Then, for example: nbdinfo --map=qemu:dirty-bitmap:nightly "
		      "'nbd+unix:///data-now?socket=/run/data.sock'"},
		     {"blkctl export data-now --socket /run/data.sock --name disk",
		      "Then: qemu-img convert -O qcow2 'nbd+unix:///disk?socket=/run/data.sock' "
		      "data.qcow2"}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_export
