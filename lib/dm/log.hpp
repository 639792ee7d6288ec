// SPDX-License-Identifier: GPL-2.0-or-later
// libdevmapper's log, caught: its errors belong in our Error, and its report output is a string
// to us. Nothing of it may reach stdout or stderr by itself. Internal to the library.
#ifndef BLKCTL_DM_LOG_HPP
#define BLKCTL_DM_LOG_HPP

#include <string>

namespace blkctl::dm
{

/*
 * While one lives, what libdevmapper logs on this thread goes into it; they nest. libdevmapper has
 * one log function for the process: the first capture installs ours, which drops what no capture
 * on the calling thread wants.
 */
class LogCapture
{
      public:
	LogCapture();
	~LogCapture();
	LogCapture(const LogCapture &) = delete;
	LogCapture &operator=(const LogCapture &) = delete;

	const std::string &errors() const { return errors_; } // the first error, in its words
	const std::string &output() const { return output_; } // what reports print
	// What reports say on the side: the list of fields that "help" asks for.
	const std::string &warnings() const { return warnings_; }

	void add(int level, std::string text);

      private:
	LogCapture *outer_;
	std::string errors_;
	std::string output_;
	std::string warnings_;
};

} // namespace blkctl::dm

#endif
