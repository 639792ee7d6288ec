// SPDX-License-Identifier: GPL-2.0-or-later
#include "tab/tab.hpp"
#include "table/settings.hpp"
#include "uapi/blkcopy.h"
#include <algorithm>
#include <charconv>
#include <cstdio>

namespace blkctl::tab
{

namespace
{

constexpr std::string_view blanks = " \t\r";
// What would be read as something else; written in octal, as in fstab.
constexpr std::string_view special = " \t\r\n\\#,=";
constexpr size_t uuid_digits = 32;
constexpr size_t lv_characters = 64; // of a VG and an LV, without dashes
// Further ones are not what anybody wrote by hand.
constexpr size_t most_layers = 64;

struct EntryFlag {
	std::string_view word;
	bool Entry::*flag;
};

struct JobFlag {
	std::string_view word;
	bool table::Features::*flag;
};

// In the order they are printed.
constexpr EntryFlag entry_flags[] = {
	{"noauto", &Entry::noauto},
	{"initramfs", &Entry::initramfs},
	{"fill", &Entry::fill},
};
constexpr JobFlag job_flags[] = {
	{BLKCOPY_FEATURE_COPY_ON_READ, &table::Features::copy_on_read},
	{BLKCOPY_FEATURE_PAUSED, &table::Features::paused},
	{BLKCOPY_FEATURE_DETECT_ZEROES, &table::Features::detect_zeroes},
	{BLKCOPY_FEATURE_NO_DISCARD_PASSDOWN, &table::Features::no_discard_passdown},
};
// The older word for a policy.
constexpr std::string_view waits_for_space = "wait_for_space";

Error bad(std::string why)
{
	return {.what = "read", .why = std::move(why)};
}

std::string escaped(const std::string &text)
{
	std::string out;

	for (const char c : text) {
		const bool plain = special.find(c) == std::string_view::npos && c != '\0';
		char octal[8];
		std::snprintf(octal, sizeof(octal), "\\%03o", static_cast<unsigned char>(c));
		out += plain ? std::string(1, c) : octal;
	}
	// "-" is nothing.
	return out == "-" ? "\\055" : out;
}

Result<std::string> unescaped(std::string_view text)
{
	std::string out;

	while (!text.empty()) {
		if (text[0] != '\\') {
			out += text[0];
			text.remove_prefix(1);
			continue;
		}
		unsigned value = 0;
		const auto *const first = text.data() + 1;
		const auto *const last = text.data() + std::min<size_t>(text.size(), 4);
		const auto [end, error] = std::from_chars(first, last, value, 8);
		if (last - first != 3 || error != std::errc() || end != last || value == 0 ||
		    value > 0377)
			return bad("a backslash is not followed by three octal digits");
		out += static_cast<char>(value);
		text.remove_prefix(4);
	}
	return out;
}

template <class T> Result<T> number(std::string_view text, int base, const std::string &what)
{
	T value{};
	const auto *const last = text.data() + text.size();
	const auto [end, error] = std::from_chars(text.data(), last, value, base);

	if (text.empty() || error != std::errc() || end != last)
		return bad(what + " is no number: '" + std::string(text) + "'");
	return value;
}

std::vector<std::string_view> split(std::string_view text, std::string_view at)
{
	std::vector<std::string_view> words;

	while (!text.empty()) {
		const auto end = std::min(text.find_first_of(at), text.size());
		words.push_back(text.substr(0, end));
		text.remove_prefix(std::min(end + 1, text.size()));
	}
	return words;
}

std::vector<std::string_view> fields_of(std::string_view line)
{
	auto words = split(line, blanks);

	std::erase_if(words, [](std::string_view word) { return word.empty(); });
	return words;
}

// "[N=]META"
Result<Layer> parse_layer(std::string_view text)
{
	const auto equals = text.find('=');
	Layer layer;

	if (equals != std::string_view::npos) {
		BLKCTL_TRY(layer.number,
			   number<unsigned>(text.substr(0, equals), 10, "the number of a layer"));
		if (layer.number == 0)
			return bad("layers count from 1");
		text.remove_prefix(equals + 1);
	}
	BLKCTL_TRY(layer.meta, unescaped(text));
	if (layer.meta.empty())
		return bad("a layer has no metadata");
	return layer;
}

Result<std::vector<Layer>> parse_layers(std::string_view text)
{
	std::vector<Layer> layers;
	const auto words = split(text, ",");

	if (words.size() > most_layers || text.ends_with(','))
		return bad("METADATA is no list of layers");
	for (const auto word : words) {
		BLKCTL_TRY(auto layer, parse_layer(word));
		layers.push_back(std::move(layer));
	}
	for (size_t i = 0; i < layers.size(); i++) {
		const bool is_top = i + 1 == layers.size();
		if (is_top != (layers[i].number == 0))
			return bad("every layer has a number but the last, which is the volume");
		if (i > 0 && !is_top && layers[i].number <= layers[i - 1].number)
			return bad("the layers are not in order, the lowest first");
	}
	return layers;
}

bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// What an option without a value sets; nullptr if it is none.
bool *find_flag(Entry &entry, std::string_view word)
{
	for (const auto &each : entry_flags)
		if (each.word == word)
			return &(entry.*each.flag);
	for (const auto &each : job_flags)
		if (each.word == word)
			return &(entry.features.*each.flag);
	return nullptr;
}

Result<void> parse_option(std::string_view word, Entry &entry)
{
	if (word == waits_for_space)
		word = BLKCOPY_PARAM_ON_TOP_ERROR "=" BLKCOPY_POLICY_ENOSPC;
	const auto equals = word.find('=');
	const auto key = word.substr(0, equals);
	const auto value =
		equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);

