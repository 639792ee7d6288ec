// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/words.hpp"

namespace blkctl::table
{

Error line_error(std::string_view line, std::string why)
{
	return {.what = "read a " + std::string(line) + " line", .why = std::move(why)};
}

Result<std::string_view> Words::word(std::string_view field)
{
	if (done())
		return line_error(line_, std::string(field) + " is missing");

	const auto end = std::min(text_.find(' ', at_), text_.size());
	const auto word = text_.substr(at_, end - at_);
	at_ = end + 1;
	// A space at the very end would hide an empty last word.
	if (word.empty() || at_ == text_.size())
		return line_error(line_, "a stray space at " + std::string(field));
	return word;
}

Result<std::pair<uint64_t, uint64_t>> Words::fraction(std::string_view field)
{
	BLKCTL_TRY(const auto text, word(field));
	const auto slash = text.find('/');

	if (slash == std::string_view::npos)
		return bad(field, text, "two numbers with a '/'");
	BLKCTL_TRY(const auto first, number_in<uint64_t>(text.substr(0, slash), field));
	BLKCTL_TRY(const auto second, number_in<uint64_t>(text.substr(slash + 1), field));
	return std::pair(first, second);
}

Result<DevNo> Words::device(std::string_view field)
{
	BLKCTL_TRY(const auto text, word(field));
	const auto device = parse_devno(text);

	if (!device)
		return bad(field, text, "a device number MAJ:MIN");
	return *device;
}

Error Words::bad(std::string_view field, std::string_view text, std::string_view wanted) const
{
	return line_error(line_, std::string(field) + " is '" + std::string(text) + "', not " +
					 std::string(wanted));
}

Result<void> Words::end() const
{
	if (done())
		return {};
	return line_error(line_, "too many words: '" + std::string(text_.substr(at_)) + "'");
}

} // namespace blkctl::table
