// SPDX-License-Identifier: GPL-2.0-or-later
// Reading a line word by word, strictly. Internal to the library.
#ifndef BLKCTL_TABLE_WORDS_HPP
#define BLKCTL_TABLE_WORDS_HPP

#include "base/devno.hpp"
#include "base/error.hpp"
#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace blkctl::table
{

// An error about a line: "read a LINE line: WHY".
Error line_error(std::string_view line, std::string why);

class Words
{
      public:
	// line: what kind of line it is, for errors.
	Words(std::string_view line, std::string_view text) : line_(line), text_(text) {}

	bool done() const { return at_ >= text_.size(); }

	// The next word. Words are separated by exactly one space, as the kernel prints them.
	// Errors: failed, "FIELD is missing".
	Result<std::string_view> word(std::string_view field);

	// A decimal number without sign that fits T. Errors: failed, "FIELD is not a number: WORD".
	template <std::unsigned_integral T> Result<T> number(std::string_view field)
	{
		BLKCTL_TRY(const auto text, word(field));
		return number_in<T>(text, field);
	}

	// A pair "A/B" of numbers.
	Result<std::pair<uint64_t, uint64_t>> fraction(std::string_view field);

	Result<DevNo> device(std::string_view field);

	template <std::unsigned_integral T>
	Result<T> number_in(std::string_view text, std::string_view field) const
	{
		T value{};
		const auto [end, error] =
			std::from_chars(text.data(), text.data() + text.size(), value);
		if (error != std::errc() || end != text.data() + text.size())
			return bad(field, text, "a number");
		return value;
	}

	Error bad(std::string_view field, std::string_view text, std::string_view wanted) const;

	// Errors: failed, if words are left.
	Result<void> end() const;

      private:
	std::string_view line_;
	std::string_view text_;
	size_t at_ = 0;
};

} // namespace blkctl::table

#endif
