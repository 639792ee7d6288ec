// SPDX-License-Identifier: GPL-2.0-or-later
// Images, and the programs of QEMU that serve some of them.
#include "base/child.hpp"
#include "temporary_folder.hpp"
#include "transport/image.hpp"
#include "units.hpp"
#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>

using namespace blkctl;
using namespace blkctl::transport;

namespace
{

using Extents = std::vector<Extent>;

std::vector<std::byte> pattern(size_t bytes, unsigned seed)
{
	std::vector<std::byte> all(bytes);

	for (size_t i = 0; i < bytes; i++)
		all[i] = std::byte((i / 512 + i + seed) % 251 + 1);
	return all;
}

bool reads_as(Image &image, uint64_t offset, const std::vector<std::byte> &wanted)
{
	std::vector<std::byte> found(wanted.size());
	const auto read = image.read(offset, found);

	EXPECT_TRUE(read) << read.error().message();
	return found == wanted;
}

bool reads_as_zeroes(Image &image, uint64_t offset, size_t bytes)
{
	return reads_as(image, offset, std::vector<std::byte>(bytes));
}

std::unique_ptr<Image> opened(Result<std::unique_ptr<Image>> image)
{
	EXPECT_TRUE(image) << image.error().message();
	return image ? std::move(*image) : nullptr;
}

class Transport : public testing::Test
{
      protected:
	std::string at(const std::string &name) const { return folder.path() + "/" + name; }
	std::unique_ptr<Image> raw(uint64_t bytes) const
	{
		return opened(make_raw(at("raw"), bytes));
	}
	std::unique_ptr<Image> qcow2(const std::string &name, Access access) const
	{
		return opened(open_qcow2(at(name), access, folder.path()));
	}
	// What qemu-img says of it; empty: nothing is wrong.
	std::string check(const std::string &name) const
	{
		const auto checked =
			run_program({.words = {"qemu-img", "check", "-q", "-f", "qcow2", at(name)},
				     .package = "qemu-utils"},
				    std::chrono::seconds(30));
		return checked ? *checked : checked.error().message();
	}
	// The programs that run for us.
	static std::vector<pid_t> children()
	{
		std::ifstream list("/proc/self/task/" + std::to_string(getpid()) + "/children");
		std::vector<pid_t> all;
		for (pid_t pid = 0; list >> pid;)
			all.push_back(pid);
		return all;
	}

	TemporaryFolder folder;
};

class Qcow2 : public Transport
{
};

} // namespace

TEST_F(Transport, ARawFileKeepsWhatIsWritten)
{
	const auto image = raw(4 * mib);
	ASSERT_TRUE(image);
	EXPECT_EQ(image->size(), 4 * mib);
	const auto data = pattern(mib + 512, 1);
	ASSERT_TRUE(image->write(512, data));
	EXPECT_TRUE(reads_as(*image, 512, data));
	EXPECT_TRUE(reads_as_zeroes(*image, 0, 512));
	ASSERT_TRUE(image->flush());
	ASSERT_TRUE(image->close());

	const auto again = opened(open_raw(at("raw"), Access::read));
	ASSERT_TRUE(again);
	EXPECT_TRUE(reads_as(*again, 512, data));
	EXPECT_EQ(again->write(0, data).error().status, Status::usage);
	// As long as it is to be, with what it holds.
	const auto longer = raw(8 * mib);
	ASSERT_TRUE(longer);
	EXPECT_EQ(longer->size(), 8 * mib);
	EXPECT_TRUE(reads_as(*longer, 512, data));
}

TEST_F(Transport, ARawFileHasHoles)
{
	const auto image = raw(4 * mib);
	ASSERT_TRUE(image);
	EXPECT_EQ(*image->extents(0, 4 * mib), (Extents{{0, 4 * mib, true}}));
	ASSERT_TRUE(image->write(mib, pattern(2 * mib, 2)));
	ASSERT_TRUE(image->zero(2 * mib, 64 * kib));
	EXPECT_TRUE(reads_as_zeroes(*image, 2 * mib, 64 * kib));
	EXPECT_EQ(*image->extents(0, 4 * mib), (Extents{{0, mib, true},
							{mib, mib, false},
							{2 * mib, 64 * kib, true},
							{2 * mib + 64 * kib, 960 * kib, false},
							{3 * mib, mib, true}}));
	EXPECT_EQ(*image->extents(mib + 512, 1024), (Extents{{mib + 512, 1024, false}}));
	EXPECT_TRUE(image->extents(4 * mib, 0)->empty());
	// In the midst of a block of the filesystem.
	ASSERT_TRUE(image->zero(mib + 512, 512));
	EXPECT_TRUE(reads_as_zeroes(*image, mib + 512, 512));
	EXPECT_FALSE(reads_as_zeroes(*image, mib + 1024, 512));
}

