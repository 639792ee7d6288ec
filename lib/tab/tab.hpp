// SPDX-License-Identifier: GPL-2.0-or-later
// /etc/blkctltab: which volumes come back at boot, and what they are made from. See blkctltab(5).
#ifndef BLKCTL_TAB_TAB_HPP
#define BLKCTL_TAB_TAB_HPP

#include "base/error.hpp"
#include "table/blkcopy.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace blkctl::tab
{

// A layer of a volume by its metadata: a file, a device's path, or its identity (Probe::identity).
struct Layer {
	unsigned number = 0; // of the hidden device; 0: the volume itself
	std::string meta = {};

	bool operator==(const Layer &) const = default;
};

// A line. A volume on one device has a device and no layers, every other has layers and no device.
struct Entry {
	std::string name = {};
	std::string device = {};        // path or identity
	std::vector<Layer> layers = {}; // the lowest first; the last is the volume itself
	std::string uuid = {};          // of a volume without metadata: 32 hex digits, or empty
	std::string lv = {};            // of an attached LV: the UUIDs of its VG and of itself, 64
	std::optional<uint64_t> sectors =
		{};                   // of a volume without metadata: its size; all if not given
	uint64_t offset = 0;          // of its data on the device, 512-byte sectors
	uint32_t block_sectors = 128; // of a volume without metadata
	std::string bitmaps = {};     // their metadata, as a layer's; empty: they are in memory
	// Where it was before a pivot that may or may not have been: one of the two is stale. Empty
	// if that is known.
	std::string was = {};
	uint64_t was_offset = 0; // of its data there
	// What the lowest base looked like when it was frozen, while nothing else records it.
	std::optional<uint32_t> stamp = {};
	bool noauto = false;    // only when it is named
	bool initramfs = false; // needed before the root filesystem is there
	bool fill = false;      // of a view: what is not overwritten goes to its store as well
	// What its job was told, which no metadata says; without what the kernel does anyway.
	table::Features features = {}; // but backup_persistent and nosync
	table::Params params = {};     // but segment_mib

	bool operator==(const Entry &) const = default;
};

// Inverse functions on all that parse takes. Errors: failed, saying what is wrong with the line.
Result<Entry> parse_entry(std::string_view line);
std::string print(const Entry &entry);

// Nothing is an entry: blank, or a comment.
bool is_blank(std::string_view line);

// A file: comments and lines that make no sense stay where they are.
class Tab
{
      public:
	struct Line {
		std::string text = {};
		std::optional<Entry> entry = {};
		std::optional<Error> error = {}; // why a line that should be an entry is none

		bool operator==(const Line &other) const { return text == other.text; }
	};

	// Never fails: see Line::error. Of two entries of one name the later one is an error.
	static Tab parse(std::string_view text, const std::string &file = "blkctltab");
	std::string print() const;

	const std::vector<Line> &lines() const { return lines_; }
	std::vector<Entry> entries() const;
	std::vector<Error> errors() const;
	std::optional<Entry> find(std::string_view name) const;

	// Puts it in place of the entry of that name, or else of the one called `before`, or at the
	// end. What else there is of the same LV, or by the same UUID, goes: it would be that
	// volume a second time, where it was under an earlier name.
	void put(const Entry &entry, std::string_view before = {});
	void remove(std::string_view name);

      private:
	std::vector<Line> lines_;
};

} // namespace blkctl::tab

#endif
