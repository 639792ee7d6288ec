// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/settings.hpp"
#include "uapi/blkcopy.h"
#include <algorithm>
#include <charconv>
#include <iterator>
#include <variant>

namespace blkctl::table
{

namespace
{

template <class T> using Member = std::optional<T> Params::*;

struct Setting {
	std::string_view key;
	std::variant<Member<uint32_t>, Member<CopyMode>, Member<Policy>> member;
	// Of a number. What is not given is the first of the words.
	uint32_t min = 0;
	uint32_t max = 0;
	uint32_t standard = 0;
};

// In the order they are printed.
constexpr Setting settings[] = {
	{BLKCOPY_PARAM_RATE_KIB, &Params::rate_kib, 0, BLKCOPY_RATE_KIB_MAX, 0},
	{BLKCOPY_PARAM_INFLIGHT_KIB, &Params::inflight_kib, BLKCOPY_INFLIGHT_KIB_MIN,
	 BLKCOPY_INFLIGHT_KIB_MAX, BLKCOPY_INFLIGHT_KIB_DEFAULT},
	{BLKCOPY_PARAM_RUN_KIB, &Params::run_kib, BLKCOPY_RUN_KIB_MIN, BLKCOPY_RUN_KIB_MAX,
	 BLKCOPY_RUN_KIB_DEFAULT},
	{BLKCOPY_PARAM_COPY_MODE, &Params::copy_mode},
	{BLKCOPY_PARAM_ON_BASE_ERROR, &Params::on_base_error},
	{BLKCOPY_PARAM_ON_TOP_ERROR, &Params::on_top_error},
};

const Setting *find_setting(std::string_view key)
{
	const auto *const found = std::find_if(std::begin(settings), std::end(settings),
					       [&](const auto &each) { return each.key == key; });

	return found == std::end(settings) ? nullptr : found;
}

Error no_value(std::string why)
{
	return {.status = Status::usage, .what = "set", .why = std::move(why)};
}

Result<void> read_value(const Setting &setting, std::string_view text, std::optional<uint32_t> &to)
{
	uint32_t number = 0;
	const auto *const last = text.data() + text.size();
	const auto [end, error] = std::from_chars(text.data(), last, number);

	if (error != std::errc() || end != last || number < setting.min || number > setting.max)
		return no_value("not a number from " + std::to_string(setting.min) + " to " +
				std::to_string(setting.max));
	to = number;
	return {};
}

template <class E>
Result<void> read_word(std::optional<E> found, const char *words, std::optional<E> &to)
{
	if (!found)
		return no_value(std::string("not ") + words);
	to = found;
	return {};
}

Result<void> read_value(const Setting &, std::string_view text, std::optional<CopyMode> &to)
{
	return read_word(copy_mode_from(text), "dual or background", to);
}

Result<void> read_value(const Setting &, std::string_view text, std::optional<Policy> &to)
{
	return read_word(policy_from(text), "report, ignore, stop or enospc", to);
}

std::string text_of(uint32_t number)
{
	return std::to_string(number);
}

template <class E> std::string text_of(E value)
{
	return std::string(word(value));
}

template <class T> T standard_of(const Setting &setting, Member<T>)
{
	return static_cast<T>(setting.standard);
}

} // namespace

bool is_setting(std::string_view key)
{
	return find_setting(key) != nullptr;
}

Result<void> set(Params &params, std::string_view key, std::string_view value)
{
	const auto *const setting = find_setting(key);
	if (!setting)
		return no_value("unknown key");

	return std::visit([&](auto member) { return read_value(*setting, value, params.*member); },
			  setting->member);
}

std::string value_of(const Params &params, std::string_view key)
{
	const auto *const setting = find_setting(key);
	if (!setting)
		return {};

	return std::visit(
		[&](auto member) {
			return text_of((params.*member).value_or(standard_of(*setting, member)));
		},
		setting->member);
}

std::vector<std::pair<std::string_view, std::string>> given(const Params &params)
{
	std::vector<std::pair<std::string_view, std::string>> found;

	for (const auto &setting : settings)
		std::visit(
			[&](auto member) {
				if (params.*member)
					found.emplace_back(setting.key, text_of(*(params.*member)));
			},
			setting.member);
	return found;
}

Params told(const Params &params)
{
	auto kept = params;

	kept.segment_mib.reset();
	for (const auto &setting : settings)
		std::visit(
			[&](auto member) {
				if (kept.*member == standard_of(setting, member))
					(kept.*member).reset();
			},
			setting.member);
	return kept;
}

} // namespace blkctl::table
