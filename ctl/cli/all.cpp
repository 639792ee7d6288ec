// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/all.hpp"
#include "cli/terminal.hpp"
#include "cli/verb.hpp"
#include "report/report.hpp"

namespace blkctl::cli
{

void All::complain_of(Error error)
{
	if (error.what.empty())
		error.what = args_.verb().name;
	if (args_.flag("json"))
		tell(report::json_error(error));
	complain("blkctl: " + error.message());
	if (status_ == Status::ok)
		status_ = error.status;
}

} // namespace blkctl::cli
