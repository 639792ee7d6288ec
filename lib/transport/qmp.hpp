// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU's monitor, as little of it as is needed: one command after the other, a line of JSON each.
// Internal to the library.
#ifndef BLKCTL_TRANSPORT_QMP_HPP
#define BLKCTL_TRANSPORT_QMP_HPP

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace blkctl::transport
{

class Qmp
{
      public:
	explicit Qmp(UniqueFd socket) : socket_(std::move(socket)) {}

	// Takes its greeting. Errors: as run().
	Result<void> greet();
	// What a command returns. Errors: failed (in QEMU's words, or it has hung up), timed_out.
	Result<boost::json::value> run(std::string_view command,
				       boost::json::object arguments = {});

	bool is_lost() const { return lost_; }

      private:
	Error error(std::string_view command, Status status, std::string why) const;
	Error lost(std::string_view command);
	Result<boost::json::object> next_line(std::string_view command);

	UniqueFd socket_;
	std::string ahead_; // what has come and was not asked for yet
	bool lost_ = false;
};

} // namespace blkctl::transport

#endif
