// SPDX-License-Identifier: GPL-2.0-or-later
//
// replay LOG IMAGE STATE: writes into IMAGE what dm-log-writes has logged, from where
// the last call ended (in STATE) on, up to and with the next flush or FUA; prints how
// many entries that were and the last mark before. Exit status 3 when nothing is left.
// The format is that of drivers/md/dm-log-writes.c.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace
{

constexpr uint64_t kMagic = 0x6a736677736872ULL;
enum : uint64_t { kFlush = 1, kFua = 2, kDiscard = 4, kMark = 8 };

struct Super {
	uint64_t magic;
	uint64_t version;
	uint64_t entries;
	uint32_t sector_size;
};

struct Entry {
	uint64_t sector;
	uint64_t sectors;
	uint64_t flags;
	uint64_t data_length;
};

struct State {
	uint64_t done = 0;
	uint64_t at = 0; // bytes, in the log
	std::string mark = "0";

	explicit State(const char *path)
	{
		char text[256] = "";
		if (FILE *file = fopen(path, "r")) {
			if (fscanf(file, "%" SCNu64 " %" SCNu64 " %255s", &done, &at, text) == 3)
				mark = text;
			fclose(file);
		}
	}

	bool save(const char *path) const
	{
		FILE *file = fopen(path, "w");
		return file &&
		       fprintf(file, "%" PRIu64 " %" PRIu64 " %s\n", done, at, mark.c_str()) > 0 &&
		       fclose(file) == 0;
	}
};

bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
	return pread(fd, to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

int failed(const char *what)
{
	perror(what);
	return 1;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: replay LOG IMAGE STATE\n");
		return 2;
	}
	const int log = open(argv[1], O_RDONLY), image = open(argv[2], O_RDWR);
	Super super;
	if (log < 0 || image < 0 || !read_at(log, &super, sizeof(super), 0))
		return failed("open");
	if (super.magic != kMagic || super.version != 1) {
		fprintf(stderr, "%s: not a log\n", argv[1]);
		return 1;
	}
	State state(argv[3]);
	const uint64_t unit = super.sector_size;
	if (state.at == 0)
		state.at = unit;
	for (bool durable = false; !durable; state.done++) {
		std::vector<char> head(unit);
		Entry entry;

		if (state.done == super.entries)
			return 3;
		if (!read_at(log, head.data(), unit, state.at))
			return failed(argv[1]);
		memcpy(&entry, head.data(), sizeof(entry));
		state.at += unit;
		if (entry.flags & kMark)
			state.mark.assign(head.data() + sizeof(entry),
					  strnlen(head.data() + sizeof(entry), entry.data_length));
		std::vector<char> data(entry.sectors * unit);
		if (!(entry.flags & kDiscard)) {
			if (!read_at(log, data.data(), data.size(), state.at))
				return failed(argv[1]);
			state.at += data.size();
		}
		if (pwrite(image, data.data(), data.size(),
			   static_cast<off_t>(entry.sector * unit)) !=
		    static_cast<ssize_t>(data.size()))
			return failed(argv[2]);
		durable = entry.flags & (kFlush | kFua);
	}
	if (!state.save(argv[3]))
		return failed(argv[3]);
	printf("%" PRIu64 " %s\n", state.done, state.mark.c_str());
	return 0;
}
