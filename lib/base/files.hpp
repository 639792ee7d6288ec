// SPDX-License-Identifier: GPL-2.0-or-later
// Small files, whole.
#ifndef BLKCTL_BASE_FILES_HPP
#define BLKCTL_BASE_FILES_HPP

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace blkctl
{

// A whole file (procfs and sysfs too); nullopt if it cannot be read.
std::optional<std::string> read_file(const std::string &path);

// The first line of a file, without its newline; nullopt if it cannot be read.
std::optional<std::string> read_line(const std::string &path);

// Replaces a file: a reader sees the old or the new content, whole. Errors: failed.
Result<void> replace_file(const std::string &path, const std::string &content);

/*
 * A file that is replaced once all of its new content is there; until then, and if it never is, the
 * old one stays. Of a link it is what that leads to. What is no file, such as a pipe or /dev/null,
 * stays what it is: to that it goes at once.
 */
class Replacement
{
      public:
	// Errors: usage (a block device, a folder), failed.
	static Result<Replacement> open(const std::string &path, mode_t mode = 0600);
	Replacement(Replacement &&) = default;
	Replacement &operator=(Replacement &&) = delete;
	~Replacement();

	Result<void> add(std::string_view text);
	// What was added survives a power cut.
	Result<void> sync();
	Result<void> finish();
	// Where it is then.
	const std::string &path() const { return path_; }

      private:
	Replacement() = default;

	std::string path_;
	std::string written_; // until then
	bool is_new_ = false;
	UniqueFd fd_;
};

// The same for a file that others read too, and of which the new content survives a power cut from
// when this returns. Errors: failed.
Result<void> replace_file_durably(const std::string &path, const std::string &content);

// That a file is there, or gone, survives a power cut when this returns. Errors: failed.
Result<void> sync_folder_of(const std::string &path);

// A new, empty file, to write to, for its owner alone. Errors: busy (there is something of this
// name), failed.
Result<UniqueFd> make_file(const std::string &path);

// Gives a file another name, in the same folder, that nothing has. Errors: busy (there is something
// of this name), failed.
Result<void> rename_to_new(const std::string &from, const std::string &to);

// Makes a folder (0700) unless it is there. Errors: failed.
Result<void> make_folder(const std::string &path);

} // namespace blkctl

#endif
