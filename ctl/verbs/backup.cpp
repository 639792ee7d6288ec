// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/backup.hpp"
#include "base/size.hpp"
#include "cli/common.hpp"
#include "cli/interrupt.hpp"
#include "cli/pace.hpp"
#include "cli/refusal.hpp"
#include "cli/showing.hpp"
#include "cli/terminal.hpp"
#include <boost/json.hpp>
#include <fmt/format.h>

namespace blkctl::cli::verb_backup
{

namespace
{

constexpr uint64_t kib = 1024;

// NAME TARGET, or NAME=TARGET of each of several.
std::vector<std::pair<std::string, std::string>> pairs_of(const Arguments &args)
{
	std::vector<std::pair<std::string, std::string>> pairs;

	if (args.count() == 2 && args.at(0).find('=') == std::string::npos)
		return {{args.at(0), args.at(1)}};
	for (const auto &word : args.rest(0)) {
		const auto equals = word.find('=');
		if (equals == std::string::npos || equals == 0 || equals + 1 == word.size())
			bad_usage(fmt::format("\"{}\" is not NAME=TARGET; one volume alone is: "
					      "blkctl backup NAME TARGET",
					      word));
		pairs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
	}
	return pairs;
}

transport::Format format_of(const Arguments &args, const std::string &target)
{
	const auto text = args.value("format");
	if (!text)
		return transport::format_by_name(target);
	return *text == "qcow2" ? transport::Format::qcow2 : transport::Format::raw;
}

std::vector<job::BackupRequest> requests_of(const Arguments &args)
{
	const auto pairs = pairs_of(args);
	std::vector<job::BackupRequest> requests;

	for (const char *option : {"store", "backing"})
		if (pairs.size() > 1 && args.value(option))
			bad_usage(fmt::format("--{} goes with one volume", option));
	for (const auto &[name, target] : pairs) {
		job::BackupRequest request;
		request.name = name;
		request.target = target;
		request.format = format_of(args, target);
		request.backing = args.value("backing").value_or("");
		request.bitmap = args.value("bitmap").value_or("");
		request.full = args.flag("full");
		if (auto mode = args.value("bitmap-mode"))
			request.bitmap_mode = *job::bitmap_mode_from(*mode);
		request.store = args.value("store").value_or("");
		request.whole_view = args.flag("whole-view");
		request.on_store_error = store_error_of(args);
		request.fill = args.flag("fill");
		request.no_freeze = args.flag("no-freeze");
		request.force = args.flag("force");
		request.verify = args.flag("verify");
		if (auto text = args.value("rate"))
			request.bytes_per_second =
				take_value("rate", *text, parse_rate_kib(*text)) * kib;
		requests.push_back(std::move(request));
	}
	return requests;
}

void print_json(const job::BackupResult &result, bool dry)
{
	boost::json::array steps, volumes;

	for (const auto &step : result.steps)
		steps.push_back(boost::json::string(step));
	for (const auto &done : result.volumes)
		volumes.push_back({{"name", done.name},
				   {"target", done.target},
				   {"full", done.full},
				   {"resumed", done.resumed},
				   {"bytes", done.bytes},
				   {"data_bytes", done.data},
				   {"zero_bytes", done.zeros},
				   {"note", done.note}});
	boost::json::object object{{"schema", 1},
				   {"event", "done"},
				   {"verb", "backup"},
				   {"dry_run", dry},
				   {"volumes", std::move(volumes)},
				   {"steps", std::move(steps)}};
	if (result.stall_ms)
		object["stall_ms"] = *result.stall_ms;
	if (result.freeze_ms)
		object["freeze_ms"] = *result.freeze_ms;
	(dry ? say : tell)(boost::json::serialize(object));
}

void print_text(const job::BackupResult &result, bool dry)
{
	size_t number = 0;

	if (dry) {
		say("would be done, in this order; nothing was changed:");
		for (const auto &step : result.steps)
			say(fmt::format("{:3}. {}", ++number, step));
		return;
	}
	for (const auto &done : result.volumes)
		tell(fmt::format(
			"{}: {} backup in {}: {} looked at, {} written{}{}", done.name,
			done.full ? "full" : "incremental", done.target, format_size(done.bytes),
			format_size(done.data),
			done.resumed ? " by this call, which went on with one that was "
				       "interrupted"
				     : "",
			result.stall_ms ? fmt::format("; writers waited for the instant at most {}",
						      stall_text(*result.stall_ms))
					: ""));
}

Status run(const Arguments &args)
{
	const auto requests = requests_of(args);
	auto host = take(volume::Host::open());
	Showing showing(args);
	std::optional<Interrupt> interrupt;
	job::BackupOptions options;

	options.interval = showing.interval();
	options.on_progress = [&](const job::BackupRequest &request, job::BackupStage stage,
				  const job::Job &job, const job::Meter &meter) {
		showing.show(request.name,
			     stage == job::BackupStage::copying ? "copying" : "verifying", job,
			     meter);
	};
	options.on_note = [&](const std::string &name, const std::string &note) {
		showing.clear();
		complain("blkctl: " + name + ": " + note);
	};
	interrupt.emplace();
	options.cancelled = [&] { return interrupt->came() || showing.over(); };
	auto result = job::backup(host.context(), requests, options, run_of(args));
	interrupt.reset();
	showing.clear();
	const auto done = take(std::move(result));
	if (args.flag("json"))
		print_json(done, args.flag("dry-run"));
	else
		print_text(done, args.flag("dry-run"));
	return Status::ok;
}

const Register entry{Verb{
	.name = "backup",
	.group = Group::snapshots,
	.rank = 5,
	.summary = "copy what is on a volume now, or what has changed",
	.description =
		{"TARGET becomes what the volume holds at the instant this begins, while it goes "
		 "on being written to: a device, or the full path of a file, raw or, with "
		 "--format or a name that ends so, qcow2. The filesystem on the volume is frozen "
		 "for the instant. Zeroes become holes where there can be some. Until it is done "
		 "the volume has a view, see blkctl-view(8): old data goes to STORE, by default a "
		 "sparse file in /var/lib/blkctl. If STORE fails or is full the backup fails, and "
		 "the volume never notices; --on-store-error says otherwise, as of a view.",
		 "With --bitmap only what has changed is copied, see blkctl-bitmap(8): the bitmap "
		 "is frozen at the same instant. A raw TARGET is the backup before, and is brought "
		 "up to date; a qcow2 is a new file over the one named with --backing. When the "
		 "backup has succeeded the bitmap has what has changed since; when it has failed "
		 "nothing is lost from it; --bitmap-mode never keeps its bits all the same, always "
		 "forgets them, and the next backup with it is a full one. A bitmap that may have "
		 "missed writes makes a full backup, and this "
		 "is said. So does one that was added, cleared or disabled since the last backup "
		 "made with it, or that is in memory and of another boot: of no backup it is known "
		 "that it goes on from that. And so does an incremental into or over another image "
		 "than the last one that was made with the bitmap (or, with bits that were kept, "
		 "one since): an older one, a copy, or one that has been written to since; of a "
		 "device that is seen if blkctl has used it, or in its first or last 64 KiB. A "
		 "file "
		 "may be renamed. The note of which it is is in /var/lib/blkctl. Without --force "
		 "such a full one overwrites nothing but an image that was made with the bitmap; "
		 "what a backup left that was killed and given up is none. What a qcow2 is over "
		 "must stay as it was: IMAGE.over beside it has the size and time of that, and it "
		 "is not taken any more once that has been written to. The first backup of a "
		 "chain is a full one: with "
		 "--full and the bitmap. A file behind a loop device, or that a volume of "
		 "blkctltab(5) is made of, is never a TARGET.",
		 "The copying is done by this process. Ctrl-C, a kill or --timeout interrupts it: "
		 "the same "
		 "command, run again, goes on with it as of the same instant; blkctl-abort(8) "
		 "gives "
		 "it up. So does a reboot. What has appeared at the name of a new file by the "
		 "time that is whole stays, without --force: the same command again, with that out "
		 "of the way, has only to name it. Several volumes are backed up as of one "
		 "instant, one "
		 "after the other; if one fails all keep their bits.",
		 "blkctl-restore(8) puts a backup on a device."},
	.positionals = {{.name = "NAME",
			 .help = "the volume; or NAME=TARGET, of each of several",
			 .offer = Offer::volume},
			{.name = "TARGET",
			 .help = "the device or file it is copied to",
			 .offer = Offer::block_device,
			 .optional = true,
			 .repeated = true}},
	.options =
		{{.name = "bitmap",
		  .value = "BITMAP",
		  .help = "copy what has changed only, as this bitmap of the volume says"},
		 {.name = "bitmap-mode",
		  .value = "MODE",
		  .help = "when its bits are forgotten: on-success if not given",
		  .words = {"on-success", "never", "always"}},
		 {.name = "full",
		  .value = "",
		  .help = "copy all, as without --bitmap; with it the bitmap begins anew"},
		 {.name = "format",
		  .value = "FORMAT",
		  .help = "raw or qcow2; by the name of TARGET if not given",
		  .words = {"raw", "qcow2"}},
		 {.name = "backing",
		  .value = "FILE",
		  .help = "of an incremental qcow2: the backup before it",
		  .words = {},
		  .offer = Offer::block_device},
		 {.name = "store",
		  .value = "STORE",
		  .help = "where old data goes meanwhile: a device, or a file that is made"},
		 {.name = "whole-view",
		  .value = "",
		  .help = "all of the volume can be read on NAME-backup meanwhile, not just what "
			  "is copied; the store has to keep more"},
		 store_error_option(),
		 fill_option(),
		 {.name = "rate", .value = "RATE", .help = "no faster than that, such as 50M"},
		 {.name = "verify", .value = "", .help = "read it back and compare"},
		 no_freeze_option(),
		 {.name = "force",
		  .value = "",
		  .help = "overwrite a TARGET, or a STORE, that holds something"},
		 end_option("the same command goes on"),
		 wait_anyway_option(),
		 interval_option(),
		 dry_run_option(),
		 json_option()},
	.rules = {{.options = {"bitmap-mode"}, .needs = {"bitmap"}},
		  {.options = {"whole-view"},
		   .needs = {"bitmap"},
		   .why = "without, all of it can be read anyway"}},
	.examples = {{"blkctl backup data /backup/data.img --verify", "All of it, into a file."},
		     {"blkctl backup data /backup/0.qcow2 --bitmap nightly --full",
		      "The first one of a chain; the bitmap is there already;"},
		     {"blkctl backup data /backup/1.qcow2 --bitmap nightly --backing "
		      "/backup/0.qcow2",
		      "and the next."},
		     {"blkctl backup data /backup/data.img --on-store-error enospc",
		      "If /var/lib/blkctl is full: make room, then blkctl resume data, within a "
		      "minute."},
		     {"blkctl backup data /nfs/data.img --store /dev/vdc --fill --rate 10M",
		      "What a slow TARGET still needs is read from /dev/vdc before long."},
		     {"blkctl backup db=/backup/db.img log=/backup/log.img",
		      "A database and its log, as of one instant."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_backup
