// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/backup_target.hpp"
#include "base/files.hpp"
#include "base/paths.hpp"
#include "job/backing_note.hpp"
#include "volume/bitmap_notes.hpp"
#include "volume/cache.hpp"
#include "volume/content.hpp"
#include "volume/image_note.hpp"
#include "volume/legs.hpp"
#include "volume/metadata.hpp"
#include "volume/target.hpp"
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace blkctl::job
{

namespace
{

namespace fs = std::filesystem;
using volume::refusal;

constexpr const char *target_verb = "backup";
constexpr auto chain_lock_timeout = std::chrono::milliseconds(200);

Error no(Status status, const std::string &path, std::string why, std::string next = {})
{
	return refusal(status, target_verb, path, std::move(why), std::move(next));
}

bool is_there(const std::string &path)
{
	struct stat st;
	return lstat(path.c_str(), &st) == 0;
}

// Somebody's disk, metadata or store: whatever was asked for, it would be gone for whoever has it.
Result<void> check_nobodys(volume::Context &context, const std::string &path)
{
	for (const auto &loop : context.probe.loops())
		if (is_same_file(loop.file, path))
			return no(Status::busy, path,
				  "it is the file behind " +
					  volume::device_path(context, loop.devno),
				  "another target; or losetup -d " +
					  volume::device_path(context, loop.devno) +
					  ", if nobody needs it");
	// Of the volume itself as well.
	BLKCTL_TRY(const auto owner, volume::tab_owner(context, {.file = path}, {}));
	if (owner)
		return no(Status::busy, path,
			  "it belongs to the volume '" + *owner + "' of " + context.tab_file,
			  "another target");
	return {};
}

// A file beside which there is, or will be, nothing else; and not on the volume itself.
Result<void> check_file(volume::Context &context, const volume::Volume &volume,
			const std::string &path)
{
	std::error_code ignored;

	if (!path.starts_with('/') || path.starts_with("/dev/"))
		return no(Status::not_found, path,
			  "there is no such device; a file is named by its full path");
	if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored))
		return no(Status::usage, path, "it is neither a device nor a file");
	const auto folder = fs::path(path).parent_path();
	if (!fs::is_directory(folder, ignored))
		return no(Status::not_found, path, "there is no folder " + folder.string());
	volume::Place place;
	place.file = path;
	for (const auto &each : {path, path + ".part"})
		BLKCTL_CHECK(check_nobodys(context, each));
	return volume::check_not_on(context, target_verb, volume, place);
}

constexpr std::string_view full_word = "full ";
constexpr std::string_view part_word = "part ";
constexpr std::string_view whole_word = "whole "; // of a device, which has no other sign of it

// Of an image beside it: it goes where that goes, and a link to it is the image.
std::string note_of(volume::Context &context, const std::optional<DevNo> &device,
		    const std::string &image)
{
	return device ? volume::image_note(context, *device)
		      : canonical_path(image) + ".unfinished";
}

std::string note(volume::Context &context, const BackupTarget &target)
{
	return read_line(note_of(context, target.device, target.path)).value_or("");
}

// What a note says: what was begun, or of a device which backup it has; and of what is written to
// in place what it was before, and what it was left as.
struct Note {
	std::string begun = {}, before = {}, left = {};
};

Note read_note(const std::string &file)
{
	std::istringstream lines(read_file(file).value_or(""));
	Note note;

	for (auto *line : {&note.begun, &note.before, &note.left})
		std::getline(lines, *line);
	return note;
}

// A device has neither an inode nor times: it has to be the same, and its ends to look the same.
std::optional<std::string> looks_of(volume::Context &context, const std::optional<DevNo> &device,
				    const std::string &path, uint64_t bytes)
{
	if (!device)
		return content_identity(path);
	const auto identity = context.probe.identity(*device);
	const auto stamp = volume::stamp_of(context.probe, *device, 0, bytes / 512);
	if (!identity || !stamp)
		return std::nullopt;
	return fmt::format("{} {:08x}", *identity, *stamp);
}

// Which of what is left in the place of an image is taken for that.
enum class Left {
	complete, // what lacks nothing that it had before
	any,
};

