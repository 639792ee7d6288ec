// SPDX-License-Identifier: GPL-2.0-or-later
// The steps plans are made of. Internal to the library.
#ifndef BLKCTL_VOLUME_STEPS_HPP
#define BLKCTL_VOLUME_STEPS_HPP

#include "volume/lock.hpp"
#include "volume/operations.hpp"
#include "volume/plan.hpp"
#include "volume/volume.hpp"
#include <functional>
#include <map>

namespace blkctl::volume
{

// One verb at work: its plan, and what it will report. Steps hold references into it, so it stays
// where it is.
class Change
{
      public:
	Change(Context &context, std::string verb, Run run);
	Change(const Change &) = delete;
	Change &operator=(const Change &) = delete;

	// The dm device that a person means, locked, as it is since then; a dry run takes no lock.
	// Errors: not_found; busy if another device has got its number while the lock was waited
	// for.
	Result<dm::Info> open(const std::string &text);
	Result<void> lock_name(const std::string &name);

	// Loads the kernel module if it is not there.
	Result<void> need_module();

	void add(Step step) { plan_.push_back(std::move(step)); }

	// The table that the plan is made from: a switch refuses if another one is live by then.
	Result<dm::Table> read_live(DevNo device);

	// Puts a table in the inactive slot; undone by clearing it. `device` keeps its read-only
	// flag.
	void load(const dm::Info &device, dm::Table table, bool secret = false);

	// The same for a table that is only known when its turn comes.
	void load(const dm::Info &device, const std::string &text,
		  const std::function<dm::Table()> &table, bool secret = false);

	// The switch to the loaded table. With `before`, undone by switching back to it.
	void switch_table(const dm::Info &device, const std::optional<dm::Table> &before = {},
			  std::optional<DevNo> target = {}, const dm::ResumeOptions &options = {});

	// The switch of several at one instant; see Mapper::switch_all. `freeze` whether
	// filesystems are frozen; `messages` are of that instant too.
	void switch_tables(const std::vector<dm::Info> &devices, bool freeze,
			   const std::vector<dm::GroupMessage> &messages = {});

	void clear(const dm::Info &device);
	void remove_hidden(const dm::Info &device);
	void message(const dm::Info &device, const std::string &text, const std::string &undo = {});

	// Runs the plan, unless it is a dry run, and reports.
	Result<Outcome> finish(const dm::Info &device);
	Result<Outcome> nothing_to_do(const dm::Info &device);

	Context &context() { return context_; }
	const std::string &verb() const { return verb_; }
	bool dry() const { return run_ == Run::dry; }
	Outcome &outcome() { return outcome_; }

      private:
	Result<void> do_switch(const dm::Info &device, const std::optional<DevNo> &target,
			       const dm::ResumeOptions &options);
	Result<void> do_switch_all(const std::vector<dm::Info> &devices, bool freeze,
				   const std::vector<dm::GroupMessage> &messages);
	Error failed_switch(const std::vector<dm::Info> &devices, Error error);
	Result<void> check_slots(const dm::Info &device, const dm::Table &live);
	Result<void> unload(DevNo device);
	Result<void> go_back(const dm::Info &device, const dm::Table &table);

	Context &context_;
	std::string verb_;
	Run run_;
	std::vector<Lock> locks_;
	Plan plan_;
	std::map<DevNo, dm::Table> live_;   // what is live as far as this change knows
	std::map<DevNo, dm::Table> loaded_; // what it loaded last
	bool switched_some_ = false;        // in a switch of several that has failed
	Outcome outcome_;
};

// An error of a verb about a device.
Error refusal(Status status, const std::string &verb, const std::string &device, std::string why,
	      std::string next = {});

// More for the user, behind what there is.
void add_note(std::string &note, const std::string &more);

// A message's errno in words.
Error message_error(Error error, const dm::Info &device, const std::string &text);

Result<bool> has_module(Context &context);

// Whether a verb is for the hidden devices of volumes as well: one that only tells a job how to run
// is, as each layer has a job of its own.
enum class Hidden { refused, allowed };

// A volume that is to be changed. Errors: busy if it is suspended; those of check_not_hidden().
Result<Volume> find_for_change(Change &change, DevNo device, Hidden hidden = Hidden::refused);

// Of a verb about copies: a volume that lives on two devices, or has a view, has none. Errors:
// busy, with what to do instead.
Result<void> check_no_overlay(const std::string &verb, const Volume &volume);

// What a killed attach, detach or pivot left: the hidden device of `device` that its live table
// does not use. One that is open is none: it belongs to a volume that had this name before.
Result<std::optional<dm::Info>> find_leftover(Context &context, const dm::Info &device);

// Adds what undoes a killed command's loaded table. Errors: busy if somebody else loaded it.
Result<void> clear_stale(Change &change, const dm::Info &device);

// Whether two tables are the same but for what a message changes: a copy's parameters and pause.
bool same_table(const dm::Table &a, const dm::Table &b);

// A table of one line over the whole volume.
dm::Table blkcopy_table(uint64_t sectors, const table::Blkcopy &table);
dm::Table track_table(const Volume &volume, const table::Leg &base);
// Of a line in words, not of mode track: what comes behind the block size.
std::string options_text(const table::Blkcopy &table);

// Every device below these, and the whole disks of partitions among them; with themselves. What a
// loop device's file is on is below it.
std::vector<DevNo> below(Context &context, std::vector<DevNo> devices);

// "NAME (253:0)"
std::string label(const dm::Info &device);

} // namespace blkctl::volume

#endif
