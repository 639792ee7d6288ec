// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/store.hpp"
#include "volume/mounts.hpp"

namespace blkctl::volume
{

bool has_store(Context &context, const Volume &volume, const std::string &store)
{
	return volume.table.top && is_named(context, volume.table.top->device, store);
}

Result<void> check_plain(const std::string &verb, const Volume &volume)
{
	BLKCTL_CHECK(check_no_overlay(verb, volume));
	if (volume.table.mode == table::Mode::track)
		return {};
	return refusal(Status::busy, verb, volume.name(), "a copy of it runs",
		       "blkctl show " + volume.name());
}

Result<Place> add_store(Change &change, const TargetRules &rules, const Volume &volume,
			const std::string &text)
{
	auto &context = change.context();

	BLKCTL_CHECK(clear_stale(change, volume.info));
	BLKCTL_TRY(auto store,
		   add_place(change, {.text = text,
				      .bytes = volume.sectors * uint64_t{512},
				      .name = volume.name(),
				      .own = volume.devno(),
				      .held = rules.any_content ? Held::anything : Held::nothing}));
	BLKCTL_CHECK(check_not_on(context, rules.verb, volume, store));
	if (store.block)
		BLKCTL_CHECK(check_target(context, rules, volume, *store.block));
	return store;
}

void add_instant(Change &change, const dm::Info &device, bool no_freeze,
		 const std::optional<dm::Table> &before)
{
	// The kernel freezes what is on the volume itself, not what is further up.
	if (no_freeze || !has_mounts_further_up(change.context(), device.devno))
		change.switch_table(device, before, {}, {.flush = true, .lockfs = !no_freeze});
	else
		change.switch_tables({device}, true);
}

} // namespace blkctl::volume
