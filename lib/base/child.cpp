// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/child.hpp"
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace blkctl
{

namespace
{

// How long one that is told to end, or killed, may take for it.
constexpr std::chrono::milliseconds grace{5000};
// One whose work fails has mostly ended by then.
constexpr std::chrono::milliseconds moment{1000};

constexpr size_t longest_complaint = 500;

constexpr int first_passed = 3;
// Above all that are handed over.
constexpr int out_of_the_way = 64;

// As wide as any number of a process.
constexpr char activation_pid[] = "LISTEN_PID=0000000000";

// All that the child needs between fork and exec, where it can allocate nothing.
struct Launch {
	pid_t parent = 0;
	int null = -1;
	int output = -1;
	int complaints = -1;
	int report = -1; // takes the errno of what did not work
	std::vector<int> pass = {};
	std::vector<char *> words = {};
	std::vector<char *> environment = {};
	char *pid_text = nullptr; // the end of LISTEN_PID, if it is to be told
};

bool place(int from, int to)
{
	return from >= 0 && dup2(from, to) == to;
}

int aside(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, out_of_the_way);
}

[[noreturn]] void launch(Launch &what)
{
	sigset_t none;
	pid_t pid = getpid();

	const int report = aside(what.report);
	bool good = report >= 0;
	for (auto *fd : {&what.null, &what.output, &what.complaints})
		*fd = aside(*fd);
	for (auto &fd : what.pass)
		fd = aside(fd);
	good = good && place(what.null, 0) && place(what.output, 1) && place(what.complaints, 2);
	int next = first_passed;
	for (const int fd : what.pass)
		good = good && place(fd, next++);
	close_range(static_cast<unsigned>(next), UINT_MAX, CLOSE_RANGE_CLOEXEC);
	if (what.pid_text)
		for (char *digit = what.pid_text; pid != 0; pid /= 10)
			*digit-- = static_cast<char>('0' + pid % 10);
	// The terminal's Ctrl-C is for the parent, who may have things to finish.
	setpgid(0, 0);
	good = good && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0;
	// It may have died before that.
	if (getppid() != what.parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, nullptr);
	if (good)
		execvpe(what.words[0], what.words.data(), what.environment.data());
	const int error = errno;
	[[maybe_unused]] const auto written = write(report, &error, sizeof(error));
	_exit(127);
}

// From its fork to its exec a child runs no handler of ours.
class SignalsHeld
{
      public:
	SignalsHeld()
	{
		sigset_t all;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before_);
	}
	~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
	SignalsHeld(const SignalsHeld &) = delete;
	SignalsHeld &operator=(const SignalsHeld &) = delete;

      private:
	sigset_t before_;
};

std::vector<std::string> environment_of(const Program &program)
{
	std::vector<std::string> all;

	for (char **entry = environ; *entry; entry++) {
		const std::string_view text(*entry);
		if (!text.starts_with("LISTEN_") && !text.starts_with("LC_ALL="))
			all.emplace_back(text);
	}
	// What it says is read by programs, and passed on.
	all.emplace_back("LC_ALL=C");
	if (program.socket_activation) {
		all.emplace_back("LISTEN_FDS=" + std::to_string(program.pass.size()));
		all.emplace_back(activation_pid);
	}
	return all;
}

std::vector<char *> pointers(std::vector<std::string> &texts)
{
	// The last one ends them.
	std::vector<char *> all(texts.size() + 1, nullptr);

	for (size_t i = 0; i < texts.size(); i++)
		all[i] = texts[i].data();
	return all;
}

std::string content(int fd)
{
	struct stat st;
	std::string text;

	if (fd < 0 || fstat(fd, &st) != 0)
		return text;
	text.resize(static_cast<size_t>(st.st_size));
	const auto n = pread(fd, text.data(), text.size(), 0);
	text.resize(n < 0 ? 0 : static_cast<size_t>(n));
	return text;
}

Error start_error(const Program &program, int err)
{
	const auto &name = program.words[0];

	if (err == ENOENT)
		return {.status = Status::failed,
			.what = "run",
			.device = name,
			.why = "there is no such program",
			.next = "apt install " + program.package,
			.sys_errno = err};
	auto error = errno_error("run", name, err);
	error.status = Status::failed;
	return error;
}

} // namespace

