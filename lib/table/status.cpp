// SPDX-License-Identifier: GPL-2.0-or-later
// The status line.
#include "table/blkcopy.hpp"
#include "table/enums.hpp"
#include "table/words.hpp"

namespace blkctl::table
{

namespace
{

constexpr std::string_view status_line = "blkcopy status";

template <class E, size_t N>
Result<E> parse_word(Words &words, const Names<E, N> &names, std::string_view field)
{
	BLKCTL_TRY(const auto text, words.word(field));
	const auto value = value_in(names, text);

	if (!value)
		return words.bad(field, text, "one this version knows");
	return *value;
}

Result<void> parse_blocks(Words &words, BlkcopyStatus &status)
{
	BLKCTL_TRY(status.base_only, words.number<uint64_t>("the number of base-only blocks"));
	BLKCTL_TRY(status.both, words.number<uint64_t>("the number of blocks in both"));
	BLKCTL_TRY(status.top_only, words.number<uint64_t>("the number of top-only blocks"));
	BLKCTL_TRY(status.zero, words.number<uint64_t>("the number of zero blocks"));
	BLKCTL_TRY(status.total, words.number<uint64_t>("the number of blocks"));
	BLKCTL_TRY(status.block_sectors, words.number<uint32_t>("the block size"));

	uint64_t left = status.total;
	for (const auto count : {status.base_only, status.both, status.top_only, status.zero}) {
		if (count > left)
			return line_error(status_line,
					  "the block counts are more than there are blocks");
		left -= count;
	}
	if (left != 0)
		return line_error(status_line,
				  "the block counts do not add up to the number of blocks");
	if (status.block_sectors == 0)
		return line_error(status_line, "the block size is 0");
	return {};
}

Result<void> parse_bitmaps(Words &words, BlkcopyStatus &status)
{
	BLKCTL_TRY(const auto count, words.number<uint32_t>("the number of bitmaps"));

	for (uint32_t i = 0; i < count; i++) {
		BitmapStatus bitmap;
		BLKCTL_TRY(bitmap.name, words.word("a bitmap's name"));
		BLKCTL_TRY(bitmap.dirty_blocks, words.number<uint64_t>("a bitmap's dirty blocks"));
		BLKCTL_TRY(bitmap.state, words.word("a bitmap's state"));
		status.bitmaps.push_back(std::move(bitmap));
	}
	return {};
}

Result<void> parse_verify(Words &words, BlkcopyStatus &status)
{
	VerifyStatus verify;
	BLKCTL_TRY(const auto state, words.word("the state of a comparison"));

	if (state != BLKCOPY_VERIFY_NEVER && state != BLKCOPY_VERIFY_RUNNING &&
	    state != BLKCOPY_VERIFY_DONE)
		return words.bad("the state of a comparison", state, "one this version knows");
	verify.state = state;
	BLKCTL_TRY(verify.compared, words.number<uint64_t>("the number of blocks compared"));
	BLKCTL_TRY(verify.differ, words.number<uint64_t>("the number of blocks that differ"));
	status.verify = std::move(verify);
	return {};
}

Result<void> parse_granules(Words &words, BlkcopyStatus &status)
{
	for (auto &bitmap : status.bitmaps) {
		BLKCTL_TRY(bitmap.granule_sectors, words.number<uint32_t>("a bitmap's granule"));
		if (*bitmap.granule_sectors == 0)
			return line_error(status_line, "a bitmap's granule is 0");
	}
	return {};
}

} // namespace

Result<BlkcopyStatus> parse_status(std::string_view params)
{
	Words words(status_line, params);
	BlkcopyStatus status;

	BLKCTL_TRY(status.mode, parse_word(words, modes, "the mode"));
	BLKCTL_TRY(status.phase, parse_word(words, phases, "the phase"));
	BLKCTL_TRY(status.health, parse_word(words, healths, "the health"));
	BLKCTL_CHECK(parse_blocks(words, status));
	BLKCTL_TRY(status.copied_kib, words.number<uint64_t>("copied KiB"));
	BLKCTL_TRY(status.inflight_kib, words.number<uint64_t>("KiB in flight"));
	BLKCTL_TRY(status.rate_kib, words.number<uint64_t>("the rate"));
	BLKCTL_TRY(const auto segments, words.fraction("segments"));
	status.segments_marked = segments.first;
	status.segments = segments.second;
	BLKCTL_TRY(status.base_errors, words.number<uint64_t>("base errors"));
	BLKCTL_TRY(status.top_errors, words.number<uint64_t>("top errors"));
	BLKCTL_TRY(status.meta_commits, words.number<uint64_t>("metadata commits"));
	BLKCTL_TRY(status.meta_torn, words.number<uint64_t>("torn metadata"));
	BLKCTL_CHECK(parse_bitmaps(words, status));
	if (!words.done()) {
		BLKCTL_TRY(status.cause, parse_word(words, causes, "the cause"));
	}
	if (!words.done())
		BLKCTL_CHECK(parse_verify(words, status));
	if (!words.done())
		BLKCTL_CHECK(parse_granules(words, status));
	while (!words.done()) {
		BLKCTL_TRY(const auto more, words.word("a field"));
		status.more.emplace_back(more);
	}
	return status;
}

std::string print(const BlkcopyStatus &status)
{
	std::string text(word(status.mode));
	const auto add = [&](std::string_view field) { text += " " + std::string(field); };
	const auto number = [&](uint64_t value) { add(std::to_string(value)); };

	add(word(status.phase));
	add(word(status.health));
	for (const auto count : {status.base_only, status.both, status.top_only, status.zero,
				 status.total, uint64_t(status.block_sectors), status.copied_kib,
				 status.inflight_kib, status.rate_kib})
		number(count);
	add(std::to_string(status.segments_marked) + "/" + std::to_string(status.segments));
	for (const auto count : {status.base_errors, status.top_errors, status.meta_commits,
				 status.meta_torn, uint64_t(status.bitmaps.size())})
		number(count);
	for (const auto &bitmap : status.bitmaps) {
		add(bitmap.name);
		number(bitmap.dirty_blocks);
		add(bitmap.state);
	}
	if (status.cause)
		add(word(*status.cause));
	if (status.verify) {
		add(status.verify->state);
		number(status.verify->compared);
		number(status.verify->differ);
		for (const auto &bitmap : status.bitmaps)
			if (bitmap.granule_sectors)
				number(*bitmap.granule_sectors);
	}
	for (const auto &field : status.more)
		add(field);
	return text;
}

} // namespace blkctl::table
