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

Result<void> settle(Context &context, const std::string &verb, const Volume &volume)
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
		       "the copy is aborted already, and writes go to the source alone, but what "
		       "was on its way to the target " +
			       device_path(context, volume.table.top->device) +
			       " does not end: it does not answer, or the source does not",
		       "blkctl abort " + volume.name() + ", when it answers or is gone");
}

} // namespace

void add_settle(Change &change, const Volume &volume)
{
	auto &context = change.context();

	change.add(
		{"wait until nothing is on its way to " +
			 device_path(context, volume.table.top->device) + " any more",
		 [&context, verb = change.verb(), volume] { return settle(context, verb, volume); },
		 {}});
}

} // namespace blkctl::volume
