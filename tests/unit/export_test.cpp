// SPDX-License-Identifier: GPL-2.0-or-later
// NBD exports, as other programs see them.
#include "base/child.hpp"
#include "temporary_folder.hpp"
#include "transport/export.hpp"
#include "transport/image.hpp"
#include "units.hpp"
#include <boost/json.hpp>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace blkctl;
using namespace blkctl::transport;

namespace
{

constexpr uint64_t size = 64 * mib;

using Ranges = std::vector<Range>;

std::string run(std::vector<std::string> words)
{
	const auto output = run_program({.words = std::move(words), .package = "qemu-utils"},
					std::chrono::seconds(30));
	EXPECT_TRUE(output) << output.error().message();
	return output ? *output : std::string();
}

// As whoever serves it does.
Result<std::unique_ptr<Export>> serve(const ExportRequest &request)
{
	BLKCTL_TRY(auto server, Export::start(request));
	BLKCTL_CHECK(server->open());
	return server;
}

class Exporting : public testing::Test
{
      protected:
	Exporting()
	{
		const auto image = make_raw(at("data"), size);
		std::vector<std::byte> data(mib, std::byte{7});
		EXPECT_TRUE(image && (*image)->write(3 * mib, data) && (*image)->close());
	}
	std::string at(const std::string &name) const { return folder.path() + "/" + name; }
	bool is_there(const std::string &path) const
	{
		struct stat st;
		return lstat(path.c_str(), &st) == 0;
	}
	bool has_sockets() const
	{
		for (const auto &entry : std::filesystem::directory_iterator(folder.path()))
			if (entry.is_socket())
				return true;
		return false;
	}
	// What a client is told of a bitmap.
	Ranges dirty(const Export &server, const std::string &bitmap) const
	{
		Ranges all;
		const auto text = run(
			{"nbdinfo", "--json", "--map=qemu:dirty-bitmap:" + bitmap, server.uri()});
		const auto map = boost::json::parse(text);
		for (const auto &entry : map.as_array())
			if (entry.at("type").to_number<int>() != 0)
				all.push_back({entry.at("offset").to_number<uint64_t>(),
					       entry.at("length").to_number<uint64_t>()});
		return all;
	}
	ExportRequest request() const
	{
		return {.path = at("data"),
			.bytes = size,
			.name = "data now",
			.socket = at("socket"),
			.bitmaps = {}};
	}
	pid_t server_pid() const
	{
		pid_t pid = 0;
		std::ifstream("/proc/self/task/" + std::to_string(getpid()) + "/children") >> pid;
		return pid;
	}

	TemporaryFolder folder;
};

} // namespace

TEST_F(Exporting, ContentAndBitmapsAreServed)
{
	const Ranges nightly{{0, 64 * kib}, {mib, 3 * mib}, {size - 128 * kib, 128 * kib}};
	Ranges many;
	for (uint64_t at = 0; at < size; at += 8 * kib)
		many.push_back({at, 4 * kib});
	auto wanted = request();
	wanted.bitmaps = {{"nightly", 64 * kib, nightly}, {"none", mib, {}}, {"many", 4096, many}};
	const auto server = serve(wanted);
	ASSERT_TRUE(server) << server.error().message();
	EXPECT_EQ((*server)->uri(), "nbd+unix:///data%20now?socket=" + at("socket"));
	struct stat st;
	ASSERT_EQ(stat(at("socket").c_str(), &st), 0);
	EXPECT_EQ(st.st_mode, S_IFSOCK | 0600u);

	EXPECT_EQ(dirty(**server, "nightly"), nightly);
	EXPECT_EQ(dirty(**server, "none"), Ranges());
	EXPECT_EQ(dirty(**server, "many"), many);
	const auto info = run({"nbdinfo", "--json", "--list", (*server)->uri()});
	const auto exports = boost::json::parse(info).at("exports").as_array();
	ASSERT_EQ(exports.size(), 1u) << info;
	EXPECT_EQ(exports[0].at("is_read_only"), boost::json::value(true));
	EXPECT_EQ(exports[0].at("contexts"),
		  (boost::json::array{"base:allocation", "qemu:dirty-bitmap:nightly",
				      "qemu:dirty-bitmap:none", "qemu:dirty-bitmap:many"}));
	// Both at once, as backup tools do.
	run({"qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", at("data"), (*server)->uri()});
	run({"qemu-img", "convert", "-f", "raw", "-O", "qcow2", (*server)->uri(), at("copy")});
	run({"qemu-img", "compare", "-q", at("data"), at("copy")});

	const auto ended = (*server)->stop();
	EXPECT_TRUE(ended) << ended.error().message();
	EXPECT_FALSE(is_there(at("socket")));
	EXPECT_EQ(server_pid(), 0);
	EXPECT_FALSE(has_sockets());
}

TEST_F(Exporting, EndsWithItsOwner)
{
	{
		const auto server = serve(request());
		ASSERT_TRUE(server) << server.error().message();
		EXPECT_TRUE(is_there(at("socket")));
		EXPECT_NE(server_pid(), 0);
	}
	EXPECT_FALSE(is_there(at("socket")));
	EXPECT_EQ(server_pid(), 0);
}

