// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/metadata.hpp"
#include "meta/contents.hpp"
#include "meta/format.hpp"
#include "meta/layout.hpp"
#include "volume/use.hpp"
#include "volume/uuid.hpp"
#include <algorithm>
#include <filesystem>
#include <sys/stat.h>

namespace blkctl::volume
{

namespace
{

Result<void> check_free(Context &context, const std::string &verb, const udev::BlockDevice &block,
			const std::optional<DevNo> &own)
{
	BLKCTL_TRY(const auto use, foreign_use(context, block.devno, own));

	if (use)
		return refusal(Status::busy, verb, block.path,
			       udev::describe(*use, device_path(context, use->device)));
	return {};
}

// As a killed command leaves it: no kernel has ever opened it, or what it was for is over.
bool is_unused(meta::Device &device)
{
	const auto super = meta::read_superblock(device);

	if (super)
		return super->generation <= BLKCOPY_META_FIRST_GENERATION ||
		       super->phase == meta::Phase::merged ||
		       super->phase == meta::Phase::streamed || super->phase == meta::Phase::broken;
	return super.error().status == Status::not_found &&
	       meta::check_blank(device, meta::Overwrite::no);
}

// Whether a table of some dm device names it. Whoever only looks at it, as we do, is no such thing.
bool is_below_any(Context &context, DevNo device)
{
	const auto listed = context.dm.list();

	if (!listed)
		return true;
	return std::any_of(listed->begin(), listed->end(), [&](const auto &each) {
		const auto deps = context.dm.deps(each.devno);
		return deps && std::find(deps->begin(), deps->end(), device) != deps->end();
	});
}

/*
 * A snapshot that was killed in its rehearsal leaves metadata that a kernel has opened: it is of
 * this very volume, nobody holds it, and it says that all is where it was.
 */
bool is_rehearsed(Context &context, meta::Device &device, const std::string &path,
		  const meta::Uuid &owner)
{
	const auto loops = context.probe.loops();
	const auto loop = std::find_if(loops.begin(), loops.end(),
				       [&](const auto &each) { return each.file == path; });
	const auto devno =
		loop == loops.end() ? context.probe.resolve(path) : Result<DevNo>(loop->devno);

	if (devno && is_below_any(context, *devno))
		return false;
	const auto found = meta::read_contents(device);
	if (!found || found->super.uuid != owner || !found->super.clean ||
	    found->super.mode != meta::Mode::overlay || !found->is_well())
		return false;
	const auto runs = found->map.runs();
	return std::all_of(runs.begin(), runs.end(),
			   [](const auto &run) { return run.valid == meta::Valid::base; });
}

Result<void> check_file(Change &change, const std::string &path, const struct stat &st,
			uint64_t bytes, const std::optional<meta::Uuid> &owner)
{
	auto &context = change.context();

	if (static_cast<uint64_t>(st.st_size) < bytes)
		return refusal(Status::usage, change.verb(), path,
			       "it is too small: it has " + std::to_string(st.st_size) +
				       " bytes, and " + std::to_string(bytes) + " are needed",
			       "truncate -s " + std::to_string(bytes) + " " + path);
	if (st.st_blocks == 0)
		return {};
	BLKCTL_TRY(const auto device, context.open_meta(path, meta::Access::read));
	if (!is_unused(*device) && !(owner && is_rehearsed(context, *device, path, *owner)))
		return refusal(Status::busy, change.verb(), path, "the file holds something",
			       "rm " + path + ", if nobody needs it");
	return {};
}

} // namespace

std::string default_metadata(const Context &context, const std::string &name)
{
	return context.state_dir + "/" + name + ".meta";
}

void add_loop(Change &change, const Place &place, const std::optional<DevNo> &own)
{
	auto &context = change.context();
	const auto file = place.file;
	const auto devno = place.devno;

	change.add({"set up a loop device for " + file,
		    [&context, file, devno, own]() -> Result<void> {
			    BLKCTL_TRY(*devno, context.loops.attach(file));
			    const auto block = context.probe.describe(*devno);
			    return block ? check_free(context, "set up", *block, own)
					 : Result<void>();
		    },
		    [&context, devno] { return context.loops.detach(*devno); }});
}

Result<Place> find_place(Context &context, const std::string &text)
{
	constexpr std::string_view kinds[] = {"id:", "partuuid:", "dm:", "name:"};
	const bool is_file = text.starts_with("file:");
	const auto path = is_file ? text.substr(5) : text;
	struct stat st;
	Place place;

	for (const auto &kind : kinds)
		if (text.starts_with(kind)) {
			BLKCTL_TRY(*place.devno, context.probe.find_identity(text));
			place.text = place.devno->str();
			BLKCTL_TRY(place.block, context.probe.describe(*place.devno));
			return place;
		}
	for (const auto &loop : context.probe.loops())
		if (loop.file == path) {
			place.file = path;
			*place.devno = loop.devno;
			place.text = place.devno->str();
			BLKCTL_TRY(place.block, context.probe.describe(loop.devno));
			return place;
		}
	if (path.starts_with('/') && stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode)) {
		place.file = path;
		place.text = "(the loop device of " + path + ")";
		return place;
	}
	BLKCTL_TRY(*place.devno, context.probe.resolve(path));
	place.text = place.devno->str();
	BLKCTL_TRY(place.block, context.probe.describe(*place.devno));
	return place;
}

