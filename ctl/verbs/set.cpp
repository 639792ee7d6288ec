// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/copy_options.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace blkctl::cli::verb_set
{

namespace
{

Status run(const Arguments &args)
{
	volume::Settings settings;
	for (const std::string &word : args.rest(1)) {
		auto setting = read_setting(word);
		for (const auto &[key, value] : settings)
			if (key == setting.first)
				bad_usage(fmt::format("\"{}\": that was given before", word));
		settings.push_back(std::move(setting));
	}
	auto host = take(volume::Host::open());
	auto outcome = take(volume::set(host.context(), args.at(0), settings, run_of(args)));
	report_outcome(args, outcome, fmt::format("set {}", fmt::join(args.rest(1), ", ")));
	return Status::ok;
}

constexpr const char *about_policies =
	"on-base-error=POLICY and on-top-error=POLICY, of: report ignore stop enospc. Of a "
	"snapshot only the latter: with stop and enospc a write that the store has no room for "
	"waits for up to a minute, and blkctl-resume(8) has it tried at once.";

constexpr const char *about_views =
	"Of a volume that has a view, or a backup: inflight=, also how much old data may be in "
	"memory "
	"on its way to the store, and on-top-error= with report, stop or enospc, see "
	"--on-store-error of blkctl-view(8); rate= and run= are of its --fill; the others "
	"are refused.";

const Register entry{Verb{
	.name = "set",
	.group = Group::copy,
	.rank = 6,
	.summary = "change a copy while it runs",
	.description =
		{"Takes one or more of these; if one of them is wrong, none is changed:",
		 "rate=RATE: data copied a second at most, as for copy --rate; none: no limit.",
		 "mode=dual or mode=background: where writes go; see blkctl-copy(8).",
		 "inflight=SIZE: data being copied at once at most.",
		 "run=SIZE: data copied in one piece at most.", about_policies, about_views},
	.positionals = {volume_positional(),
			{.name = "KEY=VALUE",
			 .help = "what to change",
			 .repeated = true,
			 .words = {"rate=", "mode=dual", "mode=background",
				   "inflight=", "run=", "on-base-error=", "on-top-error="}}},
	.options = {dry_run_option(), json_option()},
	.examples = {{"blkctl set data rate=20M", "No more than 20 MiB a second from now on."},
		     {"blkctl set data rate=none mode=dual", "Two things at once."},
		     {"blkctl set data on-top-error=stop",
		      "Of a view: it holds when its store fails."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_set
