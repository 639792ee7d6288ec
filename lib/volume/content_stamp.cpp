// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/content_stamp.hpp"
#include "meta/crc32c.hpp"
#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <optional>
#include <string_view>

namespace blkctl::volume
{

namespace
{

using Bytes = std::vector<uint8_t>;
using boost::endian::load_big_u32;
using boost::endian::load_big_u64;
using boost::endian::load_little_u32;
using boost::endian::load_little_u64;

constexpr uint64_t sector = 512;
// A first partition most often begins at 1 MiB.
constexpr uint64_t head_bytes = 2 << 20;
constexpr uint64_t tail_bytes = 1 << 20;
// btrfs has its superblock at 64 KiB.
constexpr uint64_t partition_bytes = 128 << 10;
constexpr uint64_t most_partitions = 128;

constexpr size_t mbr_table = 446, mbr_entry = 16, mbr_start = 8, mbr_kind = 4;
constexpr size_t gpt_table = 72, gpt_count = 80, gpt_entry = 84, gpt_start = 32;

bool is_gpt(const Bytes &head, uint64_t block)
{
	constexpr std::string_view magic = "EFI PART";

	return head.size() >= 2 * block &&
	       std::equal(magic.begin(), magic.end(),
			  head.begin() + static_cast<std::ptrdiff_t>(block));
}

// Where they begin, in bytes. What does not fit in the head is passed over.
void add_gpt(const Bytes &head, uint64_t block, std::vector<uint64_t> &starts)
{
	const auto *const header = head.data() + block;
	const auto table = load_little_u64(header + gpt_table);
	const uint64_t count = load_little_u32(header + gpt_count);
	const uint64_t each = load_little_u32(header + gpt_entry);

	if (table > head.size() / block || each < 128 || each > 4096)
		return;
	for (uint64_t i = 0; i < std::min(count, most_partitions); i++) {
		const auto at = table * block + i * each;
		if (at + each > head.size())
			return;
		const auto first = load_little_u64(head.data() + at + gpt_start);
		if (first != 0 && first < UINT64_MAX / block)
			starts.push_back(first * block);
	}
}

std::vector<uint64_t> partition_starts(const Bytes &head)
{
	std::vector<uint64_t> starts;

	for (const uint64_t block : {uint64_t{512}, uint64_t{4096}})
		if (is_gpt(head, block))
			add_gpt(head, block, starts);
	if (!starts.empty() || head.size() < sector || head[510] != 0x55 || head[511] != 0xaa)
		return starts;
	for (size_t i = 0; i < 4; i++) {
		const auto *const entry = head.data() + mbr_table + i * mbr_entry;
		const uint64_t first = load_little_u32(entry + mbr_start);
		if (entry[mbr_kind] != 0 && first != 0)
			starts.push_back(first * sector);
	}
	return starts;
}

constexpr uint32_t xfs_magic = 0x58465342, xfs_record = 0xfeedbabe;
constexpr size_t xfs_block = 4, xfs_log_start = 48, xfs_group_blocks = 84, xfs_log_blocks = 96,
		 xfs_group_log = 124, xfs_end = 128;

struct Log {
	uint64_t at = 0;      // bytes, from where the filesystem begins
	uint64_t sectors = 0; // 512 bytes
};

// The log of an xfs, if it has one inside.
std::optional<Log> xfs_log(const Bytes &super)
{
	if (super.size() < xfs_end || load_big_u32(super.data()) != xfs_magic)
		return std::nullopt;
	const uint64_t block = load_big_u32(super.data() + xfs_block);
	const auto start = load_big_u64(super.data() + xfs_log_start);
	const uint64_t group = load_big_u32(super.data() + xfs_group_blocks);
	const uint64_t blocks = load_big_u32(super.data() + xfs_log_blocks);
	const auto shift = super[xfs_group_log];

	if (block < sector || block > 65536 || shift > 31 || start >> shift > UINT32_MAX ||
	    start == 0 || blocks == 0)
		return std::nullopt;
	const auto first = (start >> shift) * group + (start & ((uint64_t{1} << shift) - 1));
	if (first > UINT64_MAX / block / 2)
		return std::nullopt;
	return Log{first * block, blocks * block / sector};
}

} // namespace

Result<uint32_t> content_stamp(udev::Probe &probe, DevNo device, uint64_t start, uint64_t sectors)
{
	const auto bytes = sectors * sector;
	meta::Crc32c crc;
	const auto add = [&](uint64_t at, uint64_t count) -> Result<Bytes> {
		BLKCTL_TRY(auto content, probe.read(device, start * sector + at, count));
		crc.add(content);
		return content;
	};

	// As it writes round and round, each sector has the number of the round: where that
	// changes is the end of what it has written last.
	const auto add_log = [&](const Bytes &super, uint64_t at) -> Result<void> {
		const auto log = xfs_log(super);
		if (!log || log->at > bytes - at || log->sectors > (bytes - at - log->at) / sector)
			return {};
		const auto round = [&](uint64_t n) -> Result<uint32_t> {
			BLKCTL_TRY(const auto content,
				   probe.read(device, start * sector + at + log->at + n * sector,
					      sector));
			const auto first = load_big_u32(content.data());
			return first == xfs_record ? load_big_u32(content.data() + 4) : first;
		};
		uint64_t low = 0, high = log->sectors - 1;
		BLKCTL_TRY(const auto first, round(low));
		BLKCTL_TRY(const auto last, round(high));
		while (high - low > 1) {
			const auto middle = low + (high - low) / 2;
			BLKCTL_TRY(const auto here, round(middle));
			(here == last ? high : low) = middle;
		}
		crc.add_le64(first);
		crc.add_le64(last);
		crc.add_le64(high);
		return {};
	};

	BLKCTL_TRY(const auto head, add(0, std::min(bytes, head_bytes)));
	BLKCTL_CHECK(add_log(head, 0));
	const auto tail = std::min(bytes, tail_bytes);
	BLKCTL_CHECK(add(bytes - tail, tail));
	for (const auto at : partition_starts(head)) {
		if (at >= bytes)
			continue;
		BLKCTL_TRY(const auto partition, add(at, std::min(partition_bytes, bytes - at)));
		BLKCTL_CHECK(add_log(partition, at));
	}
	return crc.value();
}

} // namespace blkctl::volume
