// SPDX-License-Identifier: GPL-2.0-or-later
// A recorded host behind the library's seams. It stands in for decisions only: which table goes
// where, what is refused, what is left after a kill. What a kernel does with a table is tested on a
// real one.
#ifndef BLKCTL_TESTS_FAKE_HOST_HPP
#define BLKCTL_TESTS_FAKE_HOST_HPP

#include "dm/mapper.hpp"
#include "table/blkcopy.hpp"
#include "udev/loops.hpp"
#include "udev/probe.hpp"
#include "volume/context.hpp"
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>

namespace blkctl::fake
{

// Every MAJ:MIN that a table holds. A view does not open the volume that it is of.
std::vector<DevNo> devices_in(const dm::Table &table);

Error no_device(const std::string &device);

// What a kill looks like to the code under test: it unwinds, and nothing more is done.
struct Killed : std::runtime_error {
	Killed() : std::runtime_error("killed") {}
};

struct Device {
	dm::Info info = {};
	dm::Table live = {};
	dm::Table inactive = {};
	bool inactive_read_only = false;
	table::BlkcopyStatus status = {};
};

class Events final : public dm::Events
{
      public:
	explicit Events(std::function<void()> on_wait) : on_wait_(std::move(on_wait)) {}
	Result<void> arm() override { return {}; }
	Result<bool> wait(std::chrono::milliseconds) override
	{
		on_wait_();
		return true;
	}

      private:
	std::function<void()> on_wait_;
};

class Mapper final : public dm::Mapper
{
      public:
	std::map<DevNo, Device> devices;
	bool module = true;
	bool pivot_at_once = true;
	bool answers = true;            // a device that is left behind, of what is on its way to it
	bool suspend_in_resume = false; // the next resume swaps, fails, and leaves it suspended
	std::set<DevNo> refused;        // their new tables, when a switch_all resumes them
	bool refused_by_target = false; // which are live by then
	std::function<void()> on_wait = [] { throw std::logic_error("nothing to wait for"); };
	std::function<void()> on_info = [] {};   // before each look at a device
	std::function<void()> on_status = [] {}; // before each reading of a status
	std::function<void()> on_load = [] {};   // what others do meanwhile
	std::function<void()> on_remove = [] {}; // after each
	std::function<void(Device &)> on_switch = [](Device &) {};
	std::map<std::string, std::string> lists; // what is answered to messages that list
	std::vector<std::string> calls;           // the ones that change something
	dm::GroupOptions group;                   // of the last switch_all
	std::string fail;                         // a call that is refused: "load", "resume", ...
	int kill_after = -1;  // dies in the n-th changing call (from 0): done, not answered
	int kill_before = -1; // the same, not done

	Device &add(const std::string &name, const std::string &uuid, DevNo devno,
		    const dm::Table &table);
	Device &at(DevNo devno) { return devices.at(devno); }
	Device *named(const std::string &name);
	bool is_held(DevNo devno) const;

	Result<std::vector<dm::Listed>> list() override;
	Result<dm::Info> info(DevNo device) override;
	Result<dm::Info> find_name(std::string_view name) override;
	Result<dm::Table> table(DevNo device, dm::Slot slot, bool secret) override;
	Result<dm::Table> status(DevNo device) override;
	Result<std::vector<DevNo>> deps(DevNo device) override;
	Result<DevNo> create(const std::string &name, const std::string &uuid) override;
	Result<void> load(DevNo device, const dm::Table &table,
			  const dm::LoadOptions &options) override;
	Result<dm::ResumeResult> resume(DevNo device, const dm::ResumeOptions &options) override;
	Result<dm::GroupResult> switch_all(const std::vector<DevNo> &devices,
					   const dm::GroupOptions &options) override;
	Result<void> clear(DevNo device) override;
	Result<void> remove(DevNo device, dm::Visibility visibility) override;
	Result<std::string> message(DevNo device, uint64_t sector,
				    const std::string &text) override;
	Result<std::vector<dm::TargetVersion>> targets() override;
	Result<std::unique_ptr<dm::Events>> events() override;

	// Runs a change, of LVM's too, unless it is to be refused or the process to die around it.
	Result<void> change(const std::string &call, const std::string &what,
			    const std::function<Result<void>()> &effect);

