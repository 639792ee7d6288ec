// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/lv.hpp"
#include "table/linear.hpp"
#include "volume/metadata.hpp"
#include "volume/uuid.hpp"
#include <algorithm>

namespace blkctl::volume
{

namespace
{

bool can_be_made(const lvm::LogicalVolume &lv)
{
	return !lv.segments.empty() &&
	       std::all_of(lv.segments.begin(), lv.segments.end(), [](const auto &segment) {
		       return (segment.type == "linear" && segment.stripes.size() == 1) ||
			      (segment.type == "striped" && segment.stripes.size() > 1);
	       });
}

Result<std::string> stripe_text(Context &context, const std::string &verb,
				const lvm::LogicalVolume &lv, const lvm::Stripe &stripe)
{
	const auto pv = context.probe.resolve(stripe.pv);

	if (!pv)
		return refusal(Status::not_found, verb, lv.mapper_name,
			       "the PV " + stripe.pv + " is not there");
	return table::print(table::Linear{{*pv, stripe.offset}});
}

Result<dm::Target> target_of(Context &context, const std::string &verb,
			     const lvm::LogicalVolume &lv, const lvm::Segment &segment,
			     uint64_t start)
{
	const bool striped = segment.type == "striped";
	dm::Target target{.start = start, .length = segment.sectors, .type = segment.type};

	if (striped)
		target.params = std::to_string(segment.stripes.size()) + " " +
				std::to_string(segment.stripe_sectors) + " ";
	for (const auto &stripe : segment.stripes) {
		BLKCTL_TRY(const auto text, stripe_text(context, verb, lv, stripe));
		target.params += (&stripe == &segment.stripes.front() ? "" : " ") + text;
	}
	return target;
}

// `stays`: what has failed holds it.
void add_skip(Change &change, const lvm::LogicalVolume &lv, bool skipped,
	      const std::function<bool()> &stays = {})
{
	auto &context = change.context();

	if (lv.is_skipped == skipped)
		return;
	change.add({(skipped ? "tell LVM to leave " + lv.path() + " to blkctl"
			     : "tell LVM that it has " + lv.path() + " again") +
			    " (lvchange --setactivationskip " + (skipped ? "y" : "n") + ")",
		    [&context, lv, skipped] { return context.lvm.set_skipped(lv, skipped); },
		    [&context, lv, skipped, stays] {
			    return stays && stays() ? Result<void>()
						    : context.lvm.set_skipped(lv, !skipped);
		    }});
}

Result<void> add_skip_of(Change &change, const dm::Info &info, bool skipped,
			 const std::function<bool()> &stays = {})
{
	BLKCTL_TRY(const auto lv, find_lv(change.context(), lv_id(info)));

	if (lv)
		add_skip(change, *lv, skipped, stays);
	return {};
}

} // namespace

std::string lv_id(const dm::Info &info)
{
	return lvm_id_of(info.uuid);
}

Result<std::optional<lvm::LogicalVolume>> find_lv(Context &context, const std::string &id)
{
	if (id.empty())
		return std::optional<lvm::LogicalVolume>();
	BLKCTL_TRY(const auto all, context.lvm.list());
	for (const auto &lv : all)
		if (lv.id == id)
			return std::optional(lv);
	return std::optional<lvm::LogicalVolume>();
}

std::optional<table::Leg> place_of(Context &context, const lvm::LogicalVolume &lv)
{
	if (lv.segments.size() != 1 || lv.segments[0].type != "linear" || !can_be_made(lv))
		return std::nullopt;
	const auto &stripe = lv.segments[0].stripes[0];
	const auto pv = context.probe.resolve(stripe.pv);

	return pv ? std::optional(table::Leg{*pv, stripe.offset}) : std::nullopt;
}

Result<dm::Table> lvm_table(Context &context, const std::string &verb, const lvm::LogicalVolume &lv)
{
	dm::Table table;

	if (!can_be_made(lv))
		return refusal(Status::failed, verb, lv.mapper_name,
			       "LVM has it in pieces that only LVM puts together",
			       "lvs --segments -o +devices " + lv.path());
	for (const auto &segment : lv.segments) {
		BLKCTL_TRY(auto target,
			   target_of(context, verb, lv, segment, dm::table_sectors(table)));
		table.push_back(std::move(target));
	}
	return table;
}

Result<lvm::LogicalVolume> find_lv_of(Context &context, const std::string &verb,
				      const tab::Entry &entry)
{
	BLKCTL_TRY(auto lv, find_lv(context, entry.lv));

	if (!lv)
		return refusal(Status::not_found, verb, entry.name, "LVM has no LV with its UUID",
			       "lvs -a");
	BLKCTL_CHECK(check_lv_name(context, verb, *lv, entry));
	return *lv;
}

Result<void> check_lv_name(Context &context, const std::string &verb, const lvm::LogicalVolume &lv,
			   const tab::Entry &entry)
{
	const bool has_metadata = !entry.layers.empty() || !entry.bitmaps.empty();

	if (lv.mapper_name == entry.name)
		return {};
	return refusal(Status::needs_attention, verb, entry.name,
		       "LVM calls its LV " + lv.path() + " by now, and " +
			       (has_metadata ? "its metadata goes by "
					     : context.tab_file + " has it as ") +
			       entry.name,
		       has_metadata
			       ? std::string("lvrename it back")
			       : "lvrename it back, or write " + lv.mapper_name + " there instead");
}

Result<void> check_size(const std::string &verb, const lvm::LogicalVolume &lv, uint64_t sectors)
{
	if (lv.sectors() == sectors)
		return {};
	return refusal(Status::needs_attention, verb, lv.mapper_name,
		       "LVM has made it " + std::to_string(lv.sectors()) +
			       " sectors long since; it was " + std::to_string(sectors),
		       "lvs --segments -o +devices " + lv.path());
}

Result<bool> is_in_pv(Context &context, const std::string &verb, const tab::Entry &entry,
		      const table::Leg &leg, uint64_t sectors)
{
	BLKCTL_TRY(const auto signature, context.probe.signature(leg.device));

	// What begins where the PV does is no LV in it: a pivot has moved it there, and it has one
	// inside.
	if (leg.offset == 0 || !signature || signature->type != "LVM2_member")
		return false;
	BLKCTL_TRY(const auto lv, find_lv_of(context, verb, entry));
	BLKCTL_CHECK(check_size(verb, lv, sectors));
	if (place_of(context, lv) == leg)
		return true;
	return refusal(Status::needs_attention, verb, lv.mapper_name,
		       "LVM has moved it since: its base was at sector " +
			       std::to_string(leg.offset) + " of " +
			       device_path(context, leg.device),
		       "lvs --segments -o +devices " + lv.path());
}

Result<bool> can_come_back(Context &context, const Volume &volume)
{
	if (volume.kind == Kind::created)
		return true;
	BLKCTL_TRY(const auto lv, find_lv(context, lv_id(volume.info)));
	return lv && can_be_made(*lv);
}

Result<bool> is_held(Context &context, const dm::Info &info)
{
	BLKCTL_TRY(const auto lv, find_lv(context, lv_id(info)));
	return lv && lv->is_skipped;
}

Result<bool> is_where_lvm_has_it(Context &context, const Volume &volume, const table::Leg &base)
{
	BLKCTL_TRY(const auto lv, find_lv(context, lv_id(volume.info)));

	if (!lv)
		return false;
	const auto hidden = context.dm.info(base.device);
	if (hidden && is_hidden_uuid(hidden->uuid))
		return true;
	return place_of(context, *lv) == base;
}

bool is_on_hidden(const tab::Entry &entry)
{
	return !entry.lv.empty() &&
	       entry.device == "dm:" + hidden_uuid(hidden_hex(lvm_uuid(entry.lv)));
}

bool is_on_extents(Context &context, const tab::Entry &entry)
{
	if (entry.lv.empty() || !entry.layers.empty())
		return false;
	if (is_on_hidden(entry))
		return true;
	// An LV never begins where a PV does. What does is another disk that a pivot has moved it
	// to, and whose content is one.
	if (entry.offset == 0)
		return false;
	const auto base = find_place(context, entry.device);
	const auto signature = base && base->block ? context.probe.signature(base->block->devno)
						   : Result<std::optional<udev::Signature>>({});
	return signature && *signature && (*signature)->type == "LVM2_member";
}

bool was_changed(Context &context, const tab::Entry &entry, const lvm::LogicalVolume &lv)
{
	if (!can_be_made(lv) || lv.sectors() != entry.sectors.value_or(0))
		return true;
	const auto base = find_place(context, entry.device);
	return !is_on_hidden(entry) &&
	       !(base && base->block &&
		 place_of(context, lv) == table::Leg{base->block->devno, entry.offset});
}

Result<void> add_hold(Change &change, const dm::Info &info, const std::function<bool()> &stays)
{
	return add_skip_of(change, info, true, stays);
}

void add_hold(Change &change, const lvm::LogicalVolume &lv)
{
	add_skip(change, lv, true);
}

void add_release(Change &change, const lvm::LogicalVolume &lv)
{
	add_skip(change, lv, false);
}

Result<void> add_release(Change &change, const dm::Info &info)
{
	return add_skip_of(change, info, false);
}

} // namespace blkctl::volume
