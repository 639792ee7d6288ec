// SPDX-License-Identifier: GPL-2.0-or-later
#include "meta/dump.hpp"
#include "meta/writing.hpp"
#include <boost/json.hpp>

namespace json = boost::json;

namespace blkctl::meta
{

namespace
{

constexpr int schema = 1;
constexpr std::string_view unreadable = "unreadable";
// Their map takes 2 GiB of memory.
constexpr uint64_t most_blocks = uint64_t{1} << 33;
// As do theirs, of all bitmaps together.
constexpr uint64_t most_granules = uint64_t{1} << 34;

json::object leg_object(const Leg &leg)
{
	json::object object;

	object["identity"] = leg.identity;
	object["sectors"] = leg.sectors;
	object["start"] = leg.start;
	object["stamp"] = leg.stamp ? json::value(*leg.stamp) : json::value(nullptr);
	return object;
}

json::object range_object(const Range &range)
{
	json::object object;

	object["first"] = range.first;
	object["count"] = range.count;
	return object;
}

// Reads members of an object; the first that is wrong is remembered, with its path.
class Reader
{
      public:
	Reader(const json::value &value, std::string path, std::string &bad)
		: path_(std::move(path)), bad_(bad)
	{
		if (value.is_object())
			object_ = &value.get_object();
		else
			fail("", "not an object");
	}

	template <class T> T number(std::string_view key)
	{
		const auto *const value = member(key);
		json::error_code error;
		T number{};

		if (value && value->is_number())
			number = value->to_number<T>(error);
		if (value && (!value->is_number() || error))
			fail(key, "not a number that fits");
		return number;
	}

	std::string text(std::string_view key)
	{
		const auto *const value = member(key);

		if (value && value->is_string())
			return std::string(value->get_string());
		if (value)
			fail(key, "not a text");
		return {};
	}

	bool flag(std::string_view key)
	{
		const auto *const value = member(key);

		if (value && value->is_bool())
			return value->get_bool();
		if (value)
			fail(key, "neither true nor false");
		return false;
	}

	const json::array *array(std::string_view key)
	{
		const auto *const value = member(key);

		if (value && !value->is_array())
			fail(key, "not a list");
		return value ? value->if_array() : nullptr;
	}

	Reader object(std::string_view key)
	{
		static const json::value none = json::object();
		const auto *const value = member(key);

		return Reader(value ? *value : none, path_of(key), bad_);
	}

	bool has(std::string_view key) const { return object_ && object_->contains(key); }

	bool is_null(std::string_view key)
	{
		const auto *const value = member(key);

		return value && value->is_null();
	}

	void fail(std::string_view key, std::string_view why)
	{
		if (bad_.empty())
			bad_ = "'" + path_of(key) + "' is " + std::string(why);
	}

      private:
	const json::value *member(std::string_view key)
	{
		const auto *const value = object_ ? object_->if_contains(key) : nullptr;

		if (object_ && !value)
			fail(key, "missing");
		return value;
	}

	std::string path_of(std::string_view key) const
	{
		if (path_.empty() || key.empty())
			return path_ + std::string(key);
		return path_ + "." + std::string(key);
	}