// Of a device also the backup that it was said to have.
std::optional<std::string> image_at(volume::Context &context, const std::string &path,
				    uint64_t bytes, Left left)
{
	const auto found = context.probe.resolve(path);
	const auto device = found ? std::optional(*found) : std::nullopt;
	const auto note = read_note(note_of(context, device, path));
	const auto looks = looks_of(context, device, path, bytes);

	// What it was before a backup into it was begun. But something else may be in its place by
	// now.
	if (looks && note.left == *looks &&
	    (left == Left::any || note.begun.starts_with(part_word)))
		return note.before;
	return looks && device ? *looks + " " + note.begun : looks;
}

// Is there an image that was made with the bitmap?
bool is_image(volume::Context &context, const volume::Volume &volume, const BackupRequest &request,
	      const BackupTarget &target)
{
	const auto images = volume::bitmap_note(context, volume, request.bitmap).images;
	const auto image = image_at(context, target.path, target.bytes, Left::any);
	return image && std::find(images.begin(), images.end(), *image) != images.end();
}

// A full one, as nothing less would do, in the place of what an incremental was to change: without
// --force that is nothing but an image that was made with the bitmap.
bool is_strange(volume::Context &context, const volume::Volume &volume,
		const BackupRequest &request, const BackupTarget &target, bool full)
{
	return full && request.is_incremental() && !is_image(context, volume, request, target);
}

Error strange(const BackupRequest &request, const BackupTarget &target)
{
	return no(Status::busy, target.path,
		  "what is there is no backup that was made with bitmap " + request.bitmap,
		  "the same with --force, to overwrite it; or another target");
}

Error not_finished(const BackupRequest &request, const BackupTarget &target)
{
	return no(
		Status::busy, target.path,
		"the last backup to it was not finished, and its changes are not kept: it is none",
		fmt::format("blkctl backup {} {} --bitmap {} --full --force", request.name,
			    target.path, request.bitmap));
}

// A part that nobody goes on with is in nobody's way; one that is gone on with is no one else's.
Result<void> check_part(volume::Context &context, const BackupTarget &target)
{
	const auto part = identity_of(context, target);

	if (target.in_place || !part)
		return {};
	BLKCTL_TRY(const auto devices, context.dm.list());
	for (const auto &each : devices) {
		const auto info = context.dm.info(each.devno);
		const auto record = info ? volume::backup_record(context, *info) : std::nullopt;
		if (!record || record->target != *part)
			continue;
		const auto volume = volume::find(context, each.devno);
		if (volume && volume->table.mode == table::Mode::backup)
			return no(Status::busy, target.file(),
				  "it is what a backup of " + each.name +
					  " is written to, which can go on",
				  "that backup again, blkctl abort " + each.name +
					  ", or another target");
	}
	return {};
}

Result<void> check_device(volume::Context &context, const volume::Volume &volume,
			  const BackupRequest &request, const BackupTarget &target, bool full)
{
	if (target.format == transport::Format::qcow2)
		return no(Status::usage, target.path, "a qcow2 is a file here");
	BLKCTL_TRY(const auto block, context.probe.describe(*target.device));
	// What is known to be an image need not look like the volume, which may have a new
	// filesystem since.
	const bool known = request.is_incremental() && is_image(context, volume, request, target);
	const bool foreign = full && request.is_incremental() && !known;
	BLKCTL_CHECK(volume::check_target(context,
					  {.verb = target_verb,
					   .role = "target",
					   .any_content = request.force || known,
					   .equal = request.is_incremental() && !foreign},
					  volume, block));
	if (foreign && !request.force)
		return strange(request, target);
	if (full || !note(context, target).starts_with(full_word))
		return {};
	return not_finished(request, target);
}

