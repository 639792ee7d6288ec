// SPDX-License-Identifier: GPL-2.0-or-later
// Output of many lines.
#ifndef BLKCTL_CLI_PAGES_HPP
#define BLKCTL_CLI_PAGES_HPP

#include "cli/terminal.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

namespace blkctl::cli
{

// To stdout by the page, and not by the line: a list of changed blocks may have millions.
class Pages
{
      public:
	Pages() = default;
	Pages(const Pages &) = delete;
	Pages &operator=(const Pages &) = delete;

	~Pages() { flush(); }

	// In pieces that are shorter than a page.
	void text(std::string_view piece)
	{
		if (piece.size() > free())
			flush();
		if (piece.size() > free()) {
			print_all(piece);
			return;
		}
		end_ = std::copy(piece.begin(), piece.end(), end_);
	}
	void number(uint64_t value)
	{
		if (value >= low_part) {
			high_.is(value / low_part);
			text(high_.text());
			low_digits(value % low_part);
			return;
		}
		small_.is(value);
		text(small_.text());
	}

      private:
	size_t free() const { return text_.data() + text_.size() - end_; }
	void flush()
	{
		print_all({text_.data(), static_cast<size_t>(end_ - text_.data())});
		end_ = text_.data();
	}

	// With the zeros it begins with.
	void low_digits(uint64_t value)
	{
		std::array<char, low_length> digits;
		auto left = static_cast<uint32_t>(value);
		for (size_t at = low_length; at > 0; at -= 2, left /= 100)
			std::memcpy(&digits[at - 2], &pairs[size_t{left % 100} * 2], 2);
		text({digits.data(), digits.size()});
	}

	/*
	 * Offsets that follow each other differ in their last digits, and most ranges are of one
	 * length: what is the same as the last time is not made into text again.
	 */
	class Number
	{
	      public:
		void is(uint64_t value)
		{
			if (value == value_)
				return;
			value_ = value;
			length_ = std::to_chars(text_.data(), text_.data() + text_.size(), value)
					  .ptr -
				  text_.data();
		}
		std::string_view text() const { return {text_.data(), length_}; }

	      private:
		std::array<char, std::numeric_limits<uint64_t>::digits10 + 1> text_ = {'0'};
		size_t length_ = 1;
		uint64_t value_ = 0;
	};

	static constexpr auto pairs = [] {
		std::array<char, 200> all{};
		for (size_t at = 0; at < all.size(); at += 2) {
			all[at] = static_cast<char>('0' + at / 20);
			all[at + 1] = static_cast<char>('0' + at / 2 % 10);
		}
		return all;
	}(); // "00", "01", ..., "99"
	static constexpr size_t low_length = 8;
	static constexpr uint64_t low_part = 100'000'000;

	Number high_;
	Number small_;
	std::array<char, 1 << 16> text_;
	char *end_ = text_.data();
};

} // namespace blkctl::cli

#endif