	const json::object *object_ = nullptr;
	std::string path_;
	std::string &bad_;
};

Leg read_leg(Reader reader)
{
	Leg leg;

	leg.identity = reader.text("identity");
	if (leg.identity.size() > identity_max || leg.identity.find('\0') != std::string::npos)
		reader.fail("identity", "too long, or no text");
	leg.sectors = reader.number<uint64_t>("sectors");
	leg.start = reader.number<uint64_t>("start");
	if (!reader.is_null("stamp"))
		leg.stamp = reader.number<uint32_t>("stamp");
	return leg;
}

Superblock read_super(Reader &reader)
{
	Superblock super;
	const auto mode = mode_from(reader.text("mode"));
	const auto phase = phase_from(reader.text("phase"));
	const auto uuid = parse_uuid(reader.text("uuid"));

	if (!uuid)
		reader.fail("uuid", "not 32 hex digits in lower case");
	else
		super.uuid = *uuid;
	super.name = reader.text("name");
	if (super.name.size() > name_max || super.name.find('\0') != std::string::npos)
		reader.fail("name", "too long, or no text");
	super.geometry.sectors = reader.number<uint64_t>("sectors");
	super.geometry.block_sectors = reader.number<uint32_t>("block_sectors");
	super.geometry.segment_mib = reader.number<uint32_t>("segment_mib");
	if (!mode)
		reader.fail("mode", "no mode");
	if (!phase)
		reader.fail("phase", "no phase");
	super.mode = mode.value_or(super.mode);
	super.phase = phase.value_or(super.phase);
	if (super.has_bitmaps()) {
		super.geometry.bitmap_slots = reader.number<uint32_t>("bitmap_slots");
		if (super.geometry.bitmap_slots == 0)
			reader.fail("bitmap_slots", "0");
	}
	auto flags = reader.object("flags");
	super.clean = flags.flag("clean");
	super.base_stale = flags.flag("base_stale");
	super.top_stale = flags.flag("top_stale");
	super.base_mixed = flags.flag("base_mixed");
	// There are dumps from before there were bitmaps.
	if (super.has_bitmaps() || flags.has("unsealed"))
		super.unsealed = flags.flag("unsealed");
	if (super.mode == Mode::backup || flags.has("unordered"))
		super.unordered = flags.flag("unordered");
	if (flags.has("doubtful"))
		super.doubtful = flags.flag("doubtful");
	auto legs = reader.object("legs");
	super.legs = {read_leg(legs.object("base")), read_leg(legs.object("top"))};
	return super;
}

// Ranges lie one after the other, in order.
Range read_range(Reader &reader, uint64_t from, uint64_t end)
{
	const Range range{reader.number<uint64_t>("first"), reader.number<uint64_t>("count")};

	if (range.first < from || range.first > end)
		reader.fail("first", "out of order or behind the end");
	else if (range.count == 0 || range.count > end - range.first)
		reader.fail("count", "0 or goes behind the end");
	return range;
}

void read_runs(const json::array &list, BlockMap &map, std::string &bad)
{
	uint64_t next = 0;

	for (size_t i = 0; i < list.size() && bad.empty(); i++) {
		Reader reader(list[i], "runs[" + std::to_string(i) + "]", bad);
		const auto range = read_range(reader, next, map.blocks());
		const auto text = reader.text("state");
		const auto valid = valid_from(text);
		if (range.first != next)
			reader.fail("first", "not where the run before ends");
		if (!valid && text != unreadable)
			reader.fail("state", "no state");
		if (!bad.empty())
			return;
		next = range.first + range.count;
		if (valid) {
			map.fill(range, *valid);
			continue;
		}
		const auto index = range.first / blocks_a_sector;
		const auto last = (next - 1) / blocks_a_sector;
		const auto end = map.range_of(last);
		if (map.range_of(index).first != range.first || end.first + end.count != next)
			reader.fail("count", "not of whole sectors of " +
						     std::to_string(blocks_a_sector) + " blocks");
		for (auto each = index; each <= last && bad.empty(); each++)
			map.set_lost(each, true);
	}
	if (bad.empty() && next != map.blocks())
		bad = "'runs' is not the whole map: it ends at block " + std::to_string(next);
}

// What is in order and does not overlap.
template <class Mark>
void read_ranges(const json::array &list, const std::string &path, uint64_t end, std::string &bad,
		 const Mark &mark)
{
	uint64_t next = 0;

	for (size_t i = 0; i < list.size() && bad.empty(); i++) {
		Reader reader(list[i], path + "[" + std::to_string(i) + "]", bad);
		const auto range = read_range(reader, next, end);
		if (!bad.empty())
			return;
		mark(range);
		next = range.first + range.count;
	}
}

Bitmap read_bitmap(Reader &reader, const std::string &path, const Geometry &geometry,
		   std::string &bad)
{
	const auto granule = reader.number<uint32_t>("granule_sectors");
	Bitmap bitmap;

	bitmap.name = reader.text("name");
	if (!is_bitmap_name(bitmap.name))
		reader.fail("name", "empty, too long, or not of letters, digits and -_.+:");
	if (!is_granule(geometry, granule))
		reader.fail("granule_sectors", "no power of two, or less than a block");
	bitmap.granule_sectors = granule;
	bitmap.recording = reader.flag("recording");
	bitmap.inconsistent = reader.flag("inconsistent");
	const auto *const changed = reader.array("changed");
	if (!bad.empty())
		return bitmap;
	const auto granules = granules_of(geometry, granule);
	bitmap.changes = Changes(granules);
	read_ranges(*changed, path + ".changed", granules, bad,
		    [&](const Range &range) { bitmap.changes.mark(range); });
	return bitmap;
}

void read_bitmaps(const json::array &list, Dump &dump, std::string &bad)
{
	const auto &geometry = dump.super.geometry;
	uint64_t granules = 0;

	if (list.size() > geometry.bitmap_slots) {
		bad = "'bitmaps' has more than there is room for";
		return;
	}
	for (size_t i = 0; i < list.size() && bad.empty(); i++) {
		const auto path = "bitmaps[" + std::to_string(i) + "]";
		Reader reader(list[i], path, bad);
		auto bitmap = read_bitmap(reader, path, geometry, bad);
		bitmap.slot = static_cast<uint32_t>(i);
		granules += bitmap.changes.granules();
		if (granules > most_granules)
			reader.fail("granule_sectors", "too small: there are more than " +
							       std::to_string(most_granules) +
							       " granules");
		for (const auto &other : dump.bitmaps)
			if (other.name == bitmap.name)
				reader.fail("name", "that of another one");
		dump.bitmaps.push_back(std::move(bitmap));
	}
}

void read_marked(const json::array &list, SegmentMap &segments, std::string &bad)
{
	read_ranges(list, "marked", segments.segments(), bad,
		    [&](const Range &range) { segments.mark(range); });
}

Error bad_dump(std::string why)
{
	return {.status = Status::usage, .what = "read the dump", .why = std::move(why)};
}

// All but what there may be very many of, without its end.
std::string print_head(const Superblock &super)
{
	json::object object, flags, legs;

	object["schema"] = schema;
	object["type"] = "metadata";
	object["uuid"] = hex(super.uuid);
	object["name"] = super.name;
	object["sectors"] = super.geometry.sectors;
	object["block_sectors"] = super.geometry.block_sectors;
	object["segment_mib"] = super.geometry.segment_mib;
	if (super.has_bitmaps())
		object["bitmap_slots"] = super.geometry.bitmap_slots;
	object["mode"] = word(super.mode);
	object["phase"] = word(super.phase);
	flags["clean"] = super.clean;
	flags["base_stale"] = super.base_stale;
	flags["top_stale"] = super.top_stale;
	flags["base_mixed"] = super.base_mixed;
	if (super.has_bitmaps() || super.unsealed)
		flags["unsealed"] = super.unsealed;
	if (super.mode == Mode::backup || super.unordered)
		flags["unordered"] = super.unordered;
	if (super.doubtful)
		flags["doubtful"] = true;
	object["flags"] = std::move(flags);
	legs["base"] = leg_object(super.legs[0]);
	legs["top"] = leg_object(super.legs[1]);
	object["legs"] = std::move(legs);
	auto text = json::serialize(object);
	text.pop_back();
	return text;
}

// Hands on what comes in pieces worth the call.
class Gathering
{
      public:
	explicit Gathering(const Sink &sink) : sink_(sink) {}