Result<void> check_raw(volume::Context &context, const volume::Volume &volume,
		       const BackupRequest &request, const BackupTarget &target, bool full)
{
	struct stat st = {};
	const bool there = stat(target.path.c_str(), &st) == 0;
	const auto size = static_cast<uint64_t>(st.st_size);

	if (request.is_incremental()) {
		if (there && size == target.bytes && !full &&
		    note(context, target).starts_with(full_word))
			return not_finished(request, target);
		if (there && size == target.bytes && !request.force &&
		    is_strange(context, volume, request, target, full))
			return strange(request, target);
		if (there && size == target.bytes)
			return {};
		return no(there ? Status::usage : Status::not_found, target.path,
			  there ? fmt::format("it has {} bytes, and the volume {}: it is no "
					      "backup of it",
					      size, target.bytes)
				: "an incremental changes the backup before it, and there is none",
			  fmt::format("blkctl backup {} {} --bitmap {} --full", request.name,
				      target.path, request.bitmap));
	}
	if (there && size > 0 && !request.force)
		return no(Status::busy, target.path, "the file holds something",
			  "the same with --force, to replace it");
	return {};
}

// What check_raw() and check_qcow2() let a whole one take the place of. False: of nothing.
bool may_replace(volume::Context &context, const volume::Volume &volume,
		 const BackupRequest &request, const BackupTarget &target)
{
	struct stat st = {};

	if (request.force)
		return true;
	if (target.format == transport::Format::qcow2)
		return false;
	if (stat(target.path.c_str(), &st) != 0)
		return is_there(target.path); // a link that leads to nothing
	return S_ISREG(st.st_mode) &&
	       (st.st_size == 0 ||
		(request.is_incremental() && is_image(context, volume, request, target)));
}

Error taken(const BackupRequest &request, const BackupTarget &target)
{
	return no(Status::busy, target.path, "there is a file of this name by now",
		  fmt::format("the same again with --force, to replace it, or once it is away; or "
			      "blkctl abort {}",
			      request.name));
}

Result<void> check_no_note(volume::Context &context, const std::string &verb,
			   const std::string &file)
{
	const auto device = context.probe.resolve(file);
	const auto note = note_of(context, device ? std::optional(*device) : std::nullopt, file);

	const auto line = read_line(note);

	if (!line || line->starts_with(whole_word))
		return {};
	return refusal(Status::failed, verb, file,
		       "a backup into it was begun and not finished: it is of no one instant",
		       "that backup again; or rm " + note + ", to take it all the same");
}

// What it will be over: the target is none of it, and all of it is whole.
Result<void> check_chain(volume::Context &context, const BackupTarget &target,
			 transport::Format format)
{
	BLKCTL_TRY(const auto files, chain_of(target_verb, target.backing, format));
	std::error_code ignored;

	for (const auto &file : files) {
		if (fs::equivalent(file, target.path, ignored))
			return no(Status::usage, target.path, "it cannot be over itself");
		BLKCTL_CHECK(check_no_note(context, target_verb, file));
	}
	return check_not_moved_on(target_verb, files);
}

Result<void> check_qcow2(volume::Context &context, const BackupRequest &request,
			 const BackupTarget &target)
{
	if (is_there(target.path) && !request.force)
		return no(Status::busy, target.path, "the file is there already",
			  "another name, or --force to replace it");
	if (target.backing.empty())
		return {};
	const auto format = transport::format_by_name(target.backing);
	BLKCTL_TRY(const auto before, transport::look_at_image(target.backing, format));
	if (before.bytes != target.bytes)
		return no(Status::usage, target.backing,
			  fmt::format("it has {} bytes, and the volume {}: it is no backup of it",
				      before.bytes, target.bytes));
	return check_chain(context, target, format);
}

} // namespace

std::optional<std::string> image_before(volume::Context &context, const volume::Volume &volume,
					const BackupRequest &request)
{
	const auto bytes = volume.sectors * 512;

	// What is none at all is a mistake, as is what is not there.
	if (!request.backing.empty()) {
		const auto look = transport::look_at_image(
			request.backing, transport::format_by_name(request.backing));
		if (!look || look->bytes != bytes)
			return std::nullopt;
	}
	return image_at(context, request.before(), bytes, Left::complete);
}

std::optional<std::string> image_of(volume::Context &context, const BackupTarget &target,
				    const std::string &id)
{
	auto looks = looks_of(context, target.device, target.path, target.bytes);
	if (looks && target.device)
		*looks += fmt::format(" {}{}", whole_word, id);
	return looks;
}

