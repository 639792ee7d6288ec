// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/content_stamp.hpp"
#include "meta/crc32c.hpp"
#include <algorithm>
#include <boost/endian/conversion.hpp>
#include <string_view>

namespace blkctl::volume
{

namespace
{

using Bytes = std::vector<uint8_t>;
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

	BLKCTL_TRY(const auto head, add(0, std::min(bytes, head_bytes)));
	const auto tail = std::min(bytes, tail_bytes);
	BLKCTL_CHECK(add(bytes - tail, tail));
	for (const auto at : partition_starts(head))
		if (at < bytes)
			BLKCTL_CHECK(add(at, std::min(partition_bytes, bytes - at)));
	return crc.value();
}

} // namespace blkctl::volume
