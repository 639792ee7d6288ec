// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is on the disks after a cut: what was durable, and of the rest whatever
// the seed says, each change perhaps torn.
#include <algorithm>
#include <cinttypes>

#include "server.hpp"

namespace powercut
{

namespace
{

// Ways in which caches lose their content; each brings out other mistakes.
enum Style {
	kByDisk,    // each disk with a chance of its own, none and all among them
	kByChange,  // each change with the same chance
	kAllButOne, // one change is lost
	kOnlyOne,   // one change is kept
	kInOrder,   // all up to one, which is torn
	kStyles,
};
const char *const kStyleNames[] = {"by disk", "by change", "all but one", "only one", "in order"};

class Tear
{
      public:
	Tear(std::mt19937_64 &random, uint64_t count)
		: random_(random), how_(random() % 3), at_(random() % (count + 1))
	{
	}
	bool operator()(uint64_t i)
	{
		return how_ == 0 ? i < at_ : how_ == 1 ? i >= at_ : random_() % 2;
	}

      private:
	std::mt19937_64 &random_;
	uint64_t how_, at_;
};

} // namespace

void Server::settle()
{
	struct Loose {
		Disk *disk;
		const Pending *change;
	};
	std::vector<Loose> all;
	std::vector<unsigned> chance; // of 4, by disk
	for (const auto &disk : disks_) {
		chance.push_back(random_() % 5);
		for (const auto &p : disk->pending())
			all.push_back({disk.get(), &p});
	}
	std::sort(all.begin(), all.end(),
		  [](const Loose &a, const Loose &b) { return a.change->order < b.change->order; });
	auto style = static_cast<Style>(random_() % kStyles);
	uint64_t one = all.empty() ? 0 : random_() % all.size(), kept = 0, torn = 0;
	unsigned tears = random_() % 2;
	auto chance_of = [&](const Disk *disk) {
		for (size_t i = 0; i < disks_.size(); i++)
			if (disks_[i].get() == disk)
				return chance[i];
		return 0u;
	};
	for (uint64_t i = 0; i < all.size(); i++) {
		Disk &disk = *all[i].disk;
		const Pending &p = *all[i].change;
		bool keep = false, tear = false;
		switch (style) {
		case kByDisk:
			keep = random_() % 4 < chance_of(&disk);
			break;
		case kAllButOne:
			keep = i != one;
			break;
		case kOnlyOne:
			keep = i == one;
			break;
		case kInOrder:
			keep = i <= one;
			tear = i == one;
			break;
		default:
			keep = random_() % 2;
		}
		if (!keep)
			continue;
		// The one in which the power went is torn more often than others.
		tear = tear || random_() % 4 < (p.order == order_ ? 2 : tears);
		tear = tear && p.count > 1;
		kept++;
		torn += tear;
		Tear parts(random_, p.count);
		disk.harden_sectors(p, [&](uint64_t at) { return !tear || parts(at); });
	}
	fprintf(log_, "; %s: of %zu not durable %" PRIu64 " stay, %" PRIu64 " of them torn",
		kStyleNames[style], all.size(), kept, torn);
}

} // namespace powercut
