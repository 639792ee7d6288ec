// SPDX-License-Identifier: GPL-2.0-or-later
// Output of many lines.
#ifndef BLKCTL_CLI_PAGES_HPP
#define BLKCTL_CLI_PAGES_HPP

#include "cli/terminal.hpp"
#include <cstdint>
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

	// The same of one number or character, in a fraction of the time.
	void number(uint64_t value)
	{
		const fmt::format_int text(value);
		text_.append(text.data(), text.data() + text.size());
	}
	void character(char one)
	{
		text_.push_back(one);
		if (one == '\n' && text_.size() >= page)
			add("");
	}

      private:
	static constexpr size_t page = 1 << 16;
	fmt::memory_buffer text_;
};

} // namespace blkctl::cli

#endif
