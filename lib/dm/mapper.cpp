// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/mapper.hpp"

namespace blkctl::dm
{

std::string Target::str() const
{
	auto text = std::to_string(start) + " " + std::to_string(length) + " " + type;
	if (!params.empty())
		text += " " + params;
	return text;
}

// "<cipher> <key> <iv_offset> <device> <offset> ...": a key that starts with ':' only names one
// in a keyring.
Target redacted(Target target)
{
	if (target.type != "crypt")
		return target;

	auto &params = target.params;
	const auto cipher_end = params.find(' ');
	if (cipher_end == std::string::npos)
		return target;
	const auto key = cipher_end + 1;
	const auto key_end = std::min(params.find(' ', key), params.size());
	if (key < params.size() && params[key] != ':' && params[key] != '-')
		params.replace(key, key_end - key, key_end - key, '0');
	return target;
}

uint64_t table_sectors(const Table &table)
{
	return table.empty() ? 0 : table.back().start + table.back().length;
}

} // namespace blkctl::dm
