// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/uuid.hpp"
#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>

namespace blkctl::volume
{

namespace
{

constexpr std::string_view prefix = "BLKCTL-";
constexpr std::string_view volume_suffix = "-vol";
constexpr std::string_view hidden_suffix = "-real";
constexpr std::string_view view_suffix = "-view";
constexpr std::string_view layer_infix = "-l";
constexpr std::string_view lvm_prefix = "LVM-";
constexpr size_t hex_digits = 32;
constexpr size_t lvm_id_size = 64; // of the VG and of the LV, 32 each
constexpr std::string_view hidden_name_suffix = "-blkreal";
constexpr size_t name_max = 127; // DM_NAME_LEN without the zero

bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool is_ours(std::string_view uuid, std::string_view suffix)
{
	if (!uuid.starts_with(prefix) || !uuid.ends_with(suffix) ||
	    uuid.size() != prefix.size() + hex_digits + suffix.size())
		return false;
	const auto hex = uuid.substr(prefix.size(), hex_digits);
	return std::all_of(hex.begin(), hex.end(), is_hex);
}

} // namespace

std::string volume_uuid(const std::string &hex)
{
	return std::string(prefix) + hex + std::string(volume_suffix);
}

std::string hidden_uuid(const std::string &hex)
{
	return std::string(prefix) + hex + std::string(hidden_suffix);
}

std::string view_uuid(const std::string &hex)
{
	return std::string(prefix) + hex + std::string(view_suffix);
}

std::string layer_uuid(const std::string &hex, unsigned number)
{
	return std::string(prefix) + hex + std::string(layer_infix) + std::to_string(number);
}

std::string layer_name(const std::string &name, unsigned number)
{
	const auto suffix = "-blk" + std::to_string(number);
	return name.substr(0, name_max - suffix.size()) + suffix;
}

unsigned layer_number(std::string_view uuid)
{
	constexpr auto head = prefix.size() + hex_digits;
	unsigned number = 0;

	if (uuid.size() <= head + layer_infix.size() || !uuid.starts_with(prefix) ||
	    uuid.substr(head, layer_infix.size()) != layer_infix)
		return 0;
	const auto hex = uuid.substr(prefix.size(), hex_digits);
	const auto digits = uuid.substr(head + layer_infix.size());
	const auto *const last = digits.data() + digits.size();
	const auto [end, error] = std::from_chars(digits.data(), last, number);
	const bool good = error == std::errc() && end == last && digits[0] != '0' &&
			  std::all_of(hex.begin(), hex.end(), is_hex);
	return good ? number : 0;
}

bool is_layer_uuid(std::string_view uuid)
{
	return layer_number(uuid) != 0;
}

std::string volume_hex(std::string_view uuid, std::string_view name)
{
	if (is_volume_uuid(uuid))
		return hex_of(uuid);
	return hidden_hex(uuid.empty() ? "name " + std::string(name) : std::string(uuid));
}

std::string hidden_hex(std::string_view uuid)
{
	// FNV-1a from two starts: nothing is secret here, only to be told apart.
	constexpr uint64_t prime = 0x100000001b3;
	uint64_t first = 0xcbf29ce484222325, second = 0x6c62272e07bb0142;

	for (const char c : uuid) {
		first = (first ^ static_cast<unsigned char>(c)) * prime;
		second = (second ^ static_cast<unsigned char>(c)) * prime;
	}
	char text[hex_digits + 1];
	std::snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, first, second);
	return text;
}

std::string hex_of(std::string_view uuid)
{
	return std::string(uuid.substr(prefix.size(), hex_digits));
}

bool is_volume_uuid(std::string_view uuid)
{
	return is_ours(uuid, volume_suffix);
}

bool is_hidden_uuid(std::string_view uuid)
{
	return is_ours(uuid, hidden_suffix);
}

bool is_view_uuid(std::string_view uuid)
{
	return is_ours(uuid, view_suffix);
}

bool is_lvm_uuid(std::string_view uuid)
{
	return uuid.starts_with(lvm_prefix);
}

bool is_lvm_layer_uuid(std::string_view uuid)
{
	return is_lvm_uuid(uuid) && uuid.size() > lvm_prefix.size() + lvm_id_size;
}

std::string lvm_uuid(const std::string &id)
{
	return std::string(lvm_prefix) + id;
}

std::string lvm_id_of(std::string_view uuid)
{
	if (!is_lvm_uuid(uuid) || uuid.size() != lvm_prefix.size() + lvm_id_size)
		return {};
	return std::string(uuid.substr(lvm_prefix.size()));
}

std::string hidden_name(const std::string &name)
{
	return name.substr(0, name_max - hidden_name_suffix.size()) +
	       std::string(hidden_name_suffix);
}

bool is_good_name(std::string_view name)
{
	const auto good = [](char c) {
		return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		       std::string_view("#+-.:=@_").find(c) != std::string_view::npos;
	};
	return !name.empty() && name.size() <= name_max - hidden_name_suffix.size() &&
	       name != "." && name != ".." && name != "control" && !name.starts_with('-') &&
	       std::all_of(name.begin(), name.end(), good);
}

} // namespace blkctl::volume