	if (bool *const flag = find_flag(entry, key)) {
		if (equals != std::string_view::npos)
			return bad("option " + std::string(key) + " takes no value");
		*flag = true;
		return {};
	}
	if (table::is_setting(key)) {
		const auto read = table::set(entry.params, key, value);
		return read ? read : bad(std::string(key) + " is " + read.error().why);
	}
	if (key == "uuid") {
		const auto good =
			value.size() == uuid_digits &&
			value.find_first_not_of("0123456789abcdef") == std::string_view::npos;
		if (!good)
			return bad("uuid is not 32 hex digits in lower case");
		entry.uuid = value;
		return {};
	}
	if (key == "lv") {
		if (value.size() != lv_characters ||
		    !std::all_of(value.begin(), value.end(), is_alnum))
			return bad("lv is not the UUIDs of a VG and an LV, 64 letters and digits");
		entry.lv = value;
		return {};
	}
	if (key == "sectors") {
		BLKCTL_TRY(entry.sectors, number<uint64_t>(value, 10, "sectors"));
		return entry.sectors == 0 ? Result<void>(bad("sectors is 0")) : Result<void>();
	}
	if (key == "offset") {
		BLKCTL_TRY(entry.offset, number<uint64_t>(value, 10, "offset"));
		return {};
	}
	if (key == "block") {
		BLKCTL_TRY(entry.block_sectors, number<uint32_t>(value, 10, "block"));
		const auto size = entry.block_sectors;
		if (size < BLKCOPY_BLOCK_SECTORS_MIN || size > BLKCOPY_BLOCK_SECTORS_MAX ||
		    (size & (size - 1)) != 0)
			return bad("block is no power of two from 8 to 2048 sectors");
		return {};
	}
	if (key == "bitmaps") {
		BLKCTL_TRY(entry.bitmaps, unescaped(value));
		return entry.bitmaps.empty() ? Result<void>(bad("bitmaps names nothing"))
					     : Result<void>();
	}
	if (key == "was") {
		BLKCTL_TRY(entry.was, unescaped(value));
		return entry.was.empty() ? Result<void>(bad("was names nothing")) : Result<void>();
	}
	if (key == "was_offset") {
		BLKCTL_TRY(entry.was_offset, number<uint64_t>(value, 10, "was_offset"));
		return {};
	}
	if (key == "stamp") {
		BLKCTL_TRY(entry.stamp, number<uint32_t>(value, 16, "stamp"));
		return {};
	}
	return bad("there is no option '" + std::string(key) + "'");
}

Result<void> check_whole(const Entry &entry)
{
	if (entry.name.empty() || entry.name.find('/') != std::string::npos)
		return bad("NAME is no name of a volume");
	if (entry.device.empty() == entry.layers.empty())
		return bad("one of DEVICE and METADATA is given, and the other is '-'");
	const bool plain = entry.layers.empty();
	const bool is_told = entry.fill || entry.features != table::Features() ||
			     entry.params != table::Params();
	if (plain && (is_told || entry.stamp))
		return bad("stamp, and what a job is told, go with METADATA");
	if (!plain && (!entry.uuid.empty() || entry.sectors || entry.offset ||
		       entry.block_sectors != Entry().block_sectors))
		return bad("uuid, sectors, offset and block go with DEVICE: the metadata has them");
	if (!plain && (!entry.was.empty() || entry.was_offset))
		return bad("was and was_offset go with DEVICE: the metadata knows where it is");
	if (entry.was.empty() && entry.was_offset)
		return bad("was_offset goes with was");
	if (!entry.lv.empty() && !entry.uuid.empty())
		return bad("an LV has the UUID that LVM gives it: one of uuid and lv");
	return {};
}

// Of those that say so.
bool is_same_volume(const Entry &a, const Entry &b)
{
	return (!a.lv.empty() && a.lv == b.lv) || (!a.uuid.empty() && a.uuid == b.uuid);
}

} // namespace

bool is_blank(std::string_view line)
{
	const auto first = line.find_first_not_of(blanks);

	return first == std::string_view::npos || line[first] == '#';
}

