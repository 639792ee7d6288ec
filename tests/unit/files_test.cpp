// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/files.hpp"
#include "temporary_folder.hpp"
#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

using namespace blkctl;
namespace fs = std::filesystem;

namespace
{

class Files : public testing::Test
{
      protected:
	std::string at(const std::string &name) { return folder_.path() + "/" + name; }
	std::string in(const std::string &name) { return read_file(at(name)).value_or("nothing"); }
	long entries()
	{
		return std::distance(fs::directory_iterator(folder_.path()),
				     fs::directory_iterator());
	}

      private:
	TemporaryFolder folder_;
};

} // namespace

TEST_F(Files, TheOldContentStaysUntilTheNewIsWhole)
{
	ASSERT_TRUE(replace_file(at("a"), "old"));
	{
		auto file = Replacement::open(at("a"));
		ASSERT_TRUE(file);
		ASSERT_TRUE(file->add("ne"));
		EXPECT_EQ(in("a"), "old");
		EXPECT_EQ(entries(), 2);
	}
	EXPECT_EQ(in("a"), "old");
	EXPECT_EQ(entries(), 1);
	ASSERT_TRUE(replace_file_durably(at("a"), "new"));
	EXPECT_EQ(in("a"), "new");
	EXPECT_EQ(entries(), 1);
}

TEST_F(Files, ANewNameIsNobodys)
{
	ASSERT_TRUE(replace_file(at("a"), "a"));
	ASSERT_TRUE(replace_file(at("b"), "b"));
	fs::create_symlink(at("nothing"), at("link"));
	for (const auto *const taken : {"b", "link"}) {
		const auto refused = rename_to_new(at("a"), at(taken));
		ASSERT_FALSE(refused);
		EXPECT_EQ(refused.error().status, Status::busy) << refused.error().message();
	}
	EXPECT_EQ(in("a") + in("b"), "ab");
	EXPECT_EQ(rename_to_new(at("none"), at("c")).error().status, Status::not_found);
	ASSERT_TRUE(rename_to_new(at("a"), at("c")));
	EXPECT_EQ(in("a") + in("c"), "nothinga");
	EXPECT_EQ(entries(), 3);
}

TEST_F(Files, TwoAtOnceAreEachWhole)
{
	auto one = Replacement::open(at("a"));
	auto other = Replacement::open(at("a"));
	ASSERT_TRUE(one);
	ASSERT_TRUE(other);
	ASSERT_TRUE(one->add("one"));
	ASSERT_TRUE(other->add("other"));
	ASSERT_TRUE(one->finish());
	EXPECT_EQ(in("a"), "one");
	ASSERT_TRUE(other->finish());
	EXPECT_EQ(in("a"), "other");
	EXPECT_EQ(entries(), 1);
}

// A guessed name of the temporary file leads nowhere.
TEST_F(Files, NobodysLinkIsWrittenThrough)
{
	ASSERT_TRUE(replace_file(at("victim"), "kept"));
	fs::create_symlink("victim", at("a.new"));
	ASSERT_TRUE(replace_file(at("a"), "new"));
	EXPECT_EQ(in("victim"), "kept");
	EXPECT_TRUE(fs::is_symlink(at("a.new")));
	EXPECT_EQ(in("a"), "new");
}

TEST_F(Files, WhatALinkLeadsToIsReplaced)
{
	ASSERT_TRUE(replace_file(at("target"), "old"));
	fs::create_symlink("target", at("link"));
	fs::create_symlink(at("link"), at("far"));
	ASSERT_TRUE(replace_file_durably(at("far"), "new"));
	EXPECT_TRUE(fs::is_symlink(at("far")));
	EXPECT_TRUE(fs::is_symlink(at("link")));
	EXPECT_EQ(in("target"), "new");
	// One that leads to nothing yet.
	fs::create_symlink("later", at("early"));
	ASSERT_TRUE(replace_file(at("early"), "made"));
	EXPECT_TRUE(fs::is_symlink(at("early")));
	EXPECT_EQ(in("later"), "made");
	fs::create_symlink("loop", at("loop"));
	EXPECT_FALSE(replace_file(at("loop"), "never"));
}

TEST_F(Files, WhatIsNoFileStaysWhatItIs)
{
	ASSERT_EQ(mkfifo(at("fifo").c_str(), 0600), 0);
	const UniqueFd reader(::open(at("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	ASSERT_TRUE(replace_file_durably(at("fifo"), "through"));
	char got[16] = {};
	EXPECT_EQ(read(reader.get(), got, sizeof(got)), 7);
	EXPECT_STREQ(got, "through");
	EXPECT_TRUE(fs::is_fifo(at("fifo")));
	EXPECT_EQ(replace_file(at(""), "x").error().status, Status::usage);
	// Never the host's own: a test that fails would take it away.
	if (mknod(at("null").c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0 ||
	    mknod(at("disk").c_str(), S_IFBLK | 0600, makedev(240, 0)) != 0)
		GTEST_SKIP() << "no device can be made";
	EXPECT_TRUE(replace_file(at("null"), "x"));
	EXPECT_TRUE(fs::is_character_file(at("null")));
	EXPECT_EQ(replace_file(at("disk"), "x").error().status, Status::usage);
	EXPECT_TRUE(fs::is_block_file(at("disk")));
}
