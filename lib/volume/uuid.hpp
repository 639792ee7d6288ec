// SPDX-License-Identifier: GPL-2.0-or-later
// How our devices are told from others': names and UUIDs. Internal to the library.
#ifndef BLKCTL_VOLUME_UUID_HPP
#define BLKCTL_VOLUME_UUID_HPP

#include <string>
#include <string_view>

namespace blkctl::volume
{

// hex: 32 digits, see random_hex() and hidden_hex().
std::string volume_uuid(const std::string &hex); // of a volume made by create
std::string hidden_uuid(const std::string &hex); // of the lower device of a stack

std::string view_uuid(const std::string &hex); // of the view of a volume

// The hex digits of the hidden device of a device with this UUID: the same after any renaming. Not
// for an empty one.
std::string hidden_hex(std::string_view uuid);

// The digits of one of these.
std::string hex_of(std::string_view uuid);

bool is_volume_uuid(std::string_view uuid);
bool is_hidden_uuid(std::string_view uuid);
bool is_view_uuid(std::string_view uuid);

bool is_lvm_uuid(std::string_view uuid);
// A layer of LVM's own below an LV: "LVM-<vg><lv>-tdata" and the like.
bool is_lvm_layer_uuid(std::string_view uuid);
// The device of an LV, and what LVM knows the VG and the LV by: 64 characters; empty if it is none.
std::string lvm_uuid(const std::string &id);
std::string lvm_id_of(std::string_view uuid);

// The hidden device's name: "NAME-blkreal", cut to what dm takes.
std::string hidden_name(const std::string &name);

// A hidden layer of a volume's chain: counted from 1, the lowest first; numbers of layers that are
// gone are not used again while there are higher ones.
std::string layer_uuid(const std::string &hex, unsigned number);
std::string layer_name(const std::string &name, unsigned number); // "NAME-blk2"
bool is_layer_uuid(std::string_view uuid);
unsigned layer_number(std::string_view uuid); // 0 for what is none

// The digits of all that belongs to a volume with this UUID and name.
std::string volume_hex(std::string_view uuid, std::string_view name);

// Whether a new volume may have this name: dm and udev take it unchanged.
bool is_good_name(std::string_view name);

} // namespace blkctl::volume

#endif
