// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/forgotten.hpp"
#include "base/files.hpp"
#include <unistd.h>

namespace blkctl::job
{

namespace
{

// Neither name has a slash: dm and the kernel do not take one.
std::string note_of(const volume::Context &context, const std::string &volume,
		    const std::string &bitmap)
{
	return context.state_dir + "/" + volume + "." + bitmap + ".forgotten";
}

} // namespace

Result<void> note_forgotten(volume::Context &context, const std::string &volume,
			    const std::string &bitmap)
{
	BLKCTL_CHECK(make_folder(context.state_dir));
	return replace_file_durably(note_of(context, volume, bitmap), "\n");
}

void clear_forgotten(volume::Context &context, const std::string &volume, const std::string &bitmap)
{
	(void)unlink(note_of(context, volume, bitmap).c_str());
}

bool has_forgotten(volume::Context &context, const std::string &volume, const std::string &bitmap)
{
	return access(note_of(context, volume, bitmap).c_str(), F_OK) == 0;
}

} // namespace blkctl::job
