// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a fuzz target over files, without libFuzzer.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	if (argc < 2) {
		std::fprintf(stderr, "no seeds given\n");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		std::ifstream file(argv[i], std::ios::binary);
		if (!file) {
			std::fprintf(stderr, "cannot read %s\n", argv[i]);
			return 1;
		}
		const std::string input((std::istreambuf_iterator<char>(file)),
					std::istreambuf_iterator<char>());
		LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(input.data()),
				       input.size());
	}
	std::printf("%d seeds\n", argc - 1);
	return 0;
}
