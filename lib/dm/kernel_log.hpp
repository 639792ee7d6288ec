// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel says why it refuses a table or a message in its log only. Internal to the library.
#ifndef BLKCTL_DM_KERNEL_LOG_HPP
#define BLKCTL_DM_KERNEL_LOG_HPP

#include "base/unique_fd.hpp"
#include <string>
#include <string_view>

namespace blkctl::dm
{

class KernelLog
{
      public:
	// Starts reading at the end of the log; without rights to it, reads nothing.
	KernelLog();

	// The reason in the device-mapper's last line since the start; empty if there is none.
	std::string reason();

      private:
	UniqueFd fd_;
};

// The reason in one record of /dev/kmsg, without the device-mapper's own prefixes; empty if the
// record is no such line. Pure, for tests.
std::string reason_in_record(std::string_view record);

} // namespace blkctl::dm

#endif
