// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size.hpp"
#include "uapi/blkcopy.h"
#include <cstdio>
#include <limits>
#include <optional>

namespace blkctl
{

namespace
{

using Wide = unsigned __int128;

// A decimal number as value / scale, and what follows it.
struct Number {
	Wide value = 0;
	Wide scale = 1;
	std::string_view rest;
};

bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

// At least one digit on each side of a point; at most 2^64-1 before it and 18 digits after it.
std::optional<Number> parse_number(std::string_view text)
{
	Number n;
	size_t i = 0;

	for (; i < text.size() && is_digit(text[i]); i++) {
		n.value = n.value * 10 + static_cast<unsigned>(text[i] - '0');
		if (n.value > std::numeric_limits<uint64_t>::max())
			return std::nullopt;
	}
	if (i == 0)
		return std::nullopt;
	if (i < text.size() && text[i] == '.') {
		const size_t first = ++i;
		for (; i < text.size() && is_digit(text[i]); i++) {
			if (i - first >= 18)
				return std::nullopt;
			n.value = n.value * 10 + static_cast<unsigned>(text[i] - '0');
			n.scale *= 10;
		}
		if (i == first)
			return std::nullopt;
	}
	n.rest = text.substr(i);
	return n;
}

std::optional<uint64_t> factor_of(std::string_view suffix, uint64_t bare)
{
	if (suffix.empty())
		return bare;
	if (suffix == "b" || suffix == "B")
		return 1;
	if (suffix == "s" || suffix == "S")
		return 512;

	const auto at = std::string_view("kmgtpe").find(static_cast<char>(suffix[0] | 0x20));
	const auto tail = suffix.substr(1);
	if (at == std::string_view::npos || !(tail.empty() || tail == "iB" || tail == "B"))
		return std::nullopt;
	return uint64_t(1) << (10 * (at + 1));
}

// number x factor as a whole 64-bit number.
std::optional<uint64_t> scaled(const Number &n, uint64_t factor)
{
	// value < 2^64 * 10^18 < 2^124, so the product may wrap: divide out what can be first.
	Wide value = n.value, scale = n.scale;

	while (scale > 1 && value % 10 == 0) {
		value /= 10;
		scale /= 10;
	}
	while (scale > 1 && scale % 2 == 0 && factor % 2 == 0) {
		scale /= 2;
		factor /= 2;
	}
	if (value % scale != 0)
		return std::nullopt;
	value /= scale;
	if (value > std::numeric_limits<uint64_t>::max() / factor)
		return std::nullopt;
	return static_cast<uint64_t>(value * factor);
}

std::optional<uint64_t> parse_scaled(std::string_view text, uint64_t bare)
{
	const auto number = parse_number(text);
	if (!number)
		return std::nullopt;
	const auto factor = factor_of(number->rest, bare);
	if (!factor)
		return std::nullopt;
	return scaled(*number, *factor);
}

Error bad(const char *what, std::string_view text, std::string why)
{
	return {.status = Status::usage,
		.what = what,
		.device = "'" + std::string(text) + "'",
		.why = std::move(why)};
}

std::string printed(const char *format, double value, const char *unit)
{
	char buffer[64];
	std::snprintf(buffer, sizeof(buffer), format, value, unit);
	return buffer;
}

const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

} // namespace

Result<uint64_t> parse_size(std::string_view text)
{
	const auto bytes = parse_scaled(text, 1);
	if (!bytes)
		return bad("size", text, "not a size such as 64k, 100MiB or 1G");
	return *bytes;
}

Result<uint32_t> parse_rate_kib(std::string_view text)
{
	if (text == "none" || text == "unlimited")
		return 0u;

	auto size = text;
	if (size.ends_with("/s"))
		size.remove_suffix(2);
	const auto bytes = parse_scaled(size, 1024);
	if (!bytes)
		return bad("rate", text, "not a rate such as 50M, 100MiB/s or none");
	if (*bytes % 1024 != 0)
		return bad("rate", text, "not a whole number of KiB a second");
	if (*bytes / 1024 > BLKCOPY_RATE_KIB_MAX)
		return bad("rate", text, "too large: at most 4294967295 KiB a second");
	return static_cast<uint32_t>(*bytes / 1024);
}

static const char *block_fault(uint64_t bytes)
{
	if (bytes < uint64_t(BLKCOPY_BLOCK_SECTORS_MIN) * 512)
		return "too small: at least 4k";
	if (bytes > uint64_t(BLKCOPY_BLOCK_SECTORS_MAX) * 512)
		return "too large: at most 1M";
	if ((bytes & (bytes - 1)) != 0)
		return "not a power of two";
	return nullptr;
}

Result<uint32_t> parse_block_sectors(std::string_view text)
{
	BLKCTL_TRY(const auto bytes, parse_size(text));

	if (const auto *fault = block_fault(bytes))
		return bad("block size", text, fault);
	return static_cast<uint32_t>(bytes / 512);
}

Result<void> check_block_sectors(uint64_t sectors)
{
	const auto bytes = sectors > UINT64_MAX / 512 ? UINT64_MAX : sectors * 512;

	if (const auto *fault = block_fault(bytes))
		return bad("block size", std::to_string(sectors) + "s", fault);
	return {};
}

Result<uint64_t> parse_duration_ms(std::string_view text)
{
	const auto number = parse_number(text);
	std::optional<uint64_t> ms;

	if (number) {
		uint64_t factor = 0;
		if (number->rest.empty() || number->rest == "s")
			factor = 1000;
		else if (number->rest == "ms")
			factor = 1;
		else if (number->rest == "m")
			factor = 60'000;
		else if (number->rest == "h")
			factor = 3'600'000;
		if (factor)
			ms = scaled(*number, factor);
	}
	if (!ms)
		return bad("time", text, "not a time such as 30, 500ms, 10s, 5m or 2h");
	if (*ms > most_duration_ms)
		return bad("time", text, "too long: at most 87600h, which is ten years");
	return *ms;
}

std::string format_size(uint64_t bytes)
{
	double value = static_cast<double>(bytes);
	size_t unit = 0;

	// 1023.995 would print as 1024.00 of the smaller unit.
	while (value >= 1023.995 && unit + 1 < std::size(units)) {
		value /= 1024;
		unit++;
	}
	return unit == 0 ? printed("%.0f %s", value, units[0])
			 : printed("%.2f %s", value, units[unit]);
}

std::string typed_size(uint64_t bytes)
{
	constexpr std::string_view letters = "kMGTPE";
	size_t unit = 0;

	for (; bytes != 0 && bytes % 1024 == 0 && unit < letters.size(); unit++)
		bytes /= 1024;
	return std::to_string(bytes) + (unit ? std::string(1, letters[unit - 1]) : "");
}

std::string format_rate(double bytes_per_second)
{
	double value = bytes_per_second > 0 ? bytes_per_second : 0;
	size_t unit = 0;

	while (value >= 1023.95 && unit + 1 < std::size(units)) {
		value /= 1024;
		unit++;
	}
	const std::string text = unit == 0 ? printed("%.0f %s", value, units[0])
					   : printed("%.1f %s", value, units[unit]);
	return text + "/s";
}

std::string format_duration(uint64_t seconds)
{
	char buffer[64];
	const unsigned long long s = seconds % 60, m = seconds / 60 % 60, h = seconds / 3600;

	if (h)
		std::snprintf(buffer, sizeof(buffer), "%lluh%02llum", h, m);
	else if (m)
		std::snprintf(buffer, sizeof(buffer), "%llum%02llus", m, s);
	else
		std::snprintf(buffer, sizeof(buffer), "%llus", s);
	return buffer;
}

} // namespace blkctl
