// SPDX-License-Identifier: GPL-2.0-or-later
// A folder for one test.
#ifndef BLKCTL_TESTS_TEMPORARY_FOLDER_HPP
#define BLKCTL_TESTS_TEMPORARY_FOLDER_HPP

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace blkctl
{

class TemporaryFolder
{
      public:
	TemporaryFolder()
		: path_((std::filesystem::temp_directory_path() / "blkctl-test-XXXXXX").string())
	{
		if (!mkdtemp(path_.data()))
			throw std::runtime_error("mkdtemp");
	}
	~TemporaryFolder()
	{
		std::error_code ignored;
		std::filesystem::remove_all(path_, ignored);
	}
	TemporaryFolder(const TemporaryFolder &) = delete;
	TemporaryFolder &operator=(const TemporaryFolder &) = delete;

	const std::string &path() const { return path_; }

      private:
	std::string path_;
};

} // namespace blkctl

#endif
