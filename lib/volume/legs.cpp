// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/legs.hpp"
#include "meta/crc32c.hpp"
#include <algorithm>

namespace blkctl::volume
{

namespace
{

constexpr uint64_t stamped_bytes = 65536;
constexpr uint64_t sector = 512;

// A device may have several names, and another of them may be the best one by now.
bool goes_by(udev::Probe &probe, DevNo device, const std::string &identity)
{
	const auto found = probe.find_identity(identity);

	return found && *found == device;
}

} // namespace

Result<uint32_t> stamp_of(udev::Probe &probe, DevNo device, uint64_t start, uint64_t sectors)
{
	const auto bytes = sectors * sector;
	const auto count = std::min(bytes, stamped_bytes);
	meta::Crc32c crc;

	BLKCTL_TRY(const auto first, probe.read(device, start * sector, count));
	crc.add(first);
	BLKCTL_TRY(const auto last, probe.read(device, start * sector + bytes - count, count));
	crc.add(last);
	return crc.value();
}

Result<meta::Leg> leg_of(udev::Probe &probe, DevNo device, uint64_t start, uint64_t sectors,
			 Stamped stamped)
{
	BLKCTL_TRY(const auto block, probe.describe(device));
	meta::Leg leg{.sectors = block.sectors, .start = start};

	BLKCTL_TRY(leg.identity, probe.identity(device));
	if (stamped == Stamped::yes) {
		BLKCTL_TRY(leg.stamp, stamp_of(probe, device, start, sectors));
	}
	return leg;
}

bool is_frozen(const meta::Superblock &super, Which which)
{
	const bool only_read =
		super.mode == meta::Mode::overlay || super.mode == meta::Mode::stream;

	return which == Which::base && only_read && !super.base_mixed &&
	       super.phase != meta::Phase::streamed;
}

Result<void> check_leg(udev::Probe &probe, const meta::Superblock &super, Which which, DevNo device)
{
	const auto index = static_cast<size_t>(which);
	const auto &leg = super.legs[index];
	const auto &other = super.legs[1 - index];
	BLKCTL_TRY(const auto block, probe.describe(device));
	BLKCTL_TRY(const auto identity, probe.identity(device));
	const auto wrong = [&](std::string why,
			       std::string next = "blkctl dump META names the one recorded") {
		return Error{.status = Status::needs_attention,
			     .what = std::string("take as ") + which_words[index] + " of '" +
				     super.name + "'",
			     .device = block.path,
			     .why = std::move(why),
			     .next = std::move(next)};
	};
	// Whoever knows that it is all the same right takes the stamp out.
	const std::string all_the_same = "blkctl dump META, and blkctl restore META of that "
					 "without the stamp of its base, to take it all the same";

	if (leg.identity.empty())
		return wrong(std::string("its metadata records no ") + which_words[index]);
	const bool is_it = identity == leg.identity || goes_by(probe, device, leg.identity);
	if (!is_it && identity == other.identity)
		return wrong(std::string("it is the ") + which_words[1 - index] +
			     ": the two are swapped");
	if (!is_it)
		return wrong("it is " + identity + ", and the one recorded is " + leg.identity);
	if (block.sectors < leg.start + super.geometry.sectors)
		return wrong("it is too small: it has " + std::to_string(block.sectors) +
				     " sectors, and " +
				     std::to_string(leg.start + super.geometry.sectors) +
				     " are needed",
			     "put it back as it was");
	if (!leg.stamp || !is_frozen(super, which))
		return {};
	// A range of a device is no part of what else happens to that.
	if (leg.start == 0 && block.sectors != leg.sectors)
		return wrong("it has changed behind the volume's back: it has " +
				     std::to_string(block.sectors) + " sectors, and had " +
				     std::to_string(leg.sectors),
			     "give it the size it had");
	BLKCTL_TRY(const auto stamp, stamp_of(probe, device, leg.start, super.geometry.sectors));
	if (stamp != *leg.stamp)
		return wrong("it has changed behind the volume's back: it was written to",
			     all_the_same);
	return {};
}

} // namespace blkctl::volume