Result<Place> add_place(Change &change, const std::string &text, uint64_t bytes,
			const std::optional<DevNo> &own, const std::optional<meta::Uuid> &owner)
{
	auto &context = change.context();
	const auto devno = context.probe.resolve(text);
	Place place;
	struct stat st;

	if (devno) {
		*place.devno = *devno;
		place.text = devno->str();
		BLKCTL_TRY(place.block, context.probe.describe(*devno));
		return place;
	}
	// The file behind a device that somebody else has set up is that device: it may be a leg.
	for (const auto &loop : context.probe.loops())
		if (std::error_code ignored;
		    !context.loops.is_ours(loop.devno) &&
		    std::filesystem::equivalent(loop.file, text, ignored)) {
			*place.devno = loop.devno;
			place.text = loop.devno.str();
			place.file = text;
			BLKCTL_TRY(place.block, context.probe.describe(loop.devno));
			return place;
		}
	const bool there = stat(text.c_str(), &st) == 0;
	if (!text.starts_with('/') || text.starts_with("/dev/") || (there && !S_ISREG(st.st_mode)))
		return devno.error();
	place.file = text;
	place.text = "(the loop device of " + text + ")";
	if (there) {
		BLKCTL_CHECK(check_file(change, text, st, bytes, owner));
	} else {
		place.is_new = true;
		change.add(
			{"make the sparse file " + text + " of " + std::to_string(bytes) + " bytes",
			 [&context, text, bytes] { return context.loops.make(text, bytes); },
			 [&context, text] { return context.loops.unmake(text); }});
	}
	add_loop(change, place, own);
	return place;
}

Result<meta::Superblock> new_super(const Volume &volume, meta::Mode mode)
{
	meta::Superblock super;

	BLKCTL_TRY(super.uuid, meta::parse_uuid(volume_hex(volume.info.uuid, volume.name())));
	super.name = volume.name();
	super.geometry = {.sectors = volume.sectors, .block_sectors = volume.table.block_sectors};
	super.mode = mode;
	super.phase = meta::first_phase(mode);
	return super;
}