      private:
	Result<Device *> find(DevNo device);
	bool is_left(DevNo device);
	Result<void> bitmap_message(Device &device, const std::string &text);
	void start_status(Device &device);
	void swap(Device &device);
	void refuse(Device &device, const dm::GroupOptions &options);
};

class Probe final : public udev::Probe
{
      public:
	std::map<DevNo, udev::BlockDevice> devices;
	std::map<DevNo, std::vector<udev::Use>> used;
	std::map<DevNo, udev::Signature> signatures;
	std::map<DevNo, std::string> identities; // "name:..." if there is none
	std::vector<udev::LoopDevice> loop_devices;
	std::map<DevNo, std::vector<DevNo>> lower;             // what sysfs has below a device
	std::map<std::string, std::vector<DevNo>> filesystems; // by their folder; else on none
	std::string unknown;              // a folder of which nothing tells where it is
	std::map<DevNo, uint8_t> content; // what all bytes of a device are; 0 if not given
	std::map<DevNo, std::map<uint64_t, uint8_t>> bytes; // but these, by their place
	std::set<DevNo> unreadable;
	Mapper *mapper = nullptr; // so that its devices resolve too

	void add(DevNo devno, const std::string &path, uint64_t sectors);

	Result<DevNo> resolve(std::string_view text) override;
	Result<udev::BlockDevice> describe(DevNo device) override;
	Result<std::vector<udev::Use>> uses(DevNo device) override;
	Result<std::optional<udev::Signature>> signature(DevNo device) override;
	Result<std::string> identity(DevNo device) override;
	Result<DevNo> find_identity(const std::string &identity) override;
	std::vector<DevNo> built_on(DevNo device) override;
	Result<std::vector<DevNo>> devices_of(const std::string &file) override;
	std::vector<udev::LoopDevice> loops() override { return loop_devices; }
	Result<std::vector<uint8_t>> read(DevNo device, uint64_t at, size_t count) override;
	UniqueFd hold(DevNo device) override;

	std::vector<DevNo> held; // that somebody has asked for
};

// Loop devices 7:0, 7:1, ... over files that are really made.
class Loops final : public udev::Loops
{
      public:
	Probe *probe = nullptr;

	Result<void> make(const std::string &path, uint64_t bytes) override;
	Result<void> unmake(const std::string &path) override;
	Result<DevNo> attach(const std::string &path) override;
	Result<void> detach(DevNo device) override;
	bool is_ours(DevNo device) override { return ours.count(device) != 0; }

	std::set<DevNo> ours;

      private:
	udev::SystemLoops real_;
};

// LVM with these LVs.
class Lvm final : public lvm::Lvm
{
      public:
	std::vector<lvm::LogicalVolume> lvs;
	bool fails = false;
	Mapper *mapper = nullptr;

	Result<std::vector<lvm::LogicalVolume>> list() override;
	Result<void> set_skipped(const lvm::LogicalVolume &lv, bool skipped) override;
};

// A host with three 64 MiB disks a, b (8:0, 8:16), small (8:32, 32 MiB), and a folder for locks.
struct Host {
	Mapper mapper;
	Probe probe;
	Loops loops;
	Lvm lvm;
	std::string run_dir;
	volume::Context context;
	// A loop device's file in its place.
	Result<std::unique_ptr<meta::Device>> open_meta(const std::string &path,
							meta::Access access);

	// This is another boot from here on.
	void boot(const std::string &id);

	Host();
	~Host();
	Host(const Host &) = delete;
	Host &operator=(const Host &) = delete;

	// A created volume v0 (253:0) over a.
	Device &add_volume();
	// An attached LV vg-lv (253:7) of disk_sectors, 2048 sectors into the PV 8:48 (/dev/sdd).
	Device &add_lv();
	// Its table becomes a mirror to b, in this phase.
	Device &add_copy(table::Phase phase);
	// A volume that is an overlay, stream or commit of b, with metadata on small.
	Device &add_overlay(const std::string &mode);
	// Its table becomes this one: what another command did meanwhile.
	void set_table(const std::string &params);
};

inline constexpr DevNo disk_a{8, 0}, disk_b{8, 16}, disk_small{8, 32}, disk_pv{8, 48};
inline constexpr uint64_t disk_sectors = 131072;
inline constexpr DevNo volume_number{253, 0};

} // namespace blkctl::fake

#endif