Result<Entry> parse_entry(std::string_view line)
{
	constexpr std::string_view nothing = "-";
	const auto words = fields_of(line);
	Entry entry;

	if (words.size() < 3 || words.size() > 4)
		return bad("it is not NAME DEVICE METADATA [OPTIONS]");
	if (line.find('\0') != std::string_view::npos)
		return bad("it is no text");
	BLKCTL_TRY(entry.name, unescaped(words[0]));
	if (words[1] != nothing) {
		BLKCTL_TRY(entry.device, unescaped(words[1]));
	}
	if (words[2] != nothing) {
		BLKCTL_TRY(entry.layers, parse_layers(words[2]));
	}
	if (words.size() == 4 && words[3] != nothing)
		for (const auto option : split(words[3], ","))
			BLKCTL_CHECK(parse_option(option, entry));
	BLKCTL_CHECK(check_whole(entry));
	return entry;
}

std::string print(const Entry &entry)
{
	std::string layers, options;
	const auto option = [&](bool given, const std::string &text) {
		if (given)
			options += (options.empty() ? "" : ",") + text;
	};

	for (const auto &layer : entry.layers) {
		layers += layers.empty() ? "" : ",";
		layers += layer.number ? std::to_string(layer.number) + "=" : "";
		layers += escaped(layer.meta);
	}
	for (const auto &each : entry_flags)
		option(entry.*each.flag, std::string(each.word));
	for (const auto &each : job_flags)
		option(entry.features.*each.flag, std::string(each.word));
	for (const auto &[key, value] : table::given(entry.params))
		option(true, std::string(key) + "=" + value);
	option(!entry.uuid.empty(), "uuid=" + entry.uuid);
	option(!entry.lv.empty(), "lv=" + entry.lv);
	option(entry.sectors.has_value(), "sectors=" + std::to_string(entry.sectors.value_or(0)));
	option(entry.offset != 0, "offset=" + std::to_string(entry.offset));
	option(entry.block_sectors != Entry().block_sectors,
	       "block=" + std::to_string(entry.block_sectors));
	option(!entry.bitmaps.empty(), "bitmaps=" + escaped(entry.bitmaps));
	option(!entry.was.empty(), "was=" + escaped(entry.was));
	option(entry.was_offset != 0, "was_offset=" + std::to_string(entry.was_offset));
	char stamp[16];
	std::snprintf(stamp, sizeof(stamp), "stamp=%08x", entry.stamp.value_or(0));
	option(entry.stamp.has_value(), stamp);
	auto text = escaped(entry.name) + " " +
		    (entry.device.empty() ? "-" : escaped(entry.device)) + " " +
		    (layers.empty() ? "-" : layers);
	return options.empty() ? text : text + " " + options;
}

Tab Tab::parse(std::string_view text, const std::string &file)
{
	Tab tab;

	while (!text.empty()) {
		const auto end = std::min(text.find('\n'), text.size());
		Line line{.text = std::string(text.substr(0, end))};
		const auto place = file + " line " + std::to_string(tab.lines_.size() + 1);
		text.remove_prefix(std::min(end + 1, text.size()));
		if (!is_blank(line.text)) {
			const auto entry = parse_entry(line.text);
			if (!entry)
				line.error = entry.error();
			else if (tab.find(entry->name))
				line.error = bad("there is an entry '" + entry->name +
						 "' above already");
			else
				line.entry = *entry;
		}
		if (line.error)
			line.error->device = place;
		tab.lines_.push_back(std::move(line));
	}
	return tab;
}

std::string Tab::print() const
{
	std::string text;

	for (const auto &line : lines_)
		text += line.text + "\n";
	return text;
}

std::vector<Entry> Tab::entries() const
{
	std::vector<Entry> found;

	for (const auto &line : lines_)
		if (line.entry)
			found.push_back(*line.entry);
	return found;
}

std::vector<Error> Tab::errors() const
{
	std::vector<Error> found;

	for (const auto &line : lines_)
		if (line.error)
			found.push_back(*line.error);
	return found;
}

std::optional<Entry> Tab::find(std::string_view name) const
{
	for (const auto &line : lines_)
		if (line.entry && line.entry->name == name)
			return line.entry;
	return std::nullopt;
}

void Tab::put(const Entry &entry, std::string_view before)
{
	const auto line_of = [&](std::string_view name) {
		return std::find_if(lines_.begin(), lines_.end(), [&](const Line &line) {
			return line.entry && line.entry->name == name;
		});
	};
	auto found = line_of(entry.name);
	Line line{.text = tab::print(entry), .entry = entry};

	if (found == lines_.end())
		found = line_of(before);
	if (found == lines_.end())
		lines_.push_back(std::move(line));
	else if (found->entry != entry)
		*found = std::move(line);
	std::erase_if(lines_, [&](const Line &each) {
		return each.entry && each.entry->name != entry.name &&
		       (each.entry->name == before || is_same_volume(*each.entry, entry));
	});
}

void Tab::remove(std::string_view name)
{
	std::erase_if(lines_,
		      [&](const Line &line) { return line.entry && line.entry->name == name; });
}

} // namespace blkctl::tab