Result<BackupTarget> find_target(volume::Context &context, const volume::Volume &volume,
				 const BackupRequest &request, bool full)
{
	BackupTarget target{
		.path = request.target, .format = request.format, .bytes = volume.sectors * 512};
	const auto devno = context.probe.resolve(request.target);

	if (devno)
		target.device = *devno;
	target.in_place = devno.has_value() || (!full && request.format == transport::Format::raw);
	if (full || request.backing.empty())
		return target;
	std::error_code bad;
	target.backing = fs::canonical(request.backing, bad).string();
	if (bad)
		return errno_error("open", request.backing, bad.value());
	return target;
}

Result<BackupTarget> check_target(volume::Context &context, const volume::Volume &volume,
				  const BackupRequest &request, bool full)
{
	BLKCTL_TRY(auto target, find_target(context, volume, request, full));

	if (target.device) {
		BLKCTL_CHECK(check_device(context, volume, request, target, full));
		return target;
	}
	BLKCTL_CHECK(check_file(context, volume, target.path));
	BLKCTL_CHECK(check_part(context, target));
	if (target.format == transport::Format::qcow2)
		BLKCTL_CHECK(check_qcow2(context, request, target));
	else
		BLKCTL_CHECK(check_raw(context, volume, request, target, full));
	return target;
}

std::optional<std::string> identity_of(volume::Context &context, const BackupTarget &target)
{
	struct statx st = {};

	if (target.device) {
		const auto devno = context.probe.resolve(target.path);
		if (!devno)
			return std::nullopt;
		// A number comes back on another device, this does not.
		const auto seq = read_line("/sys/dev/block/" + devno->str() + "/diskseq");
		return fmt::format("device {} {}", devno->str(), seq.value_or(""));
	}
	if (statx(AT_FDCWD, target.file().c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &st) != 0 ||
	    !S_ISREG(st.stx_mode))
		return std::nullopt;
	// An inode comes back at once on another file; when that was made, where it is known, does
	// not.
	const bool born = (st.stx_mask & STATX_BTIME) != 0;
	return fmt::format("file {}:{}:{} {}.{:09}", st.stx_dev_major, st.stx_dev_minor, st.stx_ino,
			   born ? st.stx_btime.tv_sec : 0, born ? st.stx_btime.tv_nsec : 0);
}

std::string key_of(volume::Context &context, const std::string &text)
{
	const auto devno = context.probe.resolve(text);
	return devno ? devno->str() : canonical_path(text);
}

std::string lock_name_of(volume::Context &context, const std::string &text)
{
	return fmt::format("target-{:x}", std::hash<std::string>{}(key_of(context, text)));
}

Result<std::unique_ptr<transport::Image>> open_target(volume::Context &context,
						      const BackupTarget &target)
{
	// One that is gone is not made anew by the way.
	if (!identity_of(context, target))
		return no(Status::not_found, target.file(), "it is gone");
	if (target.format == transport::Format::raw)
		return transport::open_raw(target.file(), transport::Access::write);
	return transport::open_qcow2(target.file(), transport::Access::write, context.run_dir);
}

Result<std::unique_ptr<transport::Image>> begin_target(volume::Context &context,
						       const BackupTarget &target)
{
	if (target.in_place)
		return open_target(context, target);
	// Nobody else begins one here: the caller has locked the target.
	BLKCTL_CHECK(check_part(context, target));
	drop_target(target);
	if (target.format == transport::Format::raw)
		return transport::make_raw(target.file(), target.bytes);
	std::optional<transport::Backing> backing;
	if (!target.backing.empty())
		backing = {target.backing, transport::format_by_name(target.backing)};
	BLKCTL_CHECK(transport::create_qcow2(target.file(), target.bytes, backing));
	return transport::open_qcow2(target.file(), transport::Access::write, context.run_dir);
}

Result<void> note_backing(const BackupTarget &target)
{
	if (target.in_place || target.backing.empty())
		return {};
	return note_over(target.file(), target.backing);
}

