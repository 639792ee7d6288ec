// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/log.hpp"
#include <cstdarg>
#include <cstdio>
#include <libdevmapper.h>
#include <vector>

namespace blkctl::dm
{

namespace
{

// lib/log/log.h of lvm2: the level is in the low three bits; a warning that does not carry the
// stderr bit is not a warning but output.
constexpr int level_mask = 0x07;
constexpr int level_error = 3;
constexpr int level_warning = 4;
constexpr int to_stderr = 0x80;

thread_local LogCapture *current = nullptr;

__attribute__((format(printf, 5, 6))) void catch_log(int level, const char *, int, int,
						     const char *format, ...)
{
	if (!current || (level & level_mask) > level_warning)
		return;

	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	const int length = std::vsnprintf(nullptr, 0, format, args);
	va_end(args);
	if (length >= 0) {
		std::vector<char> buffer(static_cast<size_t>(length) + 1);
		std::vsnprintf(buffer.data(), buffer.size(), format, again);
		current->add(level, std::string(buffer.data(), static_cast<size_t>(length)));
	}
	va_end(again);
}

} // namespace

LogCapture::LogCapture() : outer_(current)
{
	current = this;
	dm_log_with_errno_init(catch_log);
}

LogCapture::~LogCapture()
{
	current = outer_;
}

void LogCapture::add(int level, std::string text)
{
	if ((level & level_mask) == level_warning && !(level & to_stderr))
		output_ += text + "\n";
	else if ((level & level_mask) == level_warning)
		warnings_ += text + "\n";
	else if ((level & level_mask) <= level_error && errors_.empty())
		errors_ = std::move(text);
}

} // namespace blkctl::dm