TEST_F(Transport, WhatIsBehindTheEndIsRefused)
{
	const auto image = raw(mib);
	ASSERT_TRUE(image);
	auto data = pattern(1024, 3);
	for (const auto &refused :
	     {image->read(mib - 512, data), image->write(mib - 512, data),
	      image->write(UINT64_MAX - 511, data), image->zero(0, mib + 512),
	      image->zero(mib + 512, 0), image->read(1, data),
	      image->write(0, std::span(data).first(100)), image->zero(0, 1)}) {
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::usage) << refused.error().message();
	}
	EXPECT_FALSE(image->extents(mib, 512));
	EXPECT_EQ(image->read(mib - 512, data).error().message(),
		  "read " + at("raw") + ": 1024 bytes at 1048064 are behind its end, 1048576");
}

TEST_F(Transport, WhatIsNoImageIsRefused)
{
	EXPECT_EQ(open_raw(at("none"), Access::read).error().status, Status::not_found);
	EXPECT_EQ(open_raw(folder.path(), Access::read).error().status, Status::usage);
	EXPECT_EQ(open_qcow2(at("none"), Access::read, folder.path()).error().status,
		  Status::not_found);
	std::ofstream(at("odd")) << "abc";
	EXPECT_EQ(open_raw(at("odd"), Access::read).error().status, Status::usage);
	EXPECT_EQ(make_raw(at("new"), 1000).error().status, Status::usage);
	const auto no = open_qcow2(at("odd"), Access::read, folder.path());
	ASSERT_FALSE(no);
	EXPECT_NE(no.error().why.find("not in qcow2 format"), std::string::npos)
		<< no.error().message();
	EXPECT_EQ(no.error().device, at("odd"));
	EXPECT_TRUE(children().empty());
}

TEST_F(Qcow2, KeepsWhatIsWritten)
{
	const auto data = pattern(3 * mib, 4);
	ASSERT_TRUE(create_qcow2(at("a.qcow2"), 64 * mib));
	EXPECT_EQ(create_qcow2(at("a.qcow2"), 64 * mib).error().status, Status::busy);
	{
		const auto image = qcow2("a.qcow2", Access::write);
		ASSERT_TRUE(image);
		EXPECT_EQ(image->size(), 64 * mib);
		EXPECT_EQ(*image->extents(0, 64 * mib), (Extents{{0, 64 * mib, true}}));
		ASSERT_TRUE(image->write(mib + 512, data));
		ASSERT_TRUE(image->zero(2 * mib, mib));
		ASSERT_TRUE(image->flush());
		// One writes, and nobody else.
		const auto second = open_qcow2(at("a.qcow2"), Access::write, folder.path());
		ASSERT_FALSE(second);
		EXPECT_EQ(second.error().status, Status::busy) << second.error().message();
		const auto closed = image->close();
		ASSERT_TRUE(closed) << closed.error().message();
	}
	EXPECT_EQ(check("a.qcow2"), "");
	EXPECT_TRUE(children().empty());

	const auto image = qcow2("a.qcow2", Access::read);
	ASSERT_TRUE(image);
	EXPECT_TRUE(reads_as_zeroes(*image, mib, 512));
	EXPECT_TRUE(reads_as(*image, mib + 512, pattern(mib - 512, 4)));
	EXPECT_TRUE(reads_as_zeroes(*image, 2 * mib, mib));
	EXPECT_EQ(*image->extents(0, 64 * mib),
		  (Extents{{0, mib, true},
			   {mib, mib, false},
			   {2 * mib, mib, true},
			   {3 * mib, mib + 64 * kib, false},
			   {4 * mib + 64 * kib, 60 * mib - 64 * kib, true}}));
	EXPECT_EQ(image->write(0, data).error().status, Status::usage);
	std::vector<std::byte> behind(512);
	EXPECT_FALSE(image->read(64 * mib, behind));
}

TEST_F(Qcow2, ReadsThroughItsChain)
{
	const auto old = pattern(4 * mib, 5), fresh = pattern(mib, 6);
	{
		const auto base = raw(8 * mib);
		ASSERT_TRUE(base && base->write(0, old) && base->close());
	}
	ASSERT_TRUE(create_qcow2(at("1.qcow2"), 8 * mib, Backing{at("raw"), Format::raw}));
	{
		const auto image = qcow2("1.qcow2", Access::write);
		ASSERT_TRUE(image);
		EXPECT_TRUE(reads_as(*image, 0, old));
		ASSERT_TRUE(image->write(mib, fresh));
	} // let go of without a close
	EXPECT_TRUE(children().empty());
	// By the name it has beside it.
	ASSERT_TRUE(create_qcow2(at("2.qcow2"), 8 * mib, Backing{"1.qcow2", Format::qcow2}));
	{
		const auto image = qcow2("2.qcow2", Access::write);
		ASSERT_TRUE(image && image->zero(2 * mib, mib) && image->close());
	}
	EXPECT_EQ(check("1.qcow2") + check("2.qcow2"), "");

	const auto image =
		opened(open_image(at("2.qcow2"), Format::qcow2, Access::read, folder.path()));
	ASSERT_TRUE(image);
	EXPECT_TRUE(reads_as(*image, 0, pattern(mib, 5)));
	EXPECT_TRUE(reads_as(*image, mib, fresh));
	EXPECT_TRUE(reads_as_zeroes(*image, 2 * mib, mib));
	EXPECT_TRUE(reads_as(*image, 3 * mib, {old.begin() + ptrdiff_t(3 * mib), old.end()}));
	EXPECT_TRUE(reads_as_zeroes(*image, 4 * mib, 4 * mib));
	EXPECT_EQ(*image->extents(0, 8 * mib), (Extents{{0, 2 * mib, false},
							{2 * mib, mib, true},
							{3 * mib, mib, false},
							{4 * mib, 4 * mib, true}}));
}

