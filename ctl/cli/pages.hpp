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

	// The rest of it. What was not finished was not to be printed, as of a write that failed.
	void finish() { flush(); }

	void text(std::string_view piece)
	{
		make_room(piece.size());
		if (piece.size() > free()) {
			print_all(piece);
			return;
		}
		end_ = std::copy(piece.begin(), piece.end(), end_);
	}
	// The same of a literal, whose length is known when this is compiled.
	template <size_t size> void literal(const char (&piece)[size])
	{
		make_room(size);
		std::memcpy(end_, piece, size - 1);
		end_ += size - 1;
	}
	void number(uint64_t value)
	{
		make_room(longest + low_length);
		if (value < low_part) {
			put(small_, value);
			return;
		}
		put(high_, value / low_part);
		low_digits(static_cast<uint32_t>(value % low_part));
	}

      private:
	size_t free() const { return text_.data() + text_.size() - end_; }
	void flush()
	{
		print_all({text_.data(), static_cast<size_t>(end_ - text_.data())});
		end_ = text_.data();
	}

	void make_room(size_t size)
	{
		if (free() < size)
			flush();
	}

	static constexpr size_t longest = std::numeric_limits<uint64_t>::digits10 + 1;

	/*
	 * Offsets that follow each other differ in their last digits, and most ranges are of one
	 * length: what is the same as the last time is not made into text again.
	 */
	struct Number {
		std::array<char, longest> text = {'0'};
		size_t length = 1;
		uint64_t value = 0;
	};

	// There is room for the longest: it is copied whole, and as much kept as there is of it.
	void put(Number &number, uint64_t value)
	{
		if (value != number.value) {
			auto &text = number.text;
			const auto end =
				std::to_chars(text.data(), text.data() + text.size(), value);
			number.length = static_cast<size_t>(end.ptr - text.data());
			number.value = value;
		}
		std::memcpy(end_, number.text.data(), longest);
		end_ += number.length;
	}

	// With the zeros it begins with.
	void low_digits(uint32_t value)
	{
		for (size_t at = low_length; at > 0; at -= 2, value /= 100)
			std::memcpy(end_ + at - 2, &pairs[size_t{value % 100} * 2], 2);
		end_ += low_length;
	}

	static constexpr auto pairs = [] {
		std::array<char, 200> all{};
		for (size_t at = 0; at < all.size(); at += 2) {
			all[at] = static_cast<char>('0' + at / 20);
			all[at + 1] = static_cast<char>('0' + at / 2 % 10);
		}
		return all;
	}(); // "00", "01", ..., "99"
	static constexpr size_t low_length = 8;
	static constexpr uint32_t low_part = 100'000'000;

	Number high_;
	Number small_;
	std::array<char, 1 << 16> text_;
	char *end_ = text_.data();
};

} // namespace blkctl::cli

#endif
