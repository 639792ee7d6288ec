// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/copy_options.hpp"
#include "base/size.hpp"
#include "cli/refusal.hpp"
#include "uapi/blkcopy.h"
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace blkctl::cli
{

namespace
{

// A size that the kernel takes in KiB, between its limits.
uint32_t kib_value(const std::string &name, const std::string &text, uint32_t least, uint32_t most)
{
	auto bytes = parse_size(text);
	if (!bytes)
		bad_usage(fmt::format("{} \"{}\": {}", name, text, bytes.error().why));
	if (*bytes % 1024 != 0 || *bytes / 1024 < least || *bytes / 1024 > most)
		bad_usage(fmt::format("{} \"{}\": not between {} and {} in whole KiB", name, text,
				      format_size(uint64_t{least} * 1024),
				      format_size(uint64_t{most} * 1024)));
	return static_cast<uint32_t>(*bytes / 1024);
}

uint32_t inflight_value(const std::string &name, const std::string &text)
{
	return kib_value(name, text, BLKCOPY_INFLIGHT_KIB_MIN, BLKCOPY_INFLIGHT_KIB_MAX);
}

uint32_t run_value(const std::string &name, const std::string &text)
{
	return kib_value(name, text, BLKCOPY_RUN_KIB_MIN, BLKCOPY_RUN_KIB_MAX);
}

std::string limits_text(uint32_t least, uint32_t most, uint32_t standard)
{
	return fmt::format("{} to {}; {} if not given", typed_size(uint64_t{least} * 1024),
			   typed_size(uint64_t{most} * 1024),
			   typed_size(uint64_t{standard} * 1024));
}

// Functions: verbs ask for them while statics of other files are being made.
std::vector<std::string> policies()
{
	return {BLKCOPY_POLICY_REPORT, BLKCOPY_POLICY_IGNORE, BLKCOPY_POLICY_STOP,
		BLKCOPY_POLICY_ENOSPC};
}

std::vector<std::string> modes()
{
	return {BLKCOPY_COPY_MODE_DUAL, BLKCOPY_COPY_MODE_BACKGROUND};
}

std::string one_of(const std::vector<std::string> &words, const std::string &name,
		   const std::string &word)
{
	if (std::find(words.begin(), words.end(), word) == words.end())
		bad_usage(fmt::format("{} \"{}\": none of {}", name, word, fmt::join(words, ", ")));
	return word;
}

Option policy_option(const std::string &name, const std::string &help)
{
	return {.name = name, .value = "POLICY", .help = help, .words = policies()};
}

} // namespace

std::vector<Option> copy_options()
{
	return {
		{.name = "mode",
		 .value = "MODE",
		 .help = "where writes go meanwhile: dual (if not given): to both devices; "
			 "background: to the source, and what they touch is copied again",
		 .words = modes()},
		{.name = "rate",
		 .value = "RATE",
		 .help = "copy no more than this a second: 50M, 800k, 1.5G; a bare number is KiB; "
			 "no limit if not given"},
		{.name = "inflight",
		 .value = "SIZE",
		 .help = "copy no more than this at once: " +
			 limits_text(BLKCOPY_INFLIGHT_KIB_MIN, BLKCOPY_INFLIGHT_KIB_MAX,
				     BLKCOPY_INFLIGHT_KIB_DEFAULT)},
		{.name = "run",
		 .value = "SIZE",
		 .help = "copy no more than this in one piece: " +
			 limits_text(BLKCOPY_RUN_KIB_MIN, BLKCOPY_RUN_KIB_MAX,
				     BLKCOPY_RUN_KIB_DEFAULT)},
		policy_option(
			"on-base-error",
			"what a read error on the source does to the copy: report (if not "
			"given) fails it, ignore goes on and comes back, stop holds it, enospc "
			"holds it when space ran out and fails it otherwise"),
		policy_option("on-top-error", "the same for an error on the target; the users of "
					      "the volume never notice one"),
	};
}

table::Params read_copy_options(const Arguments &args)
{
	table::Params params;
	if (auto text = args.value("mode"))
		params.copy_mode = table::copy_mode_from(*text);
	if (auto text = args.value("rate"))
		params.rate_kib = take_value("rate", *text, parse_rate_kib(*text));
	if (auto text = args.value("inflight"))
		params.inflight_kib = inflight_value("--inflight", *text);
	if (auto text = args.value("run"))
		params.run_kib = run_value("--run", *text);
	if (auto text = args.value("on-base-error"))
		params.on_base_error = table::policy_from(*text);
	if (auto text = args.value("on-top-error"))
		params.on_top_error = table::policy_from(*text);
	return params;
}

std::pair<std::string, std::string> read_setting(const std::string &word)
{
	size_t equals = word.find('=');
	if (equals == std::string::npos || equals == 0 || equals + 1 == word.size())
		bad_usage(fmt::format("\"{}\" is no KEY=VALUE", word));
	std::string key = word.substr(0, equals);
	std::string value = word.substr(equals + 1);

	if (key == "rate") {
		auto rate = parse_rate_kib(value);
		if (!rate)
			bad_usage(fmt::format("{} \"{}\": {}", key, value, rate.error().why));
		return {BLKCOPY_PARAM_RATE_KIB, std::to_string(*rate)};
	}
	if (key == "inflight")
		return {BLKCOPY_PARAM_INFLIGHT_KIB, std::to_string(inflight_value(key, value))};
	if (key == "run")
		return {BLKCOPY_PARAM_RUN_KIB, std::to_string(run_value(key, value))};
	if (key == "mode")
		return {BLKCOPY_PARAM_COPY_MODE, one_of(modes(), key, value)};
	if (key == "on-base-error")
		return {BLKCOPY_PARAM_ON_BASE_ERROR, one_of(policies(), key, value)};
	if (key == "on-top-error")
		return {BLKCOPY_PARAM_ON_TOP_ERROR, one_of(policies(), key, value)};
	bad_usage(fmt::format("\"{}\" cannot be set; rate, mode, inflight, run, on-base-error and "
			      "on-top-error can",
			      key));
}

} // namespace blkctl::cli
