// SPDX-License-Identifier: GPL-2.0-or-later
//
// nbd SOCKET EXPORT...: /dev/nbd0 and on are those exports, until SIGTERM or the
// end of the connection. nbd-client does as much, one device a process; starting
// a process with a dozen libraries takes longer here than all else of a cut.
#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace
{

constexpr uint64_t kOptionMagic = 0x49484156454f5054; // "IHAVEOPT"
constexpr uint32_t kExportName = 1;
constexpr uint16_t kFixedNewstyle = 1, kNoZeroes = 2;

struct Device {
	int fd, socket;
};

[[noreturn]] void die(const std::string &what)
{
	perror(what.c_str());
	exit(1);
}

void get(int fd, void *buf, size_t len)
{
	if (recv(fd, buf, len, MSG_WAITALL) != static_cast<ssize_t>(len))
		die("the server's greeting");
}

void put(int fd, const void *buf, size_t len)
{
	if (send(fd, buf, len, MSG_NOSIGNAL) != static_cast<ssize_t>(len))
		die("to the server");
}

// The answer to the last option: size and flags.
void negotiate(int fd, const std::string &name, uint64_t &size, uint16_t &flags)
{
	struct __attribute__((packed)) {
		uint64_t magic, option_magic;
		uint16_t flags;
	} hello;
	get(fd, &hello, sizeof(hello));
	if (be64toh(hello.option_magic) != kOptionMagic || !(ntohs(hello.flags) & kNoZeroes))
		die("another protocol");
	uint32_t mine = htonl(kFixedNewstyle | kNoZeroes);
	put(fd, &mine, sizeof(mine));
	struct __attribute__((packed)) {
		uint64_t magic;
		uint32_t option, len;
	} option = {htobe64(kOptionMagic), htonl(kExportName), htonl(name.size())};
	put(fd, &option, sizeof(option));
	put(fd, name.data(), name.size());
	struct __attribute__((packed)) {
		uint64_t size;
		uint16_t flags;
	} answer;
	get(fd, &answer, sizeof(answer));
	size = be64toh(answer.size);
	flags = ntohs(answer.flags);
}

Device connect_to(const char *path, const std::string &name, int n)
{
	std::string device = "/dev/nbd" + std::to_string(n);
	sockaddr_un to = {AF_UNIX, {}};
	strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
	Device d = {open(device.c_str(), O_RDWR | O_CLOEXEC),
		    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	uint64_t size;
	uint16_t flags;
	if (d.fd < 0 || connect(d.socket, reinterpret_cast<sockaddr *>(&to), sizeof(to)))
		die(device);
	negotiate(d.socket, name, size, flags);
	if (ioctl(d.fd, NBD_SET_BLKSIZE, 512UL) || ioctl(d.fd, NBD_SET_SIZE_BLOCKS, size / 512) ||
	    ioctl(d.fd, NBD_SET_FLAGS, static_cast<unsigned long>(flags)) ||
	    ioctl(d.fd, NBD_SET_SOCK, d.socket))
		die(device);
	return d;
}

} // namespace

int main(int argc, char **argv)
{
	sigset_t term;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, nullptr);
	std::vector<Device> devices;
	for (int i = 2; i < argc; i++)
		devices.push_back(connect_to(argv[1], argv[i], i - 2));
	std::vector<std::thread> threads;
	for (const Device &d : devices)
		threads.emplace_back([d] {
			ioctl(d.fd, NBD_DO_IT);
			ioctl(d.fd, NBD_CLEAR_SOCK);
		});
	int signal;
	sigwait(&term, &signal);
	for (const Device &d : devices) {
		ioctl(d.fd, NBD_DISCONNECT);
		shutdown(d.socket, SHUT_RDWR);
	}
	for (auto &t : threads)
		t.join();
	return 0;
}