TEST_F(Qcow2, SaysWhatItIs)
{
	ASSERT_TRUE(raw(mib));
	ASSERT_TRUE(create_qcow2(at("1.qcow2"), mib, Backing{"raw", Format::raw}));
	const auto told = look_at_image(at("1.qcow2"));
	ASSERT_TRUE(told) << told.error().message();
	EXPECT_EQ(told->format, Format::qcow2);
	EXPECT_EQ(told->bytes, mib);
	ASSERT_TRUE(told->backing);
	EXPECT_EQ(told->backing->path, "raw");
	EXPECT_EQ(told->backing->format, Format::raw);
	const auto base = look_at_image(at("raw"));
	ASSERT_TRUE(base);
	EXPECT_EQ(base->format, Format::raw);
	EXPECT_FALSE(base->backing);
	EXPECT_EQ(look_at_image(at("1.qcow2"), Format::raw)->format, Format::raw);
	EXPECT_EQ(look_at_image(at("none")).error().status, Status::not_found);
	// While it is written to.
	const auto image = qcow2("1.qcow2", Access::write);
	ASSERT_TRUE(image);
	EXPECT_TRUE(look_at_image(at("1.qcow2")));
}

TEST_F(Qcow2, AMissingBackingFileIsNamed)
{
	const auto made = create_qcow2(at("1.qcow2"), mib, Backing{at("gone"), Format::qcow2});
	ASSERT_FALSE(made);
	EXPECT_NE(made.error().why.find("gone"), std::string::npos) << made.error().message();
	EXPECT_EQ(made.error().message().find('\n'), std::string::npos);
	EXPECT_EQ(open_raw(at("1.qcow2"), Access::read).error().status, Status::not_found);
}

TEST_F(Qcow2, AServerThatDiesIsAnError)
{
	ASSERT_TRUE(create_qcow2(at("1.qcow2"), 64 * mib));
	const auto image = qcow2("1.qcow2", Access::write);
	ASSERT_TRUE(image);
	const auto data = pattern(mib, 7);
	ASSERT_TRUE(image->write(0, data));
	const auto servers = children();
	ASSERT_EQ(servers.size(), 1u);
	kill(servers[0], SIGKILL);
	const auto written = image->write(mib, data);
	ASSERT_FALSE(written);
	EXPECT_EQ(written.error().message(),
		  "write " + at("1.qcow2") + ": qemu-nbd was ended by signal 9");
	std::vector<std::byte> found(512);
	EXPECT_FALSE(image->read(0, found));
	EXPECT_FALSE(image->zero(0, mib));
	EXPECT_FALSE(image->flush());
	EXPECT_FALSE(image->extents(0, mib));
	EXPECT_FALSE(image->close());
	EXPECT_TRUE(children().empty());
}

TEST_F(Qcow2, LeavesNothingInTheRunFolder)
{
	ASSERT_TRUE(create_qcow2(at("1.qcow2"), mib));
	const auto run = at("run");
	ASSERT_EQ(mkdir(run.c_str(), 0700), 0);
	const auto image = opened(open_qcow2(at("1.qcow2"), Access::read, run));
	ASSERT_TRUE(image);
	EXPECT_EQ(rmdir(run.c_str()), 0);
	EXPECT_TRUE(open_qcow2(at("1.qcow2"), Access::read, run));
	EXPECT_EQ(rmdir(run.c_str()), 0);
	std::ofstream(run) << "no folder";
	EXPECT_FALSE(open_qcow2(at("1.qcow2"), Access::read, run));
}

TEST_F(Qcow2, AMissingProgramIsNamed)
{
	const std::string path = getenv("PATH");
	ASSERT_TRUE(create_qcow2(at("1.qcow2"), mib));
	setenv("PATH", folder.path().c_str(), 1);
	const auto made = create_qcow2(at("2.qcow2"), mib);
	const auto image = open_qcow2(at("1.qcow2"), Access::read, folder.path());
	setenv("PATH", path.c_str(), 1);
	ASSERT_FALSE(made);
	EXPECT_EQ(made.error().message(),
		  "run qemu-img: there is no such program (try: apt install qemu-utils)");
	ASSERT_FALSE(image);
	EXPECT_EQ(image.error().message(),
		  "run qemu-nbd: there is no such program (try: apt install qemu-utils)");
	EXPECT_EQ(open_raw(at("2.qcow2"), Access::read).error().status, Status::not_found);
}
