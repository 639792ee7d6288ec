// SPDX-License-Identifier: GPL-2.0-or-later
//
// The newest of what a metadata device has two copies of.
#ifndef BLKCTL_CRASH_READING_HPP
#define BLKCTL_CRASH_READING_HPP

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "meta.hpp"

namespace meta
{

class Reader
{
      public:
	explicit Reader(const char *path) : file_(open(path, O_RDONLY | O_CLOEXEC)) {}
	~Reader()
	{
		if (file_ >= 0)
			close(file_);
	}
	Reader(const Reader &) = delete;
	Reader &operator=(const Reader &) = delete;

	bool newest_super(blkcopy_meta_super &best) const
	{
		return newest(0, BLKCOPY_META_MAGIC_SUPER, {0, 1}, best);
	}
	bool newest_exact(const blkcopy_meta_super &super, uint64_t index,
			  blkcopy_meta_exact &best) const
	{
		return newest(super.first_exact + 2 * index, BLKCOPY_META_MAGIC_EXACT,
			      {index, index}, best);
	}
	// One that is bad counts as all marked.
	bool is_marked(const blkcopy_meta_super &super, uint64_t segment) const
	{
		const uint64_t index = segment / BLKCOPY_META_SEGMENTS;
		const uint64_t bit = segment % BLKCOPY_META_SEGMENTS;
		blkcopy_meta_intent intent;
		return !get(super.first_intent + index, &intent) ||
		       !good(&intent, BLKCOPY_META_MAGIC_INTENT, index) ||
		       intent.bits[bit / 8] >> bit % 8 & 1;
	}

      private:
	bool get(uint64_t at, void *sector) const
	{
		return pread(file_, sector, kSize, static_cast<off_t>(at * kSize)) ==
		       static_cast<ssize_t>(kSize);
	}
	template <typename Sector>
	bool newest(uint64_t at, uint64_t magic, std::array<uint64_t, 2> index, Sector &best) const
	{
		bool found = false;
		for (uint64_t i = 0; i < 2; i++) {
			Sector copy;
			if (!get(at + i, &copy) || !good(&copy, magic, index[i]) ||
			    (found && copy.header.generation < best.header.generation))
				continue;
			best = copy;
			found = true;
		}
		return found;
	}

	int file_;
};

// Of an image.
inline bool read_at(int file, std::vector<char> &to, uint64_t at, size_t n)
{
	to.resize(n);
	return pread(file, to.data(), n, static_cast<off_t>(at)) == static_cast<ssize_t>(n);
}

} // namespace meta

#endif
