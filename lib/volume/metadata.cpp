// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/metadata.hpp"
#include "base/paths.hpp"
#include "meta/contents.hpp"
#include "meta/format.hpp"
#include "meta/layout.hpp"
#include "udev/identity.hpp"
#include "volume/content.hpp"
#include "volume/image_note.hpp"
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

/*
 * As a killed command leaves it: no kernel has ever opened it, or what it was for is over. Of a
 * stream or mirror that is over it alone may know which leg has the data: then it is taken by its
 * own volume only.
 */
bool is_unused(meta::Device &device, const meta::Uuid &owner)
{
	const auto super = meta::read_superblock(device);

	if (super)
		return super->generation <= BLKCOPY_META_FIRST_GENERATION ||
		       super->phase == meta::Phase::merged || super->phase == meta::Phase::broken ||
		       (super->uuid == owner && (super->phase == meta::Phase::streamed ||
						 super->phase == meta::Phase::aborted));
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

bool is_free_metadata(Context &context, meta::Device &device, const std::string &path,
		      const meta::Uuid &owner)
{
	return is_unused(device, owner) || is_rehearsed(context, device, path, owner);
}

// Whether all that a file holds may be overwritten.
Result<bool> is_free_file(Context &context, const std::string &path, const PlaceRequest &request)
{
	if (request.held == Held::anything)
		return true;
	if (request.held == Held::nothing) {
		BLKCTL_TRY(const auto content, first_content(path));
		return !content;
	}
	BLKCTL_TRY(const auto device, context.open_meta(path, meta::Access::read));
	return is_free_metadata(context, *device, path, *request.owner);
}

Result<void> check_file(Change &change, const std::string &path, uint64_t size,
			const PlaceRequest &request)
{
	auto &context = change.context();
	const auto bytes = std::to_string(request.bytes);

	if (size < request.bytes)
		return refusal(Status::usage, change.verb(), path,
			       "it is too small: it has " + std::to_string(size) + " bytes, and " +
				       bytes + " are needed",
			       "truncate -s " + bytes + " " + path);
	BLKCTL_TRY(const bool is_free, is_free_file(context, path, request));
	if (!is_free)
		return refusal(Status::busy, change.verb(), path, "the file holds something",
			       "rm " + path + ", if nobody needs it");
	return {};
}

Result<void> check_not_in_tab(Change &change, const Place &place, const std::string &name)
{
	auto &context = change.context();

	BLKCTL_TRY(const auto owner, tab_owner(context, place, name));
	if (owner)
		return refusal(Status::busy, change.verb(),
			       place.block ? place.block->path : place.file,
			       "it belongs to the volume '" + *owner + "' of " + context.tab_file,
			       "blkctl activate " + *owner + " to look");
	return {};
}

Result<Place> place_at(Context &context, DevNo devno, const std::string &file)
{
	Place place{.text = devno.str(), .file = file};

	*place.devno = devno;
	BLKCTL_TRY(place.block, context.probe.describe(devno));
	return place;
}

Place file_at(const std::string &path)
{
	return {.text = "(the loop device of " + path + ")", .file = path};
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
	const bool is_file = text.starts_with("file:");
	const auto path = is_file ? text.substr(5) : text;
	struct stat st;

	if (udev::is_identity(text)) {
		BLKCTL_TRY(const auto devno, context.probe.find_identity(text));
		return place_at(context, devno, "");
	}
	for (const auto &loop : context.probe.loops())
		if (is_same_file(loop.file, path))
			return place_at(context, loop.devno, path);
	if (path.starts_with('/') && stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode))
		return file_at(path);
	BLKCTL_TRY(const auto devno, context.probe.resolve(path));
	return place_at(context, devno, "");
}

bool is_same_place(const Place &a, const Place &b)
{
	if (a.block && b.block)
		return a.block->devno == b.block->devno;
	return !a.file.empty() && !b.file.empty() && is_same_file(a.file, b.file);
}

namespace
{

// What a person named: a device, which may be one that somebody has put before a file, or a file,
// which may be still to be made.
Result<Place> look_for_place(Context &context, const std::string &text)
{
	const auto devno = context.probe.resolve(text);
	struct stat st;

	if (devno)
		return place_at(context, *devno, "");
	for (const auto &loop : context.probe.loops())
		if (!context.loops.is_ours(loop.devno) && is_same_file(loop.file, text))
			return place_at(context, loop.devno, text);
	const bool there = stat(text.c_str(), &st) == 0;
	if (!text.starts_with('/') || text.starts_with("/dev/") || (there && !S_ISREG(st.st_mode)))
		return devno.error();
	// As the kernel names it later: it is known again by that.
	auto place = file_at(canonical_path(text));
	place.is_new = !there;
	return place;
}

void add_file(Change &change, const std::string &file, uint64_t bytes)
{
	auto &context = change.context();

	change.add({"make the sparse file " + file + " of " + std::to_string(bytes) + " bytes",
		    [&context, file, bytes] { return context.loops.make(file, bytes); },
		    [&context, file] { return context.loops.unmake(file); }});
}

} // namespace

