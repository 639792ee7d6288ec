// SPDX-License-Identifier: GPL-2.0-or-later
// The table line.
#include "table/blkcopy.hpp"
#include "meta/bitmap.hpp"
#include "table/enums.hpp"
#include "table/words.hpp"

namespace blkctl::table
{

namespace
{

constexpr std::string_view line = "blkcopy table";

struct FeatureWord {
	std::string_view word;
	bool Features::*flag;
};

// In the order they are printed.
constexpr FeatureWord feature_words[] = {
	{BLKCOPY_FEATURE_NO_DISCARD_PASSDOWN, &Features::no_discard_passdown},
	{BLKCOPY_FEATURE_DETECT_ZEROES, &Features::detect_zeroes},
	{BLKCOPY_FEATURE_PAUSED, &Features::paused},
	{BLKCOPY_FEATURE_COPY_ON_READ, &Features::copy_on_read},
	{BLKCOPY_FEATURE_BACKUP_PERSISTENT, &Features::backup_persistent},
	{BLKCOPY_FEATURE_NOSYNC, &Features::nosync},
};

struct NumberKey {
	std::string_view key;
	std::optional<uint32_t> Params::*value;
};

constexpr NumberKey number_keys[] = {
	{BLKCOPY_PARAM_RATE_KIB, &Params::rate_kib},
	{BLKCOPY_PARAM_INFLIGHT_KIB, &Params::inflight_kib},
	{BLKCOPY_PARAM_RUN_KIB, &Params::run_kib},
	{BLKCOPY_PARAM_SEGMENT_MIB, &Params::segment_mib},
};

struct PolicyKey {
	std::string_view key;
	std::optional<Policy> Params::*value;
};

constexpr PolicyKey policy_keys[] = {
	{BLKCOPY_PARAM_ON_BASE_ERROR, &Params::on_base_error},
	{BLKCOPY_PARAM_ON_TOP_ERROR, &Params::on_top_error},
};

Result<void> parse_feature(Words &words, Features &features)
{
	BLKCTL_TRY(const auto text, words.word("a feature"));

	for (const auto &feature : feature_words) {
		if (feature.word != text)
			continue;
		if (features.*feature.flag)
			return line_error(line,
					  "the feature '" + std::string(text) + "' is there twice");
		features.*feature.flag = true;
		return {};
	}
	return words.bad("a feature", text, "one this version knows");
}

Result<void> given_twice(std::string_view key)
{
	return line_error(line, "the parameter '" + std::string(key) + "' is there twice");
}

Result<void> parse_bitmaps(Words &words, Blkcopy &table)
{
	if (table.bitmaps)
		return given_twice(BLKCOPY_PARAM_BITMAPS);
	if (table.mode == Mode::track)
		return line_error(line, "the parameter '" BLKCOPY_PARAM_BITMAPS "' is there, but "
					"track has its bitmaps where its metadata is");
	BLKCTL_TRY(table.bitmaps, words.device(BLKCOPY_PARAM_BITMAPS));
	return {};
}

Result<void> parse_sync(Words &words, Blkcopy &table)
{
	if (!table.sync.empty())
		return given_twice(BLKCOPY_PARAM_SYNC);
	if (table.mode != Mode::mirror)
		return line_error(line, "the parameter '" BLKCOPY_PARAM_SYNC
					"' is there, but no mirror begins");
	BLKCTL_TRY(const auto text, words.word(BLKCOPY_PARAM_SYNC));
	if (!meta::is_bitmap_name(text))
		return words.bad(BLKCOPY_PARAM_SYNC, text, "the name of a bitmap");
	table.sync = text;
	return {};
}

Result<void> parse_param(Words &words, Blkcopy &table)
{
	auto &params = table.params;
	BLKCTL_TRY(const auto key, words.word("a parameter"));

	if (key == BLKCOPY_PARAM_BITMAPS)
		return parse_bitmaps(words, table);
	if (key == BLKCOPY_PARAM_SYNC)
		return parse_sync(words, table);
	for (const auto &known : number_keys) {
		if (known.key != key)
			continue;
		if (params.*known.value)
			return given_twice(key);
		BLKCTL_TRY(params.*known.value, words.number<uint32_t>(key));
		return {};
	}
	for (const auto &known : policy_keys) {
		if (known.key != key)
			continue;
		if (params.*known.value)
			return given_twice(key);
		BLKCTL_TRY(const auto text, words.word(key));
		params.*known.value = policy_from(text);
		if (!(params.*known.value))
			return words.bad(key, text, "an error policy");
		return {};
	}
	if (key == BLKCOPY_PARAM_COPY_MODE) {
		if (params.copy_mode)
			return given_twice(key);
		BLKCTL_TRY(const auto text, words.word(key));
		params.copy_mode = copy_mode_from(text);
		if (!params.copy_mode)
			return words.bad(key, text, "a copy mode");
		return {};
	}
	return words.bad("a parameter", key, "one this version knows");
}

Result<Mode> parse_mode(Words &words)
{
	BLKCTL_TRY(const auto text, words.word("the mode"));
	const auto mode = value_in(modes, text);

	if (!mode)
		return words.bad("the mode", text, "one this version knows");
	return *mode;
}

Result<std::optional<Leg>> parse_top(Words &words, Mode mode)
{
	BLKCTL_TRY(const auto text, words.word("the top device"));
	BLKCTL_TRY(const auto offset, words.number<uint64_t>("the top offset"));

	if (mode == Mode::track) {
		if (text != "-")
			return words.bad("the top device", text, "'-', as track has none");
		if (offset != 0)
			return line_error(line, "the top offset is not 0, but track has no top");
		return std::optional<Leg>();
	}
	const auto device = parse_devno(text);
	if (!device)
		return words.bad("the top device", text, "a device number MAJ:MIN");
	return std::optional(Leg{*device, offset});
}

Result<std::string> parse_meta(Words &words, bool durable)
{
	BLKCTL_TRY(const auto text, words.word("the metadata device"));

	if (durable && !parse_devno(text))
		return words.bad("the metadata device", text, "MAJ:MIN, which this mode needs");
	const bool memory = text.starts_with(BLKCOPY_META_MEM_PREFIX);

	if (memory) {
		const auto length = text.size() - std::string_view(BLKCOPY_META_MEM_PREFIX).size();
		if (length == 0 || length > BLKCOPY_META_MEM_ID_MAX)
			return words.bad("the metadata device", text, "mem:<id>");
	} else if (text != "-" && !parse_devno(text)) {
		return words.bad("the metadata device", text, "'-', mem:<id> or MAJ:MIN");
	}
	return std::string(text);
}

Result<uint32_t> parse_block(Words &words)
{
	BLKCTL_TRY(const auto block, words.number<uint32_t>("the block size"));

	if (block < BLKCOPY_BLOCK_SECTORS_MIN || block > BLKCOPY_BLOCK_SECTORS_MAX ||
	    (block & (block - 1)) != 0)
		return words.bad("the block size", std::to_string(block),
				 "a power of two from 8 to 2048");
	return block;
}

} // namespace

Result<Blkcopy> parse_blkcopy(std::string_view params)
{
	Words words(line, params);
	Blkcopy table;

	BLKCTL_TRY(table.mode, parse_mode(words));
	BLKCTL_TRY(table.base.device, words.device("the base device"));
	BLKCTL_TRY(table.base.offset, words.number<uint64_t>("the base offset"));
	BLKCTL_TRY(table.top, parse_top(words, table.mode));
	BLKCTL_TRY(table.meta, parse_meta(words, table.is_durable()));
	if (table.mode == Mode::track)
		table.bitmaps = table.meta_device();
	if (table.bitmaps)
		table.meta = "-";
	BLKCTL_TRY(table.block_sectors, parse_block(words));
	if (words.done())
		return table;

	BLKCTL_TRY(const auto features, words.number<uint32_t>("the number of features"));
	for (uint32_t i = 0; i < features; i++)
		BLKCTL_CHECK(parse_feature(words, table.features));
	if (words.done())
		return table;

	BLKCTL_TRY(const auto count, words.number<uint32_t>("the number of parameter words"));
	if (count % 2 != 0)
		return line_error(line, "an odd number of parameter words");
	for (uint32_t i = 0; i < count; i += 2)
		BLKCTL_CHECK(parse_param(words, table));
	BLKCTL_CHECK(words.end());
	return table;
}

std::string print(const Blkcopy &table)
{
	std::string text(word(table.mode));

	text += " " + table.base.device.str() + " " + std::to_string(table.base.offset);
	text += table.top ? " " + table.top->device.str() + " " + std::to_string(table.top->offset)
			  : std::string(" - 0");
	const bool is_track = table.mode == Mode::track;
	text += " " + (is_track && table.bitmaps ? table.bitmaps->str() : table.meta) + " " +
		std::to_string(table.block_sectors);

	unsigned features = 0, params = 0;
	std::string feature_text, param_text;
	for (const auto &feature : feature_words) {
		if (!(table.features.*feature.flag))
			continue;
		feature_text += " " + std::string(feature.word);
		features++;
	}
	const auto param = [&](std::string_view key, std::string_view value) {
		param_text += " " + std::string(key) + " " + std::string(value);
		params += 2;
	};
	for (const auto &known : number_keys)
		if (const auto &value = table.params.*known.value)
			param(known.key, std::to_string(*value));
	if (table.params.copy_mode)
		param(BLKCOPY_PARAM_COPY_MODE, word(*table.params.copy_mode));
	for (const auto &known : policy_keys)
		if (const auto &value = table.params.*known.value)
			param(known.key, word(*value));
	if (!is_track && table.bitmaps)
		param(BLKCOPY_PARAM_BITMAPS, table.bitmaps->str());
	if (!table.sync.empty())
		param(BLKCOPY_PARAM_SYNC, table.sync);

	if (features || params)
		text += " " + std::to_string(features) + feature_text;
	if (params)
		text += " " + std::to_string(params) + param_text;
	return text;
}

} // namespace blkctl::table