Result<Place> add_metadata(Change &change, const std::string &text, const meta::Superblock &super,
			   const std::optional<DevNo> &own, const std::vector<DevNo> &legs,
			   const Complete &complete)
{
	auto &context = change.context();
	const auto wanted = text.empty() ? default_metadata(context, super.name) : text;
	BLKCTL_TRY(const auto layout, meta::layout_of(super.geometry));
	BLKCTL_TRY(auto place, add_place(change, wanted, layout.bytes(), own, super.uuid));

	if (place.block) {
		const auto taken = below(context, legs);
		if (std::find(taken.begin(), taken.end(), place.block->devno) != taken.end())
			return refusal(Status::usage, change.verb(), super.name,
				       place.block->path +
					       " cannot hold the metadata: the volume is on it");
		BLKCTL_CHECK(check_free(context, change.verb(), *place.block, own));
		BLKCTL_TRY(const auto signature, context.probe.signature(place.block->devno));
		if (signature)
			return refusal(Status::busy, change.verb(), place.block->path,
				       "it carries a signature: " + signature->type,
				       "wipefs " + place.block->path + " to look");
		BLKCTL_TRY(const auto device,
			   context.open_meta(place.block->path, meta::Access::read));
		BLKCTL_CHECK(meta::check_room(*device, super.geometry));
		if (!is_unused(*device) &&
		    !is_rehearsed(context, *device, place.block->path, super.uuid))
			BLKCTL_CHECK(meta::check_blank(*device, meta::Overwrite::no));
	}
	change.add({"format " + wanted + ": " + std::to_string(layout.bytes()) +
			    " bytes of metadata, with the UUID " + meta::hex(super.uuid),
		    [&context, place, super, complete]() -> Result<void> {
			    BLKCTL_TRY(const auto whole, complete(super));
			    const auto path = device_path(context, *place.devno);
			    BLKCTL_TRY(const auto device,
				       context.open_meta(path, meta::Access::write));
			    // It was looked at before; what a killed command left is overwritten.
			    const bool ours = is_unused(*device) ||
					      is_rehearsed(context, *device, path, super.uuid);
			    return meta::format(*device, whole,
						ours ? meta::Overwrite::force : meta::Overwrite::no,
						place.is_new ? meta::Before::zeroes
							     : meta::Before::anything);
		    },
		    {}});
	return place;
}

std::string file_behind(Context &context, DevNo device)
{
	for (const auto &loop : context.probe.loops())
		if (loop.devno == device)
			return loop.file;
	return {};
}

bool is_named(Context &context, DevNo device, const std::string &text)
{
	const auto devno = context.probe.resolve(text);
	const auto identity = context.probe.identity(device);

	return devno ? *devno == device : identity && *identity == "file:" + text;
}

Result<meta::Superblock> superblock_of(Context &context, const Place &place)
{
	const auto path = place.block ? place.block->path : place.file;
	BLKCTL_TRY(const auto device, context.open_meta(path, meta::Access::read));

	return meta::read_superblock(*device);
}

Result<void> check_not_on(Context &context, const std::string &verb, const Volume &volume,
			  const Place &place)
{
	const auto shown = place.block ? file_behind(context, place.block->devno) : "";
	const auto file = shown.empty() ? place.file : shown;
	struct stat st;

	if (file.empty())
		return {};
	// The folder may be there only once it is made.
	auto folder = std::filesystem::path(file).parent_path();
	while (stat(folder.c_str(), &st) != 0 && folder.has_relative_path())
		folder = folder.parent_path();
	const auto filesystem = DevNo::from(st.st_dev);
	const auto under = below(context, {filesystem});
	if (std::find(under.begin(), under.end(), volume.devno()) == under.end())
		return {};
	return refusal(Status::usage, verb, volume.name(),
		       "the file " + file + " is on the volume itself",
		       "blkctl help " + verb + ", for a device or a file elsewhere");
}

void add_loop_release(Change &change, DevNo device)
{
	auto &context = change.context();

	for (const auto &loop : context.probe.loops())
		if (loop.devno == device && context.loops.is_ours(device))
			change.add({"let go of the loop device of " + loop.file,
				    [&context, device] { return context.loops.detach(device); },
				    {}});
}

void add_unmake(Change &change, const std::string &file)
{
	auto &context = change.context();

	if (file.starts_with(context.state_dir + "/"))
		change.add({"remove " + file,
			    [&context, file] { return context.loops.unmake(file); },
			    {}});
}

} // namespace blkctl::volume
