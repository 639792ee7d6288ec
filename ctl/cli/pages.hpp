// SPDX-License-Identifier: GPL-2.0-or-later
// Output of many lines.
#ifndef BLKCTL_CLI_PAGES_HPP
#define BLKCTL_CLI_PAGES_HPP

#include "cli/terminal.hpp"
#include <fmt/format.h>
#include <iterator>
#include <utility>

namespace blkctl::cli
{

// To stdout by the page, and not by the line: a list of changed blocks may have millions.
class Pages
{
      public:
	Pages() = default;
	Pages(const Pages &) = delete;
	Pages &operator=(const Pages &) = delete;

	~Pages() { print_all({text_.data(), text_.size()}); }

	template <typename... Values>
	void add(fmt::format_string<Values...> format, Values &&...values)
	{
		fmt::format_to(std::back_inserter(text_), format, std::forward<Values>(values)...);
		if (text_.size() < page)
			return;
		print_all({text_.data(), text_.size()});
		text_.clear();
	}

      private:
	static constexpr size_t page = 1 << 16;
	fmt::memory_buffer text_;
};

} // namespace blkctl::cli

#endif
