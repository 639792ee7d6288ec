// SPDX-License-Identifier: GPL-2.0-or-later
// The device-mapper as blkctl uses it. Mapper is the seam that unit tests put recorded tables
// behind; dm::Kernel (kernel.hpp) is the real one.
#ifndef BLKCTL_DM_MAPPER_HPP
#define BLKCTL_DM_MAPPER_HPP

#include "base/devno.hpp"
#include "base/error.hpp"
#include "dm/events.hpp"
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace blkctl::dm
{

// One line of a table, or of its status. Sectors are 512 bytes.
struct Target {
	uint64_t start = 0;
	uint64_t length = 0;
	std::string type = {};
	std::string params = {};

	bool operator==(const Target &) const = default;
	std::string str() const; // "0 2048 linear 8:0 0"
};

using Table = std::vector<Target>;

// A line without the secret it may hold: the key of a crypt line becomes zeros.
Target redacted(Target target);

// Sectors from the first line to the end of the last.
uint64_t table_sectors(const Table &table);

struct Info {
	std::string name = {};
	std::string uuid = {};
	DevNo devno = {};
	bool suspended = false;
	bool read_only = false;
	bool live_table = false;
	bool inactive_table = false;
	int open_count = 0;
	uint32_t event_nr = 0;
};

struct Listed {
	std::string name = {};
	DevNo devno = {};
};

struct TargetVersion {
	std::string name = {};
	std::array<uint32_t, 3> version{};
};

enum class Slot { live, inactive };

// Who may see a device: a hidden one carries the flags that keep blkid, LVM, multipath and
// systemd away from it.
enum class Visibility { visible, hidden };

struct LoadOptions {
	bool read_only = false;   // must be what Info says of the device, or it turns writable
	bool secure_data = false; // the table holds a key: wipe every copy of it
};

struct ResumeOptions {
	Visibility visibility = Visibility::visible;
	bool flush = false;  // wait for queued I/O in the suspend inside the switch
	bool lockfs = false; // freeze the filesystem in it; only a consistent point needs that
};

struct ResumeResult {
	std::chrono::nanoseconds window{}; // how long the RESUME ioctl took; udev not counted
	bool udev_timed_out = false;       // the switch is done, udev did not answer in time
};

// How many devices may switch at one instant; of filesystems and messages as many.
inline constexpr size_t most_in_group = 64;

// To a target while its device is suspended: of the instant, as the switch is.
struct GroupMessage {
	DevNo device = {};
	std::string text = {};
	std::string undo = {}; // sent if the window is taken back
};

struct GroupOptions {
	std::vector<std::string> mounts = {}; // filesystems to freeze, each by a mount point
	std::vector<GroupMessage> messages = {};
	std::vector<DevNo> lockfs = {}; // devices whose filesystem the kernel freezes
	std::chrono::milliseconds deadline{60000};
	std::function<void()> point = [] {}; // before each call: a test may die there
	// Loads the table that a device had before, for one that is suspended with a new one.
	std::function<void(DevNo)> load_old = [](DevNo) {};
};

struct GroupResult {
	std::chrono::nanoseconds window{}; // from the first suspend to the last resume
	std::chrono::nanoseconds freeze{}; // the filesystems' writers waited so long
	bool udev_timed_out = false;
};

/*
 * All calls: not thread-safe (libdevmapper is not); one thread owns a Mapper.
 * Errors: not_found if the device is not there, busy for EBUSY, failed otherwise; `why` is
 * libdevmapper's own words where it had some, sys_errno the ioctl's errno.
 */
class Mapper
{
      public:
	virtual ~Mapper() = default;

	virtual Result<std::vector<Listed>> list() = 0;
	virtual Result<Info> info(DevNo device) = 0;
	virtual Result<Info> find_name(std::string_view name) = 0;

	// The table of a slot, empty if there is none in it. With secret, keys are in it and the
	// kernel's and libdevmapper's copies are wiped; without, a crypt line shows zeros.
	virtual Result<Table> table(DevNo device, Slot slot, bool secret) = 0;

	// The status lines of the live table; never makes the device flush.
	virtual Result<Table> status(DevNo device) = 0;

	// The devices that the tables of a device hold open.
	virtual Result<std::vector<DevNo>> deps(DevNo device) = 0;

	// Makes a device without a table; no node appears before it is resumed.
	virtual Result<DevNo> create(const std::string &name, const std::string &uuid) = 0;

	// Puts a table in the inactive slot, in place of what is there.
	virtual Result<void> load(DevNo device, const Table &table, const LoadOptions &options) = 0;

	// The switch: one RESUME ioctl; the kernel suspends, swaps and resumes inside it. udev is
	// waited for afterwards, with a deadline.
	virtual Result<ResumeResult> resume(DevNo device, const ResumeOptions &options) = 0;

	/*
	 * The switch of several devices at one instant, suspended in this order: all of them, or,
	 * with an error, none, and what was loaded is gone. Messages are sent in that instant.
	 * Whoever is killed meanwhile leaves nothing suspended or frozen. An error of a table that
	 * a target only refuses when it is resumed is the exception: that device goes on with its
	 * old one, what it was sent is taken back, and others may have switched. It stays suspended
	 * if the old one is refused as well.
	 */
	virtual Result<GroupResult> switch_all(const std::vector<DevNo> &devices,
					       const GroupOptions &options) = 0;

	// Empties the inactive slot.
	virtual Result<void> clear(DevNo device) = 0;

	// Removes a device; retries for a few seconds while a prober has it open.
	virtual Result<void> remove(DevNo device, Visibility visibility) = 0;

	// Sends a message to the target at a sector; returns its answer, often empty.
	virtual Result<std::string> message(DevNo device, uint64_t sector,
					    const std::string &text) = 0;

	// The target types the kernel has registered now.
	virtual Result<std::vector<TargetVersion>> targets() = 0;

	// A new subscription to events.
	virtual Result<std::unique_ptr<Events>> events() = 0;
};

} // namespace blkctl::dm

#endif
