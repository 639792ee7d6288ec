// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common.hpp"
#include "cli/refusal.hpp"
#include <fmt/format.h>

namespace blkctl::cli::verb_view
{

namespace
{

// NAME VIEW --store STORE; or NAME=VIEW=STORE, of each of several.
std::vector<volume::ViewRequest> requests_of(const Arguments &args)
{
	const auto store = args.value("store");
	std::vector<volume::ViewRequest> requests;
	volume::ViewRequest request;

	request.bitmap = args.value("bitmap").value_or("");
	request.only_changed = args.flag("only-changed");
	request.discards = args.flag("discards");
	request.persistent = args.flag("persistent");
	request.metadata = args.value("metadata").value_or("");
	request.on_store_error = store_error_of(args);
	request.fill = args.flag("fill");
	request.no_freeze = args.flag("no-freeze");
	request.force = args.flag("force");
	if (args.at(0).find('=') == std::string::npos) {
		if (args.count() != 2)
			bad_usage("it is: blkctl view NAME VIEW --store STORE, or NAME=VIEW=STORE "
				  "of each of several");
		if (!store)
			bad_usage("--store is missing: old data has to go somewhere");
		request.name = args.at(0);
		request.view = args.at(1);
		request.store = *store;
		return {request};
	}
	if (store)
		bad_usage("--store goes with NAME VIEW");
	if (!request.metadata.empty())
		bad_usage("--metadata goes with NAME VIEW; of several volumes, --persistent alone");
	for (const auto &word : args.rest(0)) {
		const auto first = word.find('=');
		const auto second = first == std::string::npos ? first : word.find('=', first + 1);
		if (second == std::string::npos || first == 0 || second + 1 == word.size())
			bad_usage(fmt::format("\"{}\" is not NAME=VIEW=STORE", word));
		request.name = word.substr(0, first);
		request.view = word.substr(first + 1, second - first - 1);
		request.store = word.substr(second + 1);
		requests.push_back(request);
	}
	return requests;
}

Status run(const Arguments &args)
{
	const auto requests = requests_of(args);
	auto host = take(volume::Host::open());
	const auto outcome = take(volume::view_all(host.context(), requests, run_of(args)));
	const auto stall = outcome.stall_ms ? fmt::format(" (it took {:.1f} ms)", *outcome.stall_ms)
					    : std::string();
	std::string names;
	for (const auto &request : requests)
		names += (names.empty() ? "" : ", ") + ("/dev/mapper/" + request.view);
	report_outcome(
		args, outcome,
		fmt::format("{} {} what {} held at that instant{}{}; next, when "
			    "it has been read: blkctl remove {}",
			    names, requests.size() > 1 ? "hold" : "holds", outcome.name, stall,
			    args.flag("fill") ? ", and the rest is on its way to the store" : "",
			    requests.front().view));
	return Status::ok;
}

constexpr const char *about_store =
	"With --on-store-error stop a STORE that fails does not break the view at once, nor with "
	"enospc one that is full: what it has not taken stays in memory, until blkctl-resume(8) of "
	"the volume, once STORE is well, has it written again. The volume goes on meanwhile; when "
	"there is no more room (inflight= of blkctl-set(8)) first writes wait. A minute after the "
	"first error the view breaks all the same. blkctl-list(8) and blkctl-events(8) tell of it "
	"as "
	"needs-attention. With --fill the rest of the volume goes to STORE in the background, so "
	"that a slow reader of the view leaves the volume's own device alone; "
	"blkctl-pause(8) holds that, rate= of blkctl-set(8) slows it down, and the same command "
	"again, with --fill, has it begin on a view that is there.";

constexpr const char *about_lasting =
	"blkctl-remove(8) of VIEW ends it and frees STORE. blkctl-abort(8) of the volume "
	"does so while somebody still reads the view, who gets errors then. What is where "
	"is in memory alone: after a boot the view is gone and the volume as it is "
	"without one. "
	"With --persistent it outlives a crash or a boot: what is kept is written down, "
	"in the state folder or on --metadata, before the write that made it necessary "
	"goes; so a first write to a part waits for STORE and for that. It is written in "
	"blkctltab(5) that the volume comes back with it; the same command again then "
	"brings VIEW back. Where neither can be written, nor that the view is broken, "
	"first writes get I/O errors. "
	"--metadata alone is as fast as without, and lasts "
	"over blkctl-deactivate(8), but not over a crash: the view is broken then, and "
	"says so. Both are for volumes made by blkctl-create(8), and for attached LVs.";

constexpr const char *about_changed =
	"For an incremental backup by other tools, --bitmap freezes a bitmap at the same "
	"instant: what blkctl-bitmap(8) dumps then is what has to be read from the view. Then "
	"clear it, or thaw it if that has failed. With --only-changed the rest is not kept, "
	"and cannot be read; with --discards what has been read may be discarded on the view "
	"(blkdiscard(8), with --force), and cannot be read again: STORE needs room then for "
	"what is left to read. A write to the view fails either way. The view has none of the "
	"links by label or UUID in /dev/disk: those go on meaning the volume. Mount it with "
	"options like ro,norecovery.";

constexpr const char *about_instant =
	"Makes /dev/mapper/VIEW, which reads as the volume does at this instant, for as "
	"long as it is there, while the volume goes on being written to. Any tool can "
	"back it up. The filesystem on the volume is frozen for the instant, so that it "
	"is found whole.";

const Register entry{Verb{
	.name = "view",
	.group = Group::snapshots,
	.rank = 4,
	.summary = "a read-only device that keeps what is on a volume now",
	.description =
		{about_instant,
		 "Before a part of the volume is written to for the first time, what it held is "
		 "read into memory, and goes from there to STORE: a device at least as large as "
		 "the volume, or the full path of a file, made sparse if it is not there. The "
		 "writer waits for the reading alone. If STORE fails or is full the view breaks, "
		 "and reads of it fail from then on; the volume never notices.",
		 about_store, about_lasting, about_changed},
	.positionals = {{.name = "NAME",
			 .help = "the volume; or NAME=VIEW=STORE, of each of several",
			 .offer = Offer::volume},
			{.name = "VIEW",
			 .help = "what the view is called in /dev/mapper",
			 .optional = true,
			 .repeated = true}},
	.options =
		{{.name = "store", .value = "STORE", .help = "where old data goes; must be given"},
		 {.name = "bitmap",
		  .value = "BITMAP",
		  .help = "freeze this bitmap at the same instant: it has what has changed by "
			  "then, see blkctl-bitmap(8)"},
		 {.name = "only-changed", .value = "", .help = "keep only what is in the bitmap"},
		 {.name = "discards",
		  .value = "",
		  .help = "what is discarded on the view is not kept any more"},
		 {.name = "persistent", .value = "", .help = "it outlives a crash, and a boot"},
		 {.name = "metadata",
		  .value = "META",
		  .help = "where what is kept is written down: a device, or the full path of a "
			  "file; a file in the state folder if not given"},
		 store_error_option(),
		 fill_option(),
		 no_freeze_option(),
		 force_store_option(),
		 dry_run_option(),
		 json_option()},
	.rules = {{.options = {"only-changed"}, .needs = {"bitmap"}}},
	.examples =
		{{"blkctl view data data-now --store /dev/vdc",
		  "Then, for example: dd if=/dev/mapper/data-now of=/backup/data.img bs=1M "
		  "iflag=direct; and blkctl remove data-now."},
		 {"blkctl view data data-now --store /var/tmp/data.store",
		  "The same with a sparse file."},
		 {"blkctl view data data-now --store /dev/vdc --persistent",
		  "After a crash: blkctl activate data, if it is not there; then this again."},
		 {"blkctl view data data-now --store /var/tmp/data.store --on-store-error enospc",
		  "If that is full: make room, then blkctl resume data, within a minute."},
		 {"blkctl view data data-now --store /dev/vdc --fill",
		  "All of it ends up on /dev/vdc; how far it is: blkctl show data."},
		 {"blkctl view db=db-now=/dev/vdc log=log-now=/dev/vdd",
		  "Of a database and its log, at one instant."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_view
