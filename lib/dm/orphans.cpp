// SPDX-License-Identifier: GPL-2.0-or-later
#include "dm/orphans.hpp"
#include "base/files.hpp"
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <memory>
#include <optional>
#include <sstream>
#include <sys/file.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

namespace blkctl::dm
{

namespace
{

constexpr std::string_view note_prefix = ".new-";
constexpr unsigned cookie_bits = 16; // below libdevmapper's magic, in a key

bool is_at(int fd, const std::string &path)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && lstat(path.c_str(), &named) == 0 &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

bool lock(int fd)
{
	while (flock(fd, LOCK_EX) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

template <class T> std::optional<T> number_in(std::string_view text, int base)
{
	T number = 0;
	const auto [end, error] =
		std::from_chars(text.data(), text.data() + text.size(), number, base);

	if (error != std::errc() || end != text.data() + text.size() || text.empty())
		return std::nullopt;
	return number;
}

// Who waits for a dead process's cookie is dead too.
void remove_semaphore(int id)
{
	semctl(id, 0, IPC_RMID);
}

// Written down, and still the same one: not another's that has got the key since.
void sweep_record(int fd, uint32_t cookie)
{
	char text[32] = {};
	const auto length = read(fd, text, sizeof(text) - 1);
	const auto semaphore =
		number_in<int>({text, length > 0 ? static_cast<size_t>(length) : 0}, 10);

	if (semaphore && *semaphore == semget(static_cast<key_t>(cookie), 1, 0))
		remove_semaphore(*semaphore);
}

// Announced, and not written down: if it was made, its maker is the last that touched it.
void sweep_note(pid_t maker)
{
	const auto text = read_file("/proc/sysvipc/sem");

	for (const auto &each : cookies_in(text.value_or("")))
		if (semctl(each.id, 0, GETPID) == maker)
			remove_semaphore(each.id);
}

void sweep_file(const std::string &folder, const std::string &name)
{
	const auto path = folder + "/" + name;
	const bool is_note = name.starts_with(note_prefix);
	// Neither is ever 0.
	const pid_t maker =
		is_note ? number_in<pid_t>(name.substr(note_prefix.size()), 10).value_or(0) : 0;
	const uint32_t cookie = is_note ? 0 : number_in<uint32_t>(name, 16).value_or(0);

	if (maker <= 0 && cookie == 0)
		return;
	const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
	if (!fd || flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
		return;
	// By now the name may be another process's.
	if (!is_at(fd.get(), path))
		return;
	// A note's maker locks it a moment after it has made it.
	if (is_note && kill(maker, 0) == 0)
		return;
	if (is_note)
		sweep_note(maker);
	else
		sweep_record(fd.get(), cookie);
	unlink(path.c_str());
}

} // namespace

std::vector<Semaphore> cookies_in(std::string_view sysvipc)
{
	std::vector<Semaphore> found;
	std::istringstream lines{std::string(sysvipc)};
	std::string line;

	while (std::getline(lines, line)) {
		std::istringstream words(line);
		int64_t key = 0;
		Semaphore semaphore;
		if (!(words >> key >> semaphore.id))
			continue; // the headings
		semaphore.cookie = static_cast<uint32_t>(key);
		if (semaphore.cookie >> cookie_bits == DM_COOKIE_MAGIC)
			found.push_back(semaphore);
	}
	return found;
}

Result<Note> announce_cookie(const std::string &folder)
{
	Note note{{}, folder + "/" + std::string(note_prefix) + std::to_string(getpid())};

	// A sweep may hold it for a moment before we do, or have taken it for a dead process's.
	do {
		note.lock.reset(open(note.path.c_str(),
				     O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
		if (!note.lock || !lock(note.lock.get()))
			return errno_error("write down a udev cookie", note.path, errno);
	} while (!is_at(note.lock.get(), note.path));
	return note;
}

Result<void> record_cookie(const std::string &folder, Note &note, uint32_t cookie)
{
	const auto content = std::to_string(semget(static_cast<key_t>(cookie), 1, 0));
	char name[16];

	std::snprintf(name, sizeof(name), "/%08x", cookie);
	const auto path = folder + name;
	if (write(note.lock.get(), content.data(), content.size()) !=
		    static_cast<ssize_t>(content.size()) ||
	    rename(note.path.c_str(), path.c_str()) != 0)
		return errno_error("write down a udev cookie", path, errno);
	note.path = path;
	return {};
}

void sweep_orphans(const std::string &folder)
{
	const std::unique_ptr<DIR, int (*)(DIR *)> dir(opendir(folder.c_str()), closedir);

	while (const auto *entry = dir ? readdir(dir.get()) : nullptr)
		sweep_file(folder, entry->d_name);
}

} // namespace blkctl::dm
