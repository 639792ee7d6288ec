// SPDX-License-Identifier: GPL-2.0-or-later
// Sizes and rates as people write them: the only place where their grammar is known.
#ifndef BLKCTL_BASE_SIZE_HPP
#define BLKCTL_BASE_SIZE_HPP

#include "base/error.hpp"
#include <cstdint>
#include <string>
#include <string_view>

namespace blkctl
{

/*
 * Parses a size into bytes: a decimal number, then nothing or "b" (bytes), "s" (512-byte
 * sectors), or one of k m g t p e in either case, optionally followed by "iB" or "B"
 * ("64k", "64KiB", "64KB": powers of 1024 all, as everywhere on disks here). A fraction is
 * taken if the result is a whole number of bytes ("1.5G"). No sign, no blanks.
 * Errors: usage, for anything else and for values over 2^64-1.
 */
Result<uint64_t> parse_size(std::string_view text);

/*
 * Parses a rate into KiB a second: a size as above, optionally followed by "/s"; a bare number
 * is KiB/s as in the table's rate_kib. "0", "none" and "unlimited" are 0: no limit.
 * Errors: usage, for what does not parse, is not a whole number of KiB, or is over
 * BLKCOPY_RATE_KIB_MAX.
 */
Result<uint32_t> parse_rate_kib(std::string_view text);

/*
 * Parses a block size (bytes, grammar of parse_size) into 512-byte sectors.
 * Errors: usage, naming the limit, if it is no power of two, under 4 KiB or over 1 MiB.
 */
Result<uint32_t> parse_block_sectors(std::string_view text);

// Errors: usage, naming the limit, for a block size (sectors) that the target does not take.
Result<void> check_block_sectors(uint64_t sectors);

// Ten years: added to a clock that counts nanoseconds in 63 bits, it does not overflow.
inline constexpr uint64_t most_duration_ms = uint64_t{10} * 365 * 24 * 3600 * 1000;

/*
 * Parses a span of time into milliseconds: a number (fractions allowed), then nothing or "s"
 * (seconds), "ms", "m", "h". Errors: usage, also for more than most_duration_ms.
 */
Result<uint64_t> parse_duration_ms(std::string_view text);

// "1.50 GiB", "64.00 KiB", "512 B".
std::string format_size(uint64_t bytes);

// As parse_size() takes it: "64k", "1M", "512".
std::string typed_size(uint64_t bytes);

// "12.3 MiB/s"; for a rate of 0 "0 B/s".
std::string format_rate(double bytes_per_second);

// "3s", "2m05s", "1h02m".
std::string format_duration(uint64_t seconds);

} // namespace blkctl

#endif
