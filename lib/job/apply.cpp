// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/apply.hpp"
#include "base/size.hpp"
#include "job/backing_note.hpp"
#include "job/backup_copy.hpp"
#include "job/backup_target.hpp"
#include "volume/content.hpp"
#include "volume/image_note.hpp"
#include "volume/steps.hpp"
#include "volume/use.hpp"
#include <fmt/format.h>

namespace blkctl::job
{

namespace
{

using volume::refusal;

constexpr const char *restore_verb = "restore";

// What a raw image holds may look like another format, and name files as those it is over.
Result<transport::Format> format_of(const ApplyRequest &request)
{
	if (request.format)
		return *request.format;
	if (transport::format_by_name(request.image) == transport::Format::qcow2)
		return transport::Format::qcow2;
	BLKCTL_TRY(const auto info, transport::look_at_image(request.image));
	if (info.format == transport::Format::raw)
		return info.format;
	return refusal(Status::usage, restore_verb, request.image,
		       "it looks like a qcow2, which its name does not say",
		       "the same with --format raw or --format qcow2");
}

Result<udev::BlockDevice> check_device(volume::Context &context, const ApplyRequest &request,
				       uint64_t bytes)
{
	BLKCTL_TRY(const auto devno, context.probe.resolve(request.device));
	BLKCTL_TRY(const auto block, context.probe.describe(devno));
	const auto no = [&](Status status, std::string why, std::string next = {}) {
		return refusal(status, restore_verb, block.path, std::move(why), std::move(next));
	};

	if (block.sectors * 512 < bytes)
		return no(Status::usage, fmt::format("it is smaller: {} bytes, {} are needed",
						     block.sectors * 512, bytes));
	if (block.read_only)
		return no(Status::failed, "it is read-only", "blockdev --setrw " + block.path);
	if (const auto suspended = volume::suspended_below(context, {devno}))
		return no(Status::busy, suspended->name + " is suspended",
			  "dmsetup resume " + suspended->name);
	BLKCTL_TRY(const auto use, volume::foreign_use(context, devno, {}));
	if (use)
		return no(Status::busy,
			  udev::describe(*use, volume::device_path(context, use->device)),
			  volume::next_about(context, *use));
	if (request.force)
		return block;
	BLKCTL_TRY(const auto content, volume::find_content(context, block, ""));
	if (content)
		return no(Status::busy, "it " + content->what,
			  content->look + " to look, or give --force to overwrite it");
	return block;
}

CopyHooks hooks_of(const ApplyOptions &options, uint64_t total, bool verifying)
{
	CopyHooks hooks;

	hooks.cancelled = options.cancelled;
	if (options.on_progress)
		hooks.on_progress =
			progress_of(total, 0, options.interval,
				    [&options, verifying](const Job &job, const Meter &meter) {
					    options.on_progress(verifying, job, meter);
				    });
	return hooks;
}

// What a backup into the image, or anybody else, has written meanwhile is in a part of what was
// read.
Result<void> check_unchanged(volume::Context &context, const ApplyRequest &request,
			     const std::vector<std::string> &files, const std::string &before)
{
	BLKCTL_CHECK(check_finished(context, restore_verb, files));
	if (chain_identity(files) == before)
		return {};
	return refusal(Status::failed, restore_verb, request.device,
		       "it is of no one instant: " + request.image +
			       ", or what that is over, was written to while it was read",
		       "the same command again");
}

Error interrupted(const ApplyRequest &request)
{
	return refusal(Status::timed_out, restore_verb, request.device,
		       "interrupted; it holds a part of the backup",
		       request.force ? "the same command again"
				     : "the same command again, with --force");
}

} // namespace

Result<Applied> apply(volume::Context &context, const ApplyRequest &request,
		      const ApplyOptions &options, volume::Run run)
{
	BLKCTL_TRY(const auto format, format_of(request));
	std::vector<volume::Lock> locks;
	if (run == volume::Run::doit) {
		BLKCTL_TRY(locks, lock_chain(context, restore_verb, request.image, format));
	}
	// Not before they are locked: an image that has just got its name may be over another.
	BLKCTL_TRY(const auto files, chain_of(restore_verb, request.image, format));
	const auto before = chain_identity(files);
	BLKCTL_CHECK(check_finished(context, restore_verb, files));
	BLKCTL_TRY(const auto source,
		   transport::open_image(request.image, format, transport::Access::read,
					 context.run_dir));
	BLKCTL_TRY(const auto block, check_device(context, request, source->size()));
	Applied applied{.steps = {fmt::format("copy {} from {} to {}", format_size(source->size()),
					      request.image, block.path)},
			.bytes = source->size()};
	if (run == volume::Run::dry)
		return applied;
	BLKCTL_TRY(const auto target, transport::open_raw(block.path, transport::Access::write));
	BLKCTL_CHECK(volume::drop_image_notes(context, block.devno));
	const std::vector<Range> all{{0, source->size()}};
	BLKCTL_TRY(const auto moved, copy_ranges(*source, *target, all, {},
						 hooks_of(options, source->size(), false)));
	if (moved.cancelled)
		return interrupted(request);
	applied.data = moved.data;
	if (request.verify) {
		BLKCTL_TRY(const auto seen,
			   compare_ranges(*source, *target, all,
					  hooks_of(options, source->size(), true)));
		if (seen.cancelled)
			return interrupted(request);
	}
	BLKCTL_CHECK(target->close());
	BLKCTL_CHECK(source->close());
	BLKCTL_CHECK(check_unchanged(context, request, files, before));
	return applied;
}

} // namespace blkctl::job
