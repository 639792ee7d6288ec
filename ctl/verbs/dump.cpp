// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/files.hpp"
#include "base/paths.hpp"
#include "cli/common.hpp"
#include "cli/metadata.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include <filesystem>

namespace blkctl::cli::verb_dump
{

namespace
{

// What is dumped would be gone, and so would be what any other device shows.
void check_output(udev::Probe &probe, const std::string &meta, const std::string &path)
{
	const auto devno = probe.resolve(meta);
	bool is_meta = is_same_file(meta, path);

	for (const auto &loop : probe.loops())
		is_meta |= devno && loop.devno == *devno && is_same_file(loop.file, path);
	if (is_meta)
		bad_usage("--output \"" + path + "\": that is the metadata itself");
	// A device it would refuse anyway.
	if (std::error_code none; std::filesystem::is_regular_file(path, none))
		take(volume::check_unused(probe, "dump", std::filesystem::absolute(path)));
}

Status run(const Arguments &args)
{
	auto host = open_offline();
	auto path = args.value("output");
	if (!path) {
		take(volume::dump(host.offline(), args.at(0),
				  [](std::string_view text) -> Result<void> {
					  print_all(text);
					  return {};
				  }));
		say("");
		return Status::ok;
	}
	check_output(*host.probe, args.at(0), *path);
	auto file = take(Replacement::open(*path));
	take(volume::dump(host.offline(), args.at(0),
			  [&](std::string_view text) { return file.add(text); }));
	take(file.add("\n"));
	take(file.finish());
	return Status::ok;
}

const Register entry{Verb{
	.name = "dump",
	.group = Group::metadata,
	.rank = 3,
	.summary = "print what is on a metadata device, as JSON",
	.description =
		{"Prints one object: the superblock by name, the runs of blocks that are in the "
		 "same place, the marked segments. blkctl-restore(8) makes metadata of it again. "
		 "Blocks whose place is not known any more are \"unreadable\".",
		 "Of mode track it has the bitmaps, each with the runs of granules that have "
		 "changed. Bits that cannot be read count as changed; a bitmap whose name cannot "
		 "be "
		 "read is not in it: see blkctl-check(8).",
		 "What is dumped while META is in use is no state that ever was."},
	.positionals = {meta_positional()},
	.options = {{.name = "output",
		     .letter = 'o',
		     .value = "FILE",
		     .help = "write it there instead: a file is replaced once all of it is "
			     "written, a pipe or another thing that is no file is written to"}},
	.examples = {{"blkctl dump /dev/vdm -o data.json", "Keeps a copy of it."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_dump
