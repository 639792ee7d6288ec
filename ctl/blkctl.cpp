// SPDX-License-Identifier: GPL-2.0-or-later
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/dispatch.hpp"
#include "cli/terminal.hpp"

int main(int argc, char **argv)
{
	using blkctl::Status;
	if (!blkctl::cli::hold_standard_streams())
		return static_cast<int>(Status::failed);
	try {
		std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
		return static_cast<int>(blkctl::cli::dispatch(words));
	} catch (const std::exception &error) {
		// Out of memory and the like.
		blkctl::cli::complain(fmt::format("blkctl: {}", error.what()));
		return static_cast<int>(Status::failed);
	}
}
