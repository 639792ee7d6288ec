// SPDX-License-Identifier: GPL-2.0-or-later
// What this host remembers of volumes since boot: their last switch, read by last_switch(), and
// where they were attached. Internal to the library.
#ifndef BLKCTL_VOLUME_CACHE_HPP
#define BLKCTL_VOLUME_CACHE_HPP

#include "volume/lock.hpp"
#include "volume/volume.hpp"

namespace blkctl::volume
{

// Never fails: what cannot be written is not remembered.
void remember_switch(Context &context, const dm::Info &info, const LastSwitch &last);
void forget_switch(Context &context, const dm::Info &info);

// What the one linear line of a device led to when it was attached; nullopt if that is not known,
// or it had another table.
void remember_origin(Context &context, const dm::Info &info, const table::Leg &origin);
std::optional<table::Leg> origin(Context &context, const dm::Info &info);
void forget_origin(Context &context, const dm::Info &info);

// The bitmap that was frozen at the instant of the views a volume has; nullopt: none, as far as is
// known. It is written down right before the instant, and gone once somebody freezes it anew.
void remember_frozen(Context &context, const dm::Info &info, const std::string &bitmap);
void forget_frozen(Context &context, const dm::Info &info);
std::optional<std::string> frozen_bitmap(Context &context, const dm::Info &info);

// A backup of a volume under way: what it was asked for, and how far it is. It is written down by
// view_all(), right before its instant, and gone with its end: what is there is of the view there
// is.
struct BackupRecord {
	std::string id = {};               // of the instant; of several volumes the same
	std::string request = {};          // who asks for the same goes on with it
	std::string bitmap = {};           // frozen for it; empty: none
	std::optional<uint64_t> kept = {}; // blocks in that: another number is another freeze
	bool full = false;
	std::string path = {};   // of the target, as it was asked for
	std::string target = {}; // the very file or device that is written to; empty: none yet
	std::string store = {};  // a file that was made for it
	bool renaming = false;   // all is written to a part, which gets its name now
	bool copied = false;     // all of it is done but its end
	std::string image = {};  // what that is known by, as it was then
	uint64_t done = 0;       // bytes from the beginning that are safe on the target
};
Result<void> remember_backup(Context &context, const dm::Info &info, const BackupRecord &record);
// Only if it is still there; takes the lock of the volume. Errors: also aborted, busy.
Result<void> update_backup(Context &context, const dm::Info &info, const BackupRecord &record);
std::optional<BackupRecord> backup_record(Context &context, const dm::Info &info);
void forget_backup(Context &context, const dm::Info &info);
// The lock of the volume, for what is done only while that backup is its own. Errors: aborted,
// busy.
Result<Lock> lock_backup(Context &context, const dm::Info &info, const std::string &id);
Error given_up(const dm::Info &info);

// A device number may come back on another device: the UUID tells, or the name where there is
// none.
std::string identity_of(const dm::Info &info);

// Now, UTC, RFC 3339, with milliseconds if asked for.
std::string timestamp(bool milliseconds);

} // namespace blkctl::volume

#endif
