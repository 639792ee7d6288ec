// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/use.hpp"
#include "volume/steps.hpp"
#include <chrono>
#include <thread>

namespace blkctl::volume
{

namespace
{

// udev opens a device for moments to look at it; that is no use.
constexpr int open_tries = 10;
constexpr auto open_interval = std::chrono::milliseconds(100);

// Whether a dm device is open beyond what `own_opens` accounts for, and stays so: who does not
// open it exclusively (a virtual machine, a database) shows nowhere else. Other devices do not
// count their users.
Result<bool> is_open(Context &context, DevNo device, int own_opens)
{
	for (int i = 0; i < open_tries; i++) {
		if (i)
			std::this_thread::sleep_for(open_interval);
		const auto info = context.dm.info(device);
		if (!info && info.error().status == Status::not_found)
			return false;
		if (!info)
			return info.error();
		if (info->open_count <= own_opens)
			return false;
	}
	return true;
}

} // namespace

Result<std::optional<udev::Use>> foreign_use(Context &context, DevNo device,
					     const std::optional<DevNo> &own)
{
	BLKCTL_TRY(const auto uses, context.probe.uses(device));
	bool held = false;

	for (const auto &use : uses) {
		if (use.kind != udev::Use::Kind::held || use.holder != own)
			return std::optional(use);
		held = true;
	}
	// All tables of one device share one open of it.
	BLKCTL_TRY(const bool open, is_open(context, device, held ? 1 : 0));
	if (open)
		return std::optional(udev::Use{udev::Use::Kind::claimed, {}, {}, device});
	return std::optional<udev::Use>();
}

Result<void> check_closed(Context &context, const std::string &verb, const dm::Info &info)
{
	if (info.open_count == 0)
		return {};
	udev::Use use{udev::Use::Kind::claimed, {}, {}, info.devno};
	std::string why = "it is open";
	const auto uses = context.probe.uses(info.devno);
	if (uses && !uses->empty()) {
		use = uses->front();
		why = udev::describe(use, device_path(context, use.device));
	}
	return refusal(Status::busy, verb, info.name, why, next_about(context, use));
}

std::string next_about(Context &context, const udev::Use &use)
{
	const auto path = device_path(context, use.device);

	switch (use.kind) {
	case udev::Use::Kind::mounted:
		return "umount " + use.by;
	case udev::Use::Kind::swap:
		return "swapoff " + path;
	case udev::Use::Kind::held:
		return "lsblk " + path;
	case udev::Use::Kind::claimed:
		break;
	}
	return "fuser -v " + path;
}

std::optional<dm::Info> suspended_below(Context &context, const std::vector<DevNo> &devices)
{
	for (const auto device : below(context, devices)) {
		auto info = context.dm.info(device);
		if (info && info->suspended)
			return *info;
	}
	return std::nullopt;
}

} // namespace blkctl::volume
