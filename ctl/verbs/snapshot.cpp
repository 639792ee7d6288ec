// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_snapshot
{

namespace
{

volume::SnapshotRequest request_of(const Arguments &args, const std::string &word)
{
	const auto equals = word.find('=');
	if (equals == std::string::npos || equals == 0 || equals + 1 == word.size())
		bad_usage(fmt::format("\"{}\" is not NAME=STORE", word));
	volume::SnapshotRequest request;
	request.name = word.substr(0, equals);
	request.store = word.substr(equals + 1);
	request.metadata = args.value("metadata").value_or("");
	request.no_freeze = args.flag("no-freeze");
	request.waits_for_space = waits_for_space(args);
	request.force = args.flag("force");
	request.boot = !args.flag("no-boot");
	return request;
}

std::string said(const volume::Outcome &outcome,
		 const std::vector<volume::SnapshotRequest> &requests)
{
	std::string stall;

	if (outcome.stall_ms)
		stall = fmt::format(" (it took {:.1f} ms)", *outcome.stall_ms);
	if (outcome.freeze_ms)
		stall = fmt::format(" (it took {:.1f} ms, filesystems were frozen for {:.1f} ms)",
				    outcome.stall_ms.value_or(0), *outcome.freeze_ms);
	if (requests.size() > 1)
		return fmt::format("snapshots taken at one instant{}; next, of each: blkctl "
				   "commit, or blkctl stream",
				   stall);
	return fmt::format("snapshot taken{}; writes go to {} from now on; next: blkctl commit {}, "
			   "or blkctl stream {}",
			   stall, requests.front().store, outcome.name, outcome.name);
}

Status run(const Arguments &args)
{
	std::vector<volume::SnapshotRequest> requests;

	for (const auto &word : args.rest(0))
		requests.push_back(request_of(args, word));
	if (requests.size() > 1 && args.value("metadata"))
		bad_usage("--metadata goes with one volume: each has metadata of its own");
	auto host = take(volume::Host::open());
	auto outcome = take(volume::snapshot_all(host.context(), requests, run_of(args)));
	report_outcome(args, outcome, said(outcome, requests));
	return Status::ok;
}

const Register entry{Verb{
	.name = "snapshot",
	.group = Group::snapshots,
	.rank = 1,
	.summary = "freeze what is on a volume, and keep writing elsewhere",
	.description =
		{"From one instant on all writes to the volume go to STORE. Its device stays as it "
		 "was at that instant, and can be read and copied. The filesystem on the volume is "
		 "frozen for that instant, so that it is found whole there.",
		 "STORE is a device at least as large as the volume, or the full path of a file: "
		 "one "
		 "that is not there is made, sparse. What is where is remembered in a file in "
		 "/var/lib/blkctl, or on the device given with --metadata, and the volume is "
		 "written "
		 "down in /etc/blkctltab, so that it comes back at boot. A file must not be on the "
		 "volume itself, nor on one that is frozen with it, and for a volume that the "
		 "system boots from it has to be a device. When STORE is full a write to it is "
		 "refused, and nothing else changes. "
		 "With --when-full wait it waits for up to a minute, is tried again every second, "
		 "and goes on when STORE has grown; blkctl-events(8) tells. blkctl-set(8) changes "
		 "it.",
		 "Several volumes are frozen at one instant, all of them or none; the filesystems "
		 "on "
		 "them are frozen before, so that one that spans them is whole too. For how long "
		 "is said at the end. A blkctl that is killed in there leaves nothing frozen.",
		 "A volume that has a snapshot can have another: its store is frozen too, and the "
		 "new "
		 "one is a layer on top of it, up to 8; blkctl-show(8) prints them. "
		 "blkctl-commit(8) ends a snapshot and keeps what was written; blkctl-stream(8) "
		 "leaves "
		 "the old device for the store."},
	.positionals = {{.name = "NAME=STORE",
			 .help = "the volume, and where its writes go",
			 .repeated = true}},
	.options = {metadata_option(), no_freeze_option(), when_full_option(), force_store_option(),
		    no_boot_option(), dry_run_option(), json_option()},
	.examples = {{"blkctl snapshot data=/dev/vdc", "Keeps /dev/vdb as it is now."},
		     {"blkctl snapshot data=/var/tmp/data.store", "The same with a sparse file."},
		     {"blkctl snapshot data=/dev/vdc log=/dev/vdd",
		      "A database and its log, at one instant."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_snapshot