Result<void> finish_target(volume::Context &context, const volume::Volume &volume,
			   const BackupRequest &request, const BackupTarget &target)
{
	if (target.in_place)
		return {};
	const auto begun = over_of(target.file());
	if (has_moved_on(begun, target.backing))
		return no(Status::failed, target.path,
			  target.backing + ", which it is over, has been written to meanwhile",
			  "the same again");
	const bool replaces = may_replace(context, volume, request, target);
	if (!replaces && is_there(target.path))
		return taken(request, target);
	// Before its name: what has that now is replaced anyway.
	if (const auto line = read_line(begun))
		BLKCTL_CHECK(replace_file_durably(over_of(target.path), *line + "\n"));
	else
		(void)unlink(over_of(target.path).c_str());
	if (replaces && std::rename(target.file().c_str(), target.path.c_str()) != 0)
		return errno_error("rename", target.file(), errno);
	if (!replaces) {
		const auto named = rename_to_new(target.file(), target.path);
		if (!named)
			return named.error().status == Status::busy ? taken(request, target)
								    : named.error();
	}
	return sync_folder_of(target.path);
}

void drop_target(const BackupTarget &target)
{
	if (target.in_place)
		return;
	(void)unlink(target.file().c_str());
	(void)unlink(over_of(target.file()).c_str());
}

Result<void> note_unfinished(volume::Context &context, const BackupTarget &target, bool full,
			     const std::string &id)
{
	if (!target.in_place)
		return {};
	const auto file = note_of(context, target.device, target.path);
	const auto note = read_note(file);
	const auto before =
		note.begun.ends_with(" " + id)
			? note.before
			: image_at(context, target.path, target.bytes, Left::any).value_or("");
	if (target.device)
		BLKCTL_CHECK(make_folder(context.state_dir));
	return replace_file_durably(
		file, fmt::format("{}{}\n{}\n", full ? full_word : part_word, id, before));
}

void note_left(volume::Context &context, const BackupTarget &target, const std::string &id)
{
	const auto file = note_of(context, target.device, target.path);
	const auto note = read_note(file);
	const auto looks = looks_of(context, target.device, target.path, target.bytes);

	// If it cannot be written down nothing goes on from what is there.
	if (target.in_place && looks && note.begun.ends_with(" " + id))
		(void)replace_file_durably(
			file, fmt::format("{}\n{}\n{}\n", note.begun, note.before, *looks));
}

void note_finished(volume::Context &context, const BackupTarget &target, const std::string &id)
{
	const auto note = note_of(context, target.device, target.path);

	(void)unlink(over_of(target.path + ".part").c_str());
	// A device that something else was put on since has none.
	if (target.device && !is_unfinished(context, target, id))
		return;
	if (!target.device || !replace_file_durably(note, std::string(whole_word) + id + "\n"))
		(void)unlink(note.c_str());
}

Result<void> check_finished(volume::Context &context, const std::string &verb,
			    const std::vector<std::string> &files)
{
	for (const auto &file : files)
		BLKCTL_CHECK(check_no_note(context, verb, file));
	return check_not_moved_on(verb, files);
}

Result<std::vector<volume::Lock>> lock_chain(volume::Context &context, const std::string &verb,
					     const std::string &image, transport::Format format)
{
	BLKCTL_TRY(const auto files, chain_of(verb, image, format));
	std::vector<volume::Lock> locks;

	for (const auto &file : files) {
		auto lock = volume::Lock::shared_name(context.run_dir, lock_name_of(context, file),
						      chain_lock_timeout);
		if (!lock && lock.error().status == Status::busy)
			return refusal(Status::busy, verb, file, "a backup is written to it",
				       "the same again, once that is done");
		if (!lock)
			return lock.error();
		locks.push_back(std::move(*lock));
	}
	return locks;
}

std::string chain_identity(const std::vector<std::string> &files)
{
	std::error_code ignored;
	std::string all;

	for (const auto &file : files)
		all += file + ": " +
		       (fs::is_block_file(file, ignored) ? ""
							 : content_identity(file).value_or("")) +
		       "\n";
	return all;
}

bool is_unfinished(volume::Context &context, const BackupTarget &target, const std::string &id)
{
	if (!target.in_place)
		return true;
	const auto note = read_note(note_of(context, target.device, target.path));
	return note.begun.ends_with(" " + id) &&
	       (note.left.empty() ||
		note.left == looks_of(context, target.device, target.path, target.bytes));
}

} // namespace blkctl::job
