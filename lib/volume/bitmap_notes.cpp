// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/bitmap_notes.hpp"
#include "base/files.hpp"
#include <cerrno>
#include <optional>
#include <sstream>
#include <unistd.h>

namespace blkctl::volume
{

namespace
{

constexpr std::string_view forgotten_word = "forgotten";

// Neither name has a slash: dm and the kernel do not take one.
std::string note_file(const Context &context, const std::string &volume, const std::string &bitmap)
{
	return context.state_dir + "/" + volume + "." + bitmap + ".note";
}

Result<void> write_note(Context &context, const std::string &volume, const std::string &bitmap,
			const std::string &line)
{
	BLKCTL_CHECK(make_folder(context.state_dir));
	return replace_file_durably(note_file(context, volume, bitmap), line + "\n");
}

// What the note of a backup says as long as it holds: nothing, if the boot cannot be told. A name
// comes back on another volume.
std::optional<std::string> backup_line(Context &context, const Volume &volume)
{
	const auto since = volume.table.bitmaps ? std::optional<std::string>("durable")
						: read_line(context.boot_id_file);

	if (!since || since->empty())
		return std::nullopt;
	return "backup " + *since + " " + identity_of(volume.info);
}

} // namespace

BitmapNote bitmap_note(Context &context, const Volume &volume, const std::string &bitmap)
{
	using Kind = BitmapNote::Kind;
	const auto text = read_file(note_file(context, volume.name(), bitmap));
	std::istringstream lines(text.value_or(""));
	std::string line;
	BitmapNote note;

	std::getline(lines, line);
	if (line == forgotten_word)
		note.kind = Kind::forgotten;
	else if (line == backup_line(context, volume))
		note.kind = Kind::backup;
	else
		return note;
	while (std::getline(lines, line))
		if (!line.empty()) // of an image that nobody will know again
			note.images.push_back(line);
	return note;
}

Result<void> note_backup(Context &context, const dm::Info &info, const BackupRecord &record,
			 bool kept)
{
	// While that backup is under way nobody else clears its bitmap.
	BLKCTL_TRY(const auto lock, lock_backup(context, info, record.id));
	BLKCTL_TRY(const auto volume, find(context, info.devno));
	if (volume.table.mode != table::Mode::backup)
		return given_up(info);
	auto text = backup_line(context, volume);
	if (!text)
		return {};
	const auto before = bitmap_note(context, volume, record.bitmap);
	if (kept && before.kind == BitmapNote::Kind::backup)
		for (const auto &each : before.images)
			if (each != record.image)
				*text += "\n" + each;
	return write_note(context, volume.name(), record.bitmap, *text + "\n" + record.image);
}

Result<void> note_forgotten(Context &context, const Volume &volume, const std::string &bitmap)
{
	std::string text(forgotten_word);

	for (const auto &image : bitmap_note(context, volume, bitmap).images)
		text += "\n" + image;
	return write_note(context, volume.name(), bitmap, text);
}

bool has_bitmap_note(Context &context, const std::string &volume, const std::string &bitmap)
{
	return access(note_file(context, volume, bitmap).c_str(), F_OK) == 0;
}

Result<void> drop_bitmap_note(Context &context, const std::string &volume,
			      const std::string &bitmap)
{
	const auto file = note_file(context, volume, bitmap);

	if (unlink(file.c_str()) == 0)
		return sync_folder_of(file);
	if (errno == ENOENT)
		return {};
	return errno_error("remove", file, errno);
}

} // namespace blkctl::volume
