// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/offline.hpp"
#include "base/paths.hpp"
#include "base/random.hpp"
#include "meta/dump.hpp"
#include "volume/legs.hpp"
#include "volume/steps.hpp"

namespace blkctl::volume
{

namespace
{

// How a META argument is opened, whatever way it was given.
std::string path_of(udev::Probe &probe, const std::string &meta)
{
	const auto devno = probe.resolve(meta);
	const auto block = devno ? probe.describe(*devno) : Result<udev::BlockDevice>(Error{});

	return block ? block->path : meta;
}

// Errors of the layers below are about "the metadata on DEVICE"; the verb is what was asked for.
Error named(Error error, const std::string &verb)
{
	if (error.what == "open")
		error.what = verb;
	return error;
}

Result<std::unique_ptr<meta::Device>> open_unused(const Offline &offline, const std::string &verb,
						  const std::string &path)
{
	BLKCTL_CHECK(check_unused(offline.probe, verb, path));
	auto device = offline.open(path, meta::Access::write);
	if (!device)
		return named(device.error(), verb);
	return device;
}

Result<void> check_signature(const Offline &offline, const std::string &path)
{
	const auto devno = offline.probe.resolve(path);
	if (!devno)
		return {};
	BLKCTL_TRY(const auto signature, offline.probe.signature(*devno));
	if (!signature)
		return {};
	return refusal(Status::busy, "format", path, "it carries a signature: " + signature->type,
		       "wipefs " + path + " to look, or give --force to overwrite it");
}

Result<DevNo> add_leg(const Offline &offline, Which which, const std::string &text,
		      meta::Superblock &super)
{
	const auto index = static_cast<size_t>(which);
	BLKCTL_TRY(const auto devno, offline.probe.resolve(text));
	BLKCTL_TRY(const auto block, offline.probe.describe(devno));

	if (super.geometry.sectors == 0)
		super.geometry.sectors = block.sectors;
	if (block.sectors < super.geometry.sectors)
		return refusal(Status::usage, "format", block.path,
			       std::string("as ") + which_words[index] + " it is too small: " +
				       std::to_string(block.sectors) + " sectors, " +
				       std::to_string(super.geometry.sectors) + " are needed");
	// Only what nobody writes to can be known again by its content.
	const bool still = which == Which::base &&
			   (super.mode == meta::Mode::overlay || super.mode == meta::Mode::stream);
	BLKCTL_TRY(super.legs[index], leg_of(offline.probe, devno, 0, super.geometry.sectors,
					     still ? Stamped::yes : Stamped::no));
	return devno;
}

Result<meta::Superblock> super_of(const Offline &offline, const FormatRequest &request)
{
	meta::Superblock super;

	if (request.name.size() > meta::name_max)
		return refusal(Status::usage, "format", request.meta, "the name is too long");
	const bool track = request.mode == meta::Mode::track;
	if (track && !request.top.empty())
		return refusal(Status::usage, "format", request.meta,
			       "a volume of mode track has no top");
	if (!track && request.bitmaps)
		return refusal(Status::usage, "format", request.meta,
			       "there are bitmaps in mode track only");
	if (request.bitmaps == 0u)
		return refusal(Status::usage, "format", request.meta,
			       "mode track needs room for a bitmap");
	super.name = request.name;
	super.mode = request.mode;
	super.phase = meta::first_phase(request.mode);
	super.geometry = {.sectors = request.sectors.value_or(0),
			  .block_sectors = request.block_sectors,
			  .segment_mib = request.segment_mib,
			  .bitmap_slots =
				  track ? request.bitmaps.value_or(meta::bitmap_slots_max) : 0};
	BLKCTL_TRY(const auto hex, random_hex());
	BLKCTL_TRY(super.uuid, meta::parse_uuid(hex));
	std::optional<DevNo> base, top;
	if (!request.base.empty()) {
		BLKCTL_TRY(base, add_leg(offline, Which::base, request.base, super));
	}
	if (super.geometry.sectors == 0)
		return refusal(Status::usage, "format", request.meta,
			       "how large the volume is has to be given",
			       "blkctl format " + request.meta + " --size SIZE, or --base DEVICE");
	if (!request.top.empty()) {
		BLKCTL_TRY(top, add_leg(offline, Which::top, request.top, super));
	}
	if (base && base == top)
		return refusal(Status::usage, "format", request.meta,
			       "base and top are the same device");
	return super;
}

Outcome outcome_of(const std::string &path, std::vector<std::string> steps)
{
	Outcome outcome;

	outcome.name = path;
	outcome.already = steps.empty();
	outcome.steps = std::move(steps);
	return outcome;
}

std::string format_text(const std::string &path, const meta::Superblock &super,
			const meta::Layout &layout)
{
	const auto slots = std::to_string(super.geometry.bitmap_slots);

	return "write " + std::to_string(layout.bytes()) + " bytes of metadata " +
	       (super.has_bitmaps() ? "with room for " + slots + " bitmaps of " : "for ") +
	       std::to_string(layout.blocks) + " blocks to " + path + ", with the UUID " +
	       meta::hex(super.uuid);
}

} // namespace

Result<void> check_unused(udev::Probe &probe, const std::string &verb, const std::string &path)
{
	const auto devno = probe.resolve(path);

	if (devno) {
		BLKCTL_TRY(const auto uses, probe.uses(*devno));
		if (!uses.empty())
			return refusal(Status::busy, verb, path, udev::describe(uses[0], path),
				       "blkctl list");
		return {};
	}
	for (const auto &loop : probe.loops())
		if (is_same_file(loop.file, path)) {
			const auto block = probe.describe(loop.devno);
			return refusal(Status::busy, verb, path,
				       "it is in use: " + (block ? block->path : loop.devno.str()) +
					       " shows it",
				       "losetup --associated " + path);
		}
	return {};
}

Result<Outcome> format(const Offline &offline, const FormatRequest &request, Run run)
{
	const auto path = path_of(offline.probe, request.meta);
	const auto overwrite = request.force ? meta::Overwrite::force : meta::Overwrite::no;

	BLKCTL_TRY(const auto super, super_of(offline, request));
	BLKCTL_TRY(const auto layout, meta::layout_of(super.geometry));
	for (const auto &leg : {request.base, request.top})
		if (!leg.empty() && path_of(offline.probe, leg) == path)
			return refusal(Status::usage, "format", path, "it is a leg itself");
	BLKCTL_TRY(const auto device, open_unused(offline, "format", path));
	// Metadata that is there is named; other signatures are named by blkid.
	BLKCTL_CHECK(meta::check_room(*device, super.geometry));
	const auto blank = meta::check_blank(*device, overwrite);
	if (!request.force)
		BLKCTL_CHECK(check_signature(offline, path));
	if (!blank)
		return blank.error();
	if (run == Run::doit)
		BLKCTL_CHECK(meta::format(*device, super, overwrite));
	return outcome_of(path, {format_text(path, super, layout)});
}

Result<Checked> check(const Offline &offline, const CheckRequest &request)
{
	Checked checked;

	checked.path = path_of(offline.probe, request.meta);
	checked.in_use = !check_unused(offline.probe, "check", checked.path);
	const auto device = offline.open(checked.path, meta::Access::read);
	if (!device)
		return named(device.error(), "check");
	BLKCTL_TRY(checked.contents, meta::read_contents(**device));
	const auto look = [&](Which which, const std::string &text) -> Result<void> {
		if (text.empty())
			return {};
		BLKCTL_TRY(const auto devno, offline.probe.resolve(text));
		const auto good = check_leg(offline.probe, checked.contents.super, which, devno);
		if (!good)
			checked.legs.push_back(good.error());
		return {};
	};
	BLKCTL_CHECK(look(Which::base, request.base));
	BLKCTL_CHECK(look(Which::top, request.top));
	return checked;
}

Result<void> dump(const Offline &offline, const std::string &meta, const meta::Sink &sink)
{
	const auto device = offline.open(path_of(offline.probe, meta), meta::Access::read);

	if (!device)
		return named(device.error(), "dump");
	BLKCTL_TRY(const auto contents, meta::read_contents(**device));
	return meta::print(meta::dump_of(contents), sink);
}

Result<Outcome> restore(const Offline &offline, const RestoreRequest &request, Run run)
{
	const auto path = path_of(offline.probe, request.meta);
	const auto overwrite = request.force ? meta::Overwrite::force : meta::Overwrite::no;

	BLKCTL_TRY(auto parsed, meta::parse_dump(request.dump));
	BLKCTL_TRY(const auto device, open_unused(offline, "restore", path));
	BLKCTL_CHECK(meta::check_room(*device, parsed.super.geometry));
	const auto blank = meta::check_blank(*device, overwrite);
	if (!request.force)
		BLKCTL_CHECK(check_signature(offline, path));
	if (!blank)
		return blank.error();
	// Nothing tells whether the volume was written to since, and backups would go by them.
	const bool is_past = !parsed.bitmaps.empty() && !parsed.super.unsealed;
	if (is_past)
		parsed.super.unsealed = true;
	if (run == Run::doit)
		BLKCTL_CHECK(meta::restore(*device, parsed, overwrite));
	auto outcome = outcome_of(
		path, {format_text(path, parsed.super, *meta::layout_of(parsed.super.geometry))});
	if (is_past)
		outcome.note = path +
			       ": its bitmaps are those of the instant of the dump: they "
			       "are inconsistent, and the next backup with one is a full one";
	return outcome;
}

Result<Repaired> repair(const Offline &offline, const std::string &meta, meta::Older older, Run run)
{
	const auto path = path_of(offline.probe, meta);
	BLKCTL_TRY(const auto device, open_unused(offline, "repair", path));
	BLKCTL_TRY(const auto contents, meta::read_contents(*device));
	const auto plan = meta::plan_repair(contents, older);
	std::vector<std::string> steps;

	for (const auto &rewrite : plan.rewrites)
		steps.push_back(rewrite.text);
	if (plan.superblocks)
		steps.insert(plan.superblocks_first ? steps.begin() : steps.end(),
			     "write the superblock, copy " + std::to_string(plan.first_copy) +
				     " and then the other");
	if (run == Run::doit)
		BLKCTL_CHECK(meta::repair(*device, plan));
	return Repaired{outcome_of(path, std::move(steps)),
			plan.picked,
			plan.missing,
			plan.changed,
			plan.inconsistent,
			plan.lost_bitmaps};
}

} // namespace blkctl::volume
