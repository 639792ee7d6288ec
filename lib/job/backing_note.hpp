// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an image is over. Beside one that is over another: that one's size and time when the image
 * was made. With another content below it the image is of no instant, and looks as good as ever. No
 * inode, so that copies with their times are as good.
 */
#ifndef BLKCTL_JOB_BACKING_NOTE_HPP
#define BLKCTL_JOB_BACKING_NOTE_HPP

#include "base/error.hpp"
#include "transport/image.hpp"
#include <string>
#include <vector>

namespace blkctl::job
{

// An image and all that it is over, canonical, from the top. Errors: usage, if that has no end;
// also if nobody can say what one is over.
Result<std::vector<std::string>> chain_of(const std::string &verb, const std::string &image,
					  transport::Format format);

// The name of the note.
std::string over_of(const std::string &image);

// Writes down what `backing` is now, durably. Errors: failed.
Result<void> note_over(const std::string &image, const std::string &backing);

// Whether `backing` is another than the note says. Nothing is known of an image without one: it is
// an older one, or somebody else's.
bool has_moved_on(const std::string &note, const std::string &backing);

// Of a chain, from its top: each image is still over what it was made over. Errors: failed.
Result<void> check_not_moved_on(const std::string &verb, const std::vector<std::string> &files);

} // namespace blkctl::job

#endif
