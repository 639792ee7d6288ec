// SPDX-License-Identifier: GPL-2.0-or-later
// What an operation needs of the host. Nothing in the library is global: whoever calls it owns
// one of these, on one thread.
#ifndef BLKCTL_VOLUME_CONTEXT_HPP
#define BLKCTL_VOLUME_CONTEXT_HPP

#include "dm/mapper.hpp"
#include "lvm/lvm.hpp"
#include "meta/device.hpp"
#include "udev/loops.hpp"
#include "udev/probe.hpp"
#include <chrono>
#include <memory>
#include <string>

namespace blkctl::volume
{

/*
 * A test knob: BLKCTL_KILL_AT_STEP=n in the environment makes the process kill itself (SIGKILL)
 * just before its n-th step, counted from 1 over every plan it runs; one more than the number of
 * steps kills it after the last. Undo steps count too. It is always compiled in: it can do no
 * more than `kill -9` can.
 */
struct KillKnob {
	unsigned at = 0; // 0 = off
	unsigned passed = 0;

	static KillKnob from_environment();
	void point();
};

struct Context {
	dm::Mapper &dm;
	udev::Probe &probe;
	udev::Loops &loops;
	lvm::Lvm &lvm;
	std::string run_dir = "/run/blkctl"; // locks and caches, never state
	static constexpr const char *default_state_dir = "/var/lib/blkctl";
	// Where metadata is that got no device of its own.
	std::string state_dir = default_state_dir;
	std::string tab_file = "/etc/blkctltab"; // which volumes come back at boot
	// What tells this boot from every other.
	std::string boot_id_file = "/proc/sys/kernel/random/boot_id";
	meta::Opener open_meta = meta::open_device;
	KillKnob knob;
	// How long a switch is put off for a device that does not answer what is on its way to it.
	std::chrono::milliseconds patience{10000};
};

// The running host. Errors: failed (not root, no device-mapper).
class Host
{
      public:
	static Result<Host> open();
	Context &context() { return *context_; }

      private:
	Host() = default;

	std::unique_ptr<dm::Mapper> dm_;
	std::unique_ptr<udev::Probe> probe_;
	std::unique_ptr<udev::Loops> loops_;
	std::unique_ptr<lvm::Lvm> lvm_;
	std::unique_ptr<Context> context_;
};

} // namespace blkctl::volume

#endif