TEST_F(Exporting, IsThereOnceItIsReady)
{
	auto server = Export::start(request());
	ASSERT_TRUE(server);
	EXPECT_FALSE(is_there(at("socket")));
	std::ofstream(at("socket")) << "somebody else's";
	EXPECT_EQ((*server)->open().error().status, Status::busy);
	EXPECT_TRUE((*server)->stop());
	server->reset();
	EXPECT_TRUE(std::filesystem::remove(at("socket")));
	EXPECT_FALSE(has_sockets());
}

TEST_F(Exporting, AKilledOneTakesItsServerWithIt)
{
	int ends[2];
	ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
	const pid_t owner = fork();
	if (owner == 0) {
		const auto server = serve(request());
		const pid_t pid = server ? server_pid() : -1;
		raise(write(ends[1], &pid, sizeof(pid)) == sizeof(pid) ? SIGKILL : SIGABRT);
	}
	pid_t pid = -1;
	ASSERT_EQ(read(ends[0], &pid, sizeof(pid)), ssize_t(sizeof(pid)));
	ASSERT_GT(pid, 0);
	ASSERT_EQ(waitpid(owner, nullptr, 0), owner);
	for (int i = 0; i < 1000 && is_there("/proc/" + std::to_string(pid) + "/exe"); i++)
		usleep(10000);
	EXPECT_FALSE(is_there("/proc/" + std::to_string(pid) + "/exe"));
	// The name of its socket stays, and nobody takes it over without being told to.
	const auto again = serve(request());
	ASSERT_FALSE(again);
	EXPECT_EQ(again.error().next, "rm " + at("socket") + ", if nobody serves it any more");
	close(ends[0]);
	close(ends[1]);
}

TEST_F(Exporting, APlaceThatIsTakenIsRefused)
{
	std::ofstream(at("socket")) << "not yours";
	const auto refused = serve(request());
	ASSERT_FALSE(refused);
	EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
	EXPECT_TRUE(is_there(at("socket")));

	auto other = request();
	other.socket = at("second");
	const auto first = serve(other);
	ASSERT_TRUE(first);
	EXPECT_EQ(serve(other).error().status, Status::busy);
	other.socket = at(std::string(100, 'x'));
	EXPECT_EQ(serve(other).error().status, Status::usage);
	other.socket = at("no/folder");
	EXPECT_EQ(serve(other).error().status, Status::not_found);
	EXPECT_EQ(
		run({"qemu-img", "compare", "-f", "raw", "-F", "raw", at("data"), (*first)->uri()}),
		"Images are identical.\n");
}

TEST_F(Exporting, WhatQemuRefusesIsSaid)
{
	auto wanted = request();
	wanted.path = at("none");
	EXPECT_EQ(serve(wanted).error().status, Status::not_found);
	wanted = request();
	wanted.bitmaps = {{"odd", 1000, {}}};
	const auto odd = serve(wanted);
	ASSERT_FALSE(odd);
	EXPECT_NE(odd.error().why.find("power of"), std::string::npos) << odd.error().message();
	wanted.bitmaps = {{"b", 4096, {{size, 4096}}}};
	const auto behind = serve(wanted);
	ASSERT_FALSE(behind);
	EXPECT_EQ(behind.error().device, at("data"));
	wanted.bitmaps = {{"b", 4096, {}}};
	wanted.bytes = size / 2;
	EXPECT_FALSE(serve(wanted));
	EXPECT_FALSE(is_there(at("socket")));
	EXPECT_EQ(server_pid(), 0);
	EXPECT_FALSE(has_sockets());
}

TEST_F(Exporting, AServerThatDiesIsNoticed)
{
	const auto server = serve(request());
	ASSERT_TRUE(server);
	pollfd poller{.fd = (*server)->ended_fd(), .events = POLLIN, .revents = 0};
	EXPECT_EQ(poll(&poller, 1, 0), 0);
	ASSERT_NE(server_pid(), 0);
	kill(server_pid(), SIGKILL);
	EXPECT_EQ(poll(&poller, 1, 10000), 1);
	const auto ended = (*server)->stop();
	ASSERT_FALSE(ended);
	EXPECT_EQ(ended.error().message(),
		  "serve " + at("data") + ": qemu-storage-daemon was ended by signal 9");
	EXPECT_FALSE(is_there(at("socket")));
}

TEST_F(Exporting, AMissingProgramIsNamed)
{
	const std::string path = getenv("PATH");
	setenv("PATH", folder.path().c_str(), 1);
	const auto none = serve(request());
	setenv("PATH", path.c_str(), 1);
	ASSERT_FALSE(none);
	EXPECT_EQ(none.error().message(), "run qemu-storage-daemon: there is no such program (try: "
					  "apt install qemu-system-common)");
	EXPECT_FALSE(is_there(at("socket")));
}
