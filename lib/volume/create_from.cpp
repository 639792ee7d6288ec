// SPDX-License-Identifier: GPL-2.0-or-later
// create --from: a volume whose data is still elsewhere.
#include "base/random.hpp"
#include "volume/boot.hpp"
#include "volume/content.hpp"
#include "volume/legs.hpp"
#include "volume/making.hpp"
#include "volume/metadata.hpp"
#include "volume/uuid.hpp"

namespace blkctl::volume
{

namespace
{

constexpr const char *create_from_verb = "create";

// Whether a stream is all that is asked for by an option; without one it is as it is.
bool is_as_asked(Context &context, const Volume &volume, const CreateFromRequest &request)
{
	const auto &table = volume.table;

	return table.block_sectors == request.block_sectors &&
	       (request.metadata.empty() || has_metadata_at(context, volume, request.metadata)) &&
	       (table.features.copy_on_read || !request.copy_on_read) &&
	       (table.params.waits_for_space() || !request.waits_for_space) &&
	       (request.boot || !comes_back_at_boot(context, volume));
}

// The same stream, made before.
std::optional<CopyId> find_same(Context &context, const dm::Info &info,
				const CreateFromRequest &request, DevNo base, DevNo top)
{
	const auto volume = find(context, info.devno);

	if (!volume || volume->table.mode != table::Mode::stream ||
	    volume->table.base != table::Leg{base, 0} || volume->table.top != table::Leg{top, 0} ||
	    !is_as_asked(context, *volume, request))
		return std::nullopt;
	return copy_id(*volume);
}

Result<void> check_pair(const CreateFromRequest &request, const udev::BlockDevice &base,
			const udev::BlockDevice &top)
{
	if (base.devno == top.devno)
		return refusal(Status::usage, create_from_verb, request.name,
			       "the two devices are the same");
	if (base.sectors == 0)
		return refusal(Status::failed, create_from_verb, base.path,
			       "the device has no size");
	if (top.sectors < base.sectors)
		return refusal(Status::usage, create_from_verb, request.name,
			       top.path + " is smaller: " + std::to_string(top.sectors) +
				       " sectors, " + std::to_string(base.sectors) + " are needed");
	if (top.read_only)
		return refusal(Status::failed, create_from_verb, request.name,
			       top.path + " is read-only");
	return {};
}

Result<void> check_empty(Context &context, const CreateFromRequest &request,
			 const udev::BlockDevice &top)
{
	if (request.force)
		return {};
	BLKCTL_TRY(const auto content, find_content(context, top, request.name));
	if (!content)
		return {};
	return refusal(Status::busy, create_from_verb, request.name, top.path + " " + content->what,
		       content->look + " to look, or give --force to overwrite it");
}

Result<meta::Superblock> super_of(Context &context, const CreateFromRequest &request,
				  const std::string &hex, const udev::BlockDevice &base, DevNo top)
{
	meta::Superblock super;

	BLKCTL_TRY(super.uuid, meta::parse_uuid(hex));
	super.name = request.name;
	super.geometry = {.sectors = base.sectors, .block_sectors = request.block_sectors};
	super.mode = meta::Mode::stream;
	super.phase = meta::first_phase(super.mode);
	BLKCTL_TRY(super.legs[0], leg_of(context.probe, base.devno, 0, base.sectors, Stamped::yes));
	BLKCTL_TRY(super.legs[1], leg_of(context.probe, top, 0, base.sectors, Stamped::no));
	return super;
}

/*
 * Whether an entry is what this very command has left that was killed: the stream has never been
 * active, and what it is to be is on the metadata that is asked for.
 */
bool is_from_killed(Context &context, const CreateFromRequest &request, const tab::Entry &entry)
{
	const auto text = request.metadata.empty() ? default_metadata(context, request.name)
						   : request.metadata;
	const auto asked = find_place(context, text);

	if (!asked || entry.layers.size() != 1 || !entry.lv.empty() || !entry.bitmaps.empty())
		return false;
	const auto listed = find_place(context, entry.layers.front().meta);
	const auto super = superblock_of(context, *asked);
	return listed && is_same_place(*listed, *asked) && super &&
	       super->mode == meta::Mode::stream && super->name == request.name &&
	       super->generation <= BLKCOPY_META_FIRST_GENERATION;
}

// What is written down of an inactive volume is all that is known of where it is. Errors: busy.
Result<void> check_not_listed(Context &context, const CreateFromRequest &request)
{
	BLKCTL_TRY(const auto entry, find_entry(context, request.name));

	return !entry || is_from_killed(context, request, *entry) ? Result<void>()
								  : in_tab_already(context, *entry);
}

// The digits of the volume's UUID: what a killed command left has some already.
Result<std::string> digits(const std::optional<dm::Info> &existing)
{
	if (existing)
		return hex_of(existing->uuid);
	return random_hex();
}

} // namespace

Result<Outcome> create_from(Context &context, const CreateFromRequest &request, Run run)
{
	Change change(context, create_from_verb, run);

	BLKCTL_CHECK(check_request(request.name, request.block_sectors));
	BLKCTL_CHECK(change.lock_name(request.name));
	BLKCTL_TRY(const auto base_number, context.probe.resolve(request.base));
	BLKCTL_TRY(const auto top_number, context.probe.resolve(request.device));
	BLKCTL_TRY(const auto base, context.probe.describe(base_number));
	BLKCTL_TRY(const auto top, context.probe.describe(top_number));
	BLKCTL_TRY(const auto existing, find_by_name(context, request.name));
	if (existing && !is_half_made(*existing)) {
		change.outcome().copy =
			find_same(context, *existing, request, base_number, top_number);
		if (change.outcome().copy)
			return change.nothing_to_do(*existing);
		return refusal(Status::busy, create_from_verb, request.name,
			       "there is a device of this name already",
			       "blkctl show " + request.name);
	}
	BLKCTL_CHECK(check_not_listed(context, request));
	const auto own = existing ? std::optional(existing->devno) : std::nullopt;
	BLKCTL_CHECK(check_pair(request, base, top));
	BLKCTL_CHECK(check_not_owned(context, request.name, base));
	BLKCTL_CHECK(check_free_for(context, request.name, base_number, own));
	BLKCTL_CHECK(check_free_for(context, request.name, top_number, own));
	BLKCTL_CHECK(check_empty(context, request, top));

	BLKCTL_CHECK(change.need_module());
	if (existing && existing->inactive_table)
		change.clear(*existing);
	BLKCTL_TRY(const auto hex, digits(existing));
	BLKCTL_TRY(const auto super, super_of(context, request, hex, base, top_number));
	BLKCTL_TRY(const auto place,
		   add_metadata(change, request.metadata, super, own, {base_number, top_number},
				[](const meta::Superblock &whole) { return whole; }));

	table::Blkcopy stream;
	stream.mode = table::Mode::stream;
	stream.base = {base_number, 0};
	stream.top = table::Leg{top_number, 0};
	stream.block_sectors = request.block_sectors;
	stream.features.copy_on_read = request.copy_on_read;
	stream.features.paused = request.no_hydrate;
	if (request.waits_for_space)
		stream.params.on_top_error = table::Policy::enospc;
	stream.meta = place.text;
	if (request.boot) {
		say_if_nameless(change, {base_number, top_number});
		add_entry(change, request.name,
			  "write in " + context.tab_file + " that " + request.name +
				  " comes back at boot",
			  [&context, place, name = request.name,
			   stream](const auto &) -> Result<std::optional<tab::Entry>> {
				  tab::Entry entry{.name = name};
				  BLKCTL_TRY(const auto meta, meta_text(context, *place.devno));
				  entry.layers = {{0, meta}};
				  keep_told(stream, entry);
				  return std::optional(entry);
			  });
	}

	const auto device = std::make_shared<dm::Info>(existing.value_or(dm::Info{}));
	device->name = request.name;
	if (!existing)
		add_creation(change, request.name, volume_uuid(hex), device);
	add_first_table(change, device, top_number, blkcopy_table(base.sectors, stream)[0].str(),
			[stream, place, sectors = base.sectors]() mutable {
				stream.meta = place.devno->str();
				return blkcopy_table(sectors, stream);
			});
	change.outcome().copy = CopyId{.mode = table::Mode::stream,
				       .uuid = volume_uuid(hex),
				       .name = request.name,
				       .base = stream.base,
				       .top = stream.top};
	BLKCTL_TRY(auto outcome, change.finish(*device));
	outcome.device = device->devno;
	outcome.copy->device = device->devno;
	return outcome;
}

} // namespace blkctl::volume