Result<Place> add_place(Change &change, const PlaceRequest &request)
{
	BLKCTL_TRY(auto place, look_for_place(change.context(), request.text));
	std::error_code gone;

	// What is on a device is looked at by whoever knows what it is for.
	if (place.block && request.held == Held::metadata)
		BLKCTL_CHECK(check_not_in_tab(change, place, request.name));
	if (place.block)
		return place;
	if (place.is_new) {
		add_file(change, place.file, request.bytes);
	} else {
		if (request.held != Held::anything)
			BLKCTL_CHECK(check_not_in_tab(change, place, request.name));
		BLKCTL_CHECK(check_file(change, place.file,
					std::filesystem::file_size(place.file, gone), request));
	}
	add_loop(change, place, request.own);
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
	BLKCTL_TRY(auto place, add_place(change, {.text = wanted,
						  .bytes = layout.bytes(),
						  .name = super.name,
						  .own = own,
						  .held = Held::metadata,
						  .owner = super.uuid}));

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
		if (!is_free_metadata(context, *device, place.block->path, super.uuid))
			BLKCTL_CHECK(meta::check_blank(*device, meta::Overwrite::no));
		add_end_of_image(change, place.block->devno);
	}
	change.add({"format " + wanted + ": " + std::to_string(layout.bytes()) +
			    " bytes of metadata, with the UUID " + meta::hex(super.uuid),
		    [&context, place, super, complete]() -> Result<void> {
			    BLKCTL_TRY(const auto whole, complete(super));
			    const auto path = device_path(context, *place.devno);
			    BLKCTL_TRY(const auto device,
				       context.open_meta(path, meta::Access::write));
			    // It was looked at before; what a killed command left is overwritten.
			    const bool free = is_free_metadata(context, *device, path, super.uuid);
			    return meta::format(*device, whole,
						free ? meta::Overwrite::force : meta::Overwrite::no,
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
	const auto file = devno ? std::string() : file_behind(context, device);

	return devno ? *devno == device : !file.empty() && is_same_file(file, text);
}

bool has_metadata_at(Context &context, const Volume &volume, const std::string &text)
{
	const auto meta = volume.table.meta_device();

	return meta && is_named(context, *meta, text);
}

Result<meta::Superblock> superblock_of(Context &context, const Place &place)
{
	const auto path = place.block ? place.block->path : place.file;
	BLKCTL_TRY(const auto device, context.open_meta(path, meta::Access::read));

	return meta::read_superblock(*device);
}

Result<std::optional<std::string>> found_on(Context &context, const Volume &volume,
					    const Place &place)
{
	const auto is_above = [&](const std::vector<DevNo> &devices) {
		const auto under = below(context, devices);
		return std::find(under.begin(), under.end(), volume.devno()) != under.end();
	};
	const auto shown = place.block ? file_behind(context, place.block->devno) : "";
	const auto file = shown.empty() ? place.file : shown;

	if (place.block && is_above({place.block->devno}))
		return std::optional(place.block->path);
	if (file.empty())
		return std::optional<std::string>();
	auto filesystem = context.probe.devices_of(file);
	if (!filesystem) {
		auto error = filesystem.error();
		error.device = file;
		return error;
	}
	return is_above(*filesystem) ? std::optional("the file " + file) : std::nullopt;
}

Result<void> check_not_on(Context &context, const std::string &verb, const Volume &volume,
			  const Place &place)
{
	const auto found = found_on(context, volume, place);

	if (!found)
		return refusal(
			Status::usage, verb, volume.name(),
			"whether the file " + found.error().device +
				" is on the volume itself is not known: " + found.error().why,
			found.error().next);
	if (!*found)
		return {};
	return refusal(Status::usage, verb, volume.name(), **found + " is on the volume itself",
		       elsewhere(verb));
}

std::string elsewhere(const std::string &verb)
{
	return "blkctl help " + verb + ", for a device or a file elsewhere";
}

Result<void> check_unheld(Context &context, const std::string &verb, const std::string &name,
			  const Place &place, const std::optional<DevNo> &own)
{
	if (!place.block)
		return {};
	BLKCTL_TRY(const auto use, foreign_use(context, place.block->devno, own));
	if (!use)
		return {};
	return refusal(Status::busy, verb, name,
		       udev::describe(*use, device_path(context, use->device)),
		       next_about(context, *use));
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