	void add(std::string_view text)
	{
		buffer_ += text;
		if (buffer_.size() >= most)
			(void)finish();
	}
	// The first error there was.
	Result<void> finish()
	{
		if (result_)
			result_ = sink_(buffer_);
		buffer_.clear();
		return result_;
	}

      private:
	static constexpr size_t most = 1 << 16;

	const Sink &sink_;
	std::string buffer_;
	Result<void> result_ = {};
};

void print_runs(const BlockMap &map, Gathering &text)
{
	const char *separator = "";

	text.add(",\"runs\":[");
	map.each_run([&](const StateRun &run) {
		auto each = range_object(run.range);
		each["state"] = run.valid ? word(*run.valid) : unreadable;
		text.add(separator + json::serialize(each));
		separator = ",";
	});
	text.add("]");
}

void print_bitmaps(const std::vector<Bitmap> &bitmaps, Gathering &text)
{
	const char *separator = "";

	text.add(",\"bitmaps\":[");
	for (const auto &bitmap : bitmaps) {
		json::object object;
		object["name"] = bitmap.name;
		object["granule_sectors"] = bitmap.granule_sectors;
		object["recording"] = bitmap.recording;
		object["inconsistent"] = bitmap.inconsistent;
		auto head = json::serialize(object);
		head.pop_back();
		text.add(separator + head + ",\"changed\":[");
		separator = "";
		bitmap.changes.each_range([&](const Range &range) {
			text.add(separator + json::serialize(range_object(range)));
			separator = ",";
		});
		text.add("]}");
		separator = ",";
	}
	text.add("]");
}

} // namespace

Dump dump_of(const Contents &contents)
{
	Dump dump{contents.super, contents.map, contents.segments, contents.bitmaps};

	for (uint32_t slot = 0; slot < dump.bitmaps.size(); slot++) {
		dump.bitmaps[slot].slot = slot;
		dump.bitmaps[slot].unreadable.clear();
	}
	dump.super.generation = BLKCOPY_META_FIRST_GENERATION;
	dump.super.exact_sum = 0;
	return dump;
}

Result<void> print(const Dump &dump, const Sink &sink)
{
	Gathering text(sink);
	const char *separator = "";

	text.add(print_head(dump.super));
	if (dump.super.has_bitmaps())
		print_bitmaps(dump.bitmaps, text);
	else
		print_runs(dump.map, text);
	text.add(",\"marked\":[");
	for (const auto &range : dump.segments.ranges()) {
		text.add(separator + json::serialize(range_object(range)));
		separator = ",";
	}
	text.add("]}");
	return text.finish();
}

std::string print(const Dump &dump)
{
	std::string text;

	(void)print(dump, [&](std::string_view piece) -> Result<void> {
		text += piece;
		return {};
	});
	return text;
}

Result<Dump> parse_dump(std::string_view text)
{
	json::error_code error;
	// A name is bytes.
	json::parse_options options;
	options.allow_invalid_utf8 = true;
	const auto value = json::parse(text, error, {}, options);
	std::string bad;

	if (error)
		return bad_dump("it is no JSON: " + error.message());
	Reader reader(value, "", bad);
	if (reader.number<int>("schema") != schema || reader.text("type") != "metadata")
		return bad_dump("it is no dump of metadata of schema " + std::to_string(schema));
	Dump dump;
	dump.super = read_super(reader);
	const bool bitmaps = dump.super.has_bitmaps();
	const auto *const runs = reader.array(bitmaps ? "bitmaps" : "runs");
	const auto *const marked = reader.array("marked");
	if (!bad.empty())
		return bad_dump(bad);

	const auto layout = layout_of(dump.super.geometry);
	if (!layout)
		return bad_dump("it is of no volume there can be: " + layout.error().why);
	if (layout->blocks > most_blocks)
		return bad_dump("'sectors' is more than " + std::to_string(most_blocks) +
				" blocks");
	dump.map = BlockMap(bitmaps ? 0 : layout->blocks);
	dump.segments = SegmentMap(layout->segments);
	if (bitmaps)
		read_bitmaps(*runs, dump, bad);
	else
		read_runs(*runs, dump.map, bad);
	read_marked(*marked, dump.segments, bad);
	if (!bad.empty())
		return bad_dump(bad);
	return dump;
}

Result<void> restore(Device &device, const Dump &dump, Overwrite overwrite)
{
	BLKCTL_CHECK(check_slots(device, dump.super));
	BLKCTL_CHECK(check_room(device, dump.super.geometry));
	BLKCTL_CHECK(check_blank(device, overwrite));
	BLKCTL_CHECK(write_all(device, dump.super,
			       dump.super.has_bitmaps() ? saying_of(dump.bitmaps, dump.super)
							: saying_of(dump.map),
			       dump.segments));
	// It is not to be taken for metadata that nobody has used yet.
	BLKCTL_TRY(const auto super, read_superblock(device));
	return update_superblock(device, super);
}

} // namespace blkctl::meta
