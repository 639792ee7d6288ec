// SPDX-License-Identifier: GPL-2.0-or-later
// What is done in a window, and the process that sees it through. Internal to the library.
#ifndef BLKCTL_DM_GUARD_HPP
#define BLKCTL_DM_GUARD_HPP

#include "base/devno.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "dm/mapper.hpp"
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <sys/types.h>

namespace blkctl::dm
{

enum class Step { freeze, suspend, message, resume };

// Where it stopped, and why.
struct Stop {
	Step step = Step::freeze;
	size_t index = 0;
	int err = 0;
};

/*
 * The devices and filesystems, in memory that both processes see and that is there before the
 * window opens. The calls of the window are system calls alone.
 */
class WindowPlan
{
      public:
	// Errors: failed.
	static Result<WindowPlan> open(std::chrono::milliseconds deadline);
	WindowPlan(WindowPlan &&) = default;
	WindowPlan &operator=(WindowPlan &&) = delete;

	// Suspended in this order, resumed in the other. Errors: usage, if there are too many.
	Result<void> add_device(DevNo device, uint32_t event, bool lockfs);
	Result<void> add_mount(int fd);
	// Sent once all are suspended, in this order; `undo` if the window is taken back.
	Result<void> add_message(const GroupMessage &message);

	using Point = std::function<void()>; // before each call, for tests
	std::optional<Stop> freeze(const Point &point);
	std::optional<Stop> suspend(const Point &point);
	std::optional<Stop> send(const Point &point);
	std::optional<Stop> resume(const Point &point);
	// After a resume that has failed: devices whose new table was refused go on with the old
	// one, which `load` loads if the new one is live already.
	void put_back(const std::function<void(size_t)> &load);
	void thaw();
	// Of one that hangs in a freeze, and does nothing more once that ends: thaws what it has
	// frozen before.
	void thaw_early();
	// Resumes what is suspended with the tables it had, and takes back what was sent.
	void undo();
	// What a guard does for one that has died.
	void recover();

	// How many of the resumed devices will be heard of from udev.
	size_t events() const { return shared_->events; }
	std::chrono::milliseconds deadline() const { return deadline_; }

      private:
	static constexpr size_t most = most_in_group;
	static constexpr size_t longest = 240; // of a message

	struct Device {
		uint64_t dev = 0;
		uint32_t event = 0;
		bool lockfs = false;
		bool refused = false; // its new table, when it was resumed
	};
	struct Mount {
		int fd = -1;
		bool ours = false; // it was not frozen before
	};
	struct Message {
		uint64_t dev = 0;
		char text[longest + 1] = {};
		char undo[longest + 1] = {};
	};
	struct Shared {
		std::atomic<bool> all_suspended{false};
		// None of them is taken back from here on.
		std::atomic<bool> all_sent{false};
		std::atomic<size_t> sent{0};
		std::atomic<size_t> frozen{0}; // of the mounts, from the first
		size_t nr_devices = 0, nr_mounts = 0, nr_messages = 0, events = 0;
		Device devices[most];
		Mount mounts[most];
		Message messages[most];
	};
	struct Unmap {
		void operator()(Shared *shared) const;
	};

	WindowPlan() = default;
	void thaw_first(size_t count);
	bool is_suspended(const Device &device) const;
	int tell(uint64_t dev, const char *text) const;
	int call(unsigned long request, const Device &device, uint32_t flags,
		 bool *event = nullptr) const;

	UniqueFd control_;
	std::unique_ptr<Shared, Unmap> shared_;
	std::chrono::milliseconds deadline_{};
};

// Acts when its maker dies, or takes too long.
class Guard
{
      public:
	// Errors: failed.
	static Result<Guard> start(WindowPlan &plan);
	Guard(Guard &&other) noexcept;
	Guard &operator=(Guard &&) = delete;
	~Guard() { dismiss(); }

	void dismiss();

      private:
	Guard(pid_t pid, UniqueFd pipe) : pid_(pid), pipe_(std::move(pipe)) {}
	[[noreturn]] static void watch(WindowPlan &plan, int pipe, pid_t maker);

	pid_t pid_;
	UniqueFd pipe_;
};

} // namespace blkctl::dm

#endif
