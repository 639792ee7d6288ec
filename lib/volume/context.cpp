// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/context.hpp"
#include "base/paths.hpp"
#include "dm/kernel.hpp"
#include "lvm/commands.hpp"
#include "udev/system.hpp"
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string_view>

namespace blkctl::volume
{

KillKnob KillKnob::from_environment()
{
	KillKnob knob;
	const char *const value = std::getenv("BLKCTL_KILL_AT_STEP");

	if (value) {
		const std::string_view text(value);
		std::from_chars(text.data(), text.data() + text.size(), knob.at);
	}
	return knob;
}

void KillKnob::point()
{
	if (at && ++passed == at)
		std::raise(SIGKILL);
}

Result<Host> Host::open()
{
	Host host;

	BLKCTL_TRY(auto dm, dm::Kernel::open({}));
	BLKCTL_TRY(auto probe, udev::System::open());
	host.dm_ = std::move(dm);
	host.probe_ = std::move(probe);
	host.loops_ = std::make_unique<udev::SystemLoops>();
	host.lvm_ = std::make_unique<lvm::Commands>();
	host.context_ = std::make_unique<Context>(
		Context{.dm = *host.dm_,
			.probe = *host.probe_,
			.loops = *host.loops_,
			.lvm = *host.lvm_,
			// As the kernel names what is in it.
			.state_dir = canonical_path(Context::default_state_dir),
			.knob = KillKnob::from_environment()});
	return host;
}

} // namespace blkctl::volume
