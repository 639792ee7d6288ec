// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/merging.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_commit
{

namespace
{

std::optional<unsigned> layer_of(const Arguments &args)
{
	const auto text = args.value("layer");

	if (!text)
		return std::nullopt;
	const auto number = parse_count(*text);
	if (!number)
		bad_usage(fmt::format("--layer \"{}\": not the number of a layer", *text));
	return number;
}

Status run(const Arguments &args)
{
	const auto layer = layer_of(args);
	const auto option = layer ? fmt::format(" --layer {}", *layer) : "";
	const auto operation = [layer](volume::Context &context, const std::string &name,
				       volume::Run run) {
		return volume::commit(context, {.name = name, .layer = layer}, run);
	};

	return run_merge(args, operation, option,
			 layer ? "merged into what was below it"
			       : "merged; all of it is on the base again");
}

const Register entry{Verb{
	.name = "commit",
	.group = Group::snapshots,
	.rank = 2,
	.summary = "merge what was written since a snapshot down into the base",
	.description =
		{"The volume stays in use. When all is merged it is on the base alone, and "
		 "the store "
		 "is free; a metadata file in /var/lib/blkctl is removed.",
		 "From the first merged block until the end the base alone is no image of "
		 "anything: "
		 "neither of the instant of the snapshot nor of now.",
		 "Of a snapshot of a snapshot the top layer is merged into the one below, "
		 "which the volume is then; with --layer one further down is, while the volume "
		 "goes on above it. blkctl-show(8) has the numbers.",
		 "The merge runs in the kernel. What was left with Ctrl-C or --no-wait is "
		 "finished by "
		 "the same command again."},
	.positionals = {volume_positional()},
	.options = join(
		{{{.name = "layer",
		   .value = "N",
		   .help = "merge this layer into the one below it; the top one if not given"}},
		 merge_options()}),
	.rules = merge_rules(),
	.examples = {{"blkctl commit data", "Ends the snapshot and keeps what was written."},
		     {"blkctl commit data --layer 2", "Takes a layer out of the middle."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_commit
