// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/settle.hpp"
#include <cerrno>
#include <thread>

namespace blkctl::volume
{

namespace
{

using Clock = std::chrono::steady_clock;

constexpr auto settle_interval = std::chrono::milliseconds(20);

Result<void> settle(Context &context, const std::string &verb, const Volume &volume, DevNo target)
{
	const auto deadline = Clock::now() + context.patience;

	for (;;) {
		const auto settled = context.dm.message(volume.info.devno, 0, "phase finish");
		if (settled || settled.error().sys_errno != EINPROGRESS)
			return {};
		if (Clock::now() >= deadline)
			break;
		std::this_thread::sleep_for(settle_interval);
	}
	return refusal(Status::timed_out, verb, volume.name(),
		       "the copy is aborted already, and writes go to the source alone, but the "
		       "target " +
			       device_path(context, target) +
			       " does not answer what was on its way to it",
		       "blkctl abort " + volume.name() + ", when it answers or is gone");
}

} // namespace

void add_settle(Change &change, const Volume &volume)
{
	auto &context = change.context();
	const auto target = volume.table.top->device;

	change.add({"wait until nothing is on its way to " + device_path(context, target) +
			    " any more",
		    [&context, verb = change.verb(), volume, target] {
			    return settle(context, verb, volume, target);
		    },
		    {}});
}

} // namespace blkctl::volume
