// SPDX-License-Identifier: GPL-2.0-or-later
//
// hog MIB SECONDS: holds that much anonymous memory, rewrites pages of it at
// random and checks each page it comes by. More than the machine has, so it
// lives in swap.
#include <sys/mman.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace
{

constexpr size_t kPage = 4096, kWords = kPage / 8;

uint64_t word(size_t page, uint32_t version, size_t i)
{
	return page * 0x9e3779b97f4a7c15ull ^ (version * 0xbf58476d1ce4e5b9ull) ^ i;
}

void write_page(uint64_t *p, size_t page, uint32_t version)
{
	for (size_t i = 0; i < kWords; i++)
		p[i] = word(page, version, i);
}

bool right(const uint64_t *p, size_t page, uint32_t version)
{
	for (size_t i = 0; i < kWords; i++)
		if (p[i] != word(page, version, i))
			return false;
	return true;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	size_t pages = strtoull(argv[1], nullptr, 10) << 20 >> 12;
	auto end = std::chrono::steady_clock::now() + std::chrono::seconds(atoi(argv[2]));
	void *m = mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return 2;
	auto *mem = static_cast<uint64_t *>(m);
	std::vector<uint32_t> version(pages, 0);
	std::mt19937_64 rng(1);
	size_t rounds = 0;
	for (size_t p = 0; p < pages; p++)
		write_page(mem + p * kWords, p, 0);
	while (std::chrono::steady_clock::now() < end) {
		size_t p = rng() % pages;
		if (!right(mem + p * kWords, p, version[p])) {
			printf("hog: page %zu is not version %u\n", p, version[p]);
			return 1;
		}
		if (++rounds % 2)
			write_page(mem + p * kWords, p, ++version[p]);
	}
	for (size_t p = 0; p < pages; p++)
		if (!right(mem + p * kWords, p, version[p])) {
			printf("hog: page %zu is not version %u in the end\n", p, version[p]);
			return 1;
		}
	printf("hog: %zu pages, %zu rounds, all right\n", pages, rounds);
	return 0;
}
