// SPDX-License-Identifier: GPL-2.0-or-later
// --all: the same for one volume after the other.
#ifndef BLKCTL_CLI_ALL_HPP
#define BLKCTL_CLI_ALL_HPP

#include "base/error.hpp"
#include "cli/arguments.hpp"

namespace blkctl::cli
{

// Each on its own: one that goes wrong keeps no other from it. The first that did gives the status.
class All
{
      public:
	explicit All(const Arguments &args) : args_(args) {}

	void complain_of(Error error);
	Status status() const { return status_; }

      private:
	const Arguments &args_;
	Status status_ = Status::ok;
};

} // namespace blkctl::cli

#endif
