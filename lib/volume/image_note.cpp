// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/image_note.hpp"
#include "base/files.hpp"
#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace blkctl::volume
{

std::string image_note(Context &context, DevNo device)
{
	const auto identity = context.probe.identity(device);
	auto name = identity ? *identity : device.str();

	std::replace(name.begin(), name.end(), '/', '_');
	return context.state_dir + "/unfinished-" + name;
}

Result<void> drop_image_notes(Context &context, DevNo device)
{
	bool dropped = false;

	for (const auto each : below(context, {device})) {
		const auto file = image_note(context, each);
		if (unlink(file.c_str()) == 0)
			dropped = true;
		else if (errno != ENOENT)
			return errno_error("remove", file, errno);
	}
	return dropped ? sync_folder_of(context.state_dir + "/") : Result<void>();
}

void add_end_of_image(Change &change, DevNo device)
{
	auto &context = change.context();
	const auto devices = below(context, {device});

	if (std::any_of(devices.begin(), devices.end(), [&](DevNo each) {
		    return access(image_note(context, each).c_str(), F_OK) == 0;
	    }))
		change.add({"forget which backup " + device_path(context, device) + " holds",
			    [&context, device] { return drop_image_notes(context, device); },
			    {}});
}

} // namespace blkctl::volume