Result<Child> Child::start(const Program &program)
{
	auto words = program.words;
	auto environment = environment_of(program);
	std::array<int, 2> ends{};
	Child child;
	Launch what;

	child.name_ = words[0];
	const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
	// Memory: nobody has to empty it for the child to go on.
	child.output_.reset(memfd_create("output", MFD_CLOEXEC));
	child.complaints_.reset(memfd_create("complaints", MFD_CLOEXEC));
	if (!null || !child.output_ || !child.complaints_ || pipe2(ends.data(), O_CLOEXEC) != 0)
		return start_error(program, errno);
	const UniqueFd outcome(ends[0]);
	UniqueFd report(ends[1]);

	what.parent = getpid();
	what.null = null.get();
	what.output = child.output_.get();
	what.complaints = child.complaints_.get();
	what.report = report.get();
	what.pass = program.pass;
	what.words = pointers(words);
	what.environment = pointers(environment);
	if (program.socket_activation)
		what.pid_text = &environment.back().back();

	{
		const SignalsHeld held;
		child.pid_ = fork();
		if (child.pid_ == 0)
			launch(what);
	}
	if (child.pid_ < 0)
		return start_error(program, errno);
	report.reset();
	// glibc's own, of Debian 12, is not for C++.
	child.ended_.reset(static_cast<int>(syscall(SYS_pidfd_open, child.pid_, 0)));
	if (!child.ended_)
		return start_error(program, errno);
	int err = 0;
	while (read(outcome.get(), &err, sizeof(err)) < 0 && errno == EINTR)
		;
	if (err != 0)
		return start_error(program, err);
	return child;
}

Child::Child(Child &&other) noexcept
	: name_(std::move(other.name_)), pid_(std::exchange(other.pid_, -1)),
	  status_(other.status_), ended_(std::move(other.ended_)),
	  output_(std::move(other.output_)), complaints_(std::move(other.complaints_))
{
}

Child::~Child()
{
	terminate();
	if (!wait(grace))
		kill_now();
}

// True once it is reaped.
bool Child::wait(std::chrono::milliseconds patience)
{
	const auto until = std::chrono::steady_clock::now() + patience;

	while (pid_ > 0) {
		const auto left = std::chrono::ceil<std::chrono::milliseconds>(
			until - std::chrono::steady_clock::now());
		pollfd poller{.fd = ended_.get(), .events = POLLIN, .revents = 0};
		const int n =
			poll(&poller, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return false;
		if (waitpid(pid_, &status_, 0) == pid_ || errno != EINTR)
			pid_ = -1;
	}
	return true;
}

void Child::terminate()
{
	if (pid_ > 0)
		kill(pid_, SIGTERM);
}

void Child::kill_now()
{
	if (pid_ > 0)
		kill(pid_, SIGKILL);
	// One that a device holds in the kernel is left to init.
	wait(grace);
}

Result<void> Child::finish(std::chrono::milliseconds patience)
{
	if (!wait(patience)) {
		kill_now();
		return Error{.status = Status::timed_out,
			     .what = "wait for",
			     .device = name_,
			     .why = "it did not end, and was killed"};
	}
	if (WIFEXITED(status_) && WEXITSTATUS(status_) == 0)
		return {};
	return error("run", name_, "it failed");
}

Error Child::error(const std::string &what, const std::string &device, const std::string &why)
{
	Error error{.what = what, .device = device, .why = why};

	if (!wait(moment))
		return error;
	const auto said = complaint();
	if (!said.empty())
		error.why = said;
	else if (WIFSIGNALED(status_))
		error.why = name_ + " was ended by signal " + std::to_string(WTERMSIG(status_));
	else
		error.why = name_ + " ended with status " + std::to_string(WEXITSTATUS(status_));
	return error;
}

std::string Child::output() const
{
	return content(output_.get());
}

std::string Child::complaint() const
{
	auto text = content(complaints_.get());

	while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
		text.pop_back();
	if (text.size() > longest_complaint)
		text.erase(0, text.size() - longest_complaint);
	std::string line;
	for (const char c : text)
		if (c == '\n')
			line += "; ";
		else
			line += c;
	return line;
}

Result<std::string> run_program(const Program &program, std::chrono::milliseconds patience)
{
	BLKCTL_TRY(auto child, Child::start(program));
	BLKCTL_CHECK(child.finish(patience));
	return child.output();
}

} // namespace blkctl
