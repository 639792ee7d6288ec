// SPDX-License-Identifier: GPL-2.0-or-later
//
// changed OLD NEW BLOCK-BYTES: the numbers of the blocks in which two files
// differ, one a line.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

int main(int argc, char **argv)
{
	FILE *old = argc == 4 ? fopen(argv[1], "r") : nullptr;
	FILE *now = argc == 4 ? fopen(argv[2], "r") : nullptr;
	const size_t bytes = argc == 4 ? strtoul(argv[3], nullptr, 0) : 0;
	if (!old || !now || !bytes) {
		fprintf(stderr, "usage: changed OLD NEW BLOCK-BYTES\n");
		return 2;
	}
	std::vector<char> a(bytes), b(bytes);
	for (unsigned long block = 0;; block++) {
		const size_t n = fread(a.data(), 1, bytes, old), m = fread(b.data(), 1, bytes, now);
		if (n != m || (n && memcmp(a.data(), b.data(), n)))
			printf("%lu\n", block);
		if (n < bytes && m < bytes)
			return ferror(old) || ferror(now) ? 2 : 0;
	}
}
