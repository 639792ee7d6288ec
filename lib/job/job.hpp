// SPDX-License-Identifier: GPL-2.0-or-later
// A volume's job as the user sees it. It has no memory: state is what table and status say.
#ifndef BLKCTL_JOB_JOB_HPP
#define BLKCTL_JOB_JOB_HPP

#include "volume/volume.hpp"
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace blkctl::job
{

/*
 *            copy            all blocks in both        phase pivot
 *   none ----------> copying <---------------> ready ------------> pivoted --(track TOP)--> none
 *    ^               |  ^  |                   |                       (pivot finishes it)
 *    |        pause  v  |  | error     abort   v
 *    |             paused  +------> failed   aborted --(track BASE: abort finishes it)--> none
 *    |             needs_attention (stopped by an error policy; resume tries again)
 *    +-------------------------------------------------------------------------------------+
 *
 *            view                 its store fails, and it holds
 *   none ----------> preserving <-------------------------------> needs_attention
 *                    (the view is removed, or abort: none)  resume
 */
using State = volume::JobState;
using volume::word; // "none", "copying", ..., "needs-attention"

struct Job {
	State state = State::none;
	std::optional<DevNo> target = {};
	uint64_t total_bytes = 0;  // of the volume
	uint64_t done_bytes = 0;   // that need no copying now; = total_bytes only when ready
	uint64_t copied_bytes = 0; // moved by the copier since the job began
	uint64_t inflight_bytes = 0;
	uint64_t rate_bytes = 0;                       // the kernel's own figure, bytes a second
	std::optional<uint64_t> rate_limit_bytes = {}; // bytes a second
	uint64_t base_errors = 0;
	uint64_t top_errors = 0;

	double percent() const; // 0 to 100; 100 only when nothing is left to copy
};

Job job_of(const volume::Volume &volume);

// The exit class a job in this state means to somebody who waits for it to be ready:
// ok for copying, ready and pivoted; aborted, failed, needs_attention; not_found for none.
Status status_of(State state);

// Rate and time left from samples of done_bytes; smooths over some seconds.
class Meter
{
      public:
	using Clock = std::chrono::steady_clock;

	void sample(Clock::time_point now, const Job &job);
	double bytes_per_second() const { return rate_; }
	// Nothing before two samples, while the rate is 0, or when nothing is left.
	std::optional<std::chrono::seconds> left() const;

      private:
	bool started_ = false;
	unsigned samples_ = 0;
	Clock::time_point at_{};
	uint64_t done_ = 0;
	uint64_t total_ = 0;
	double rate_ = 0;
};

struct WaitOptions {
	std::optional<std::chrono::milliseconds> timeout = {}; // none: for ever
	std::chrono::milliseconds interval{1000};              // between progress calls
	// Called once at the start, then every interval and at every change of state.
	std::function<void(const volume::Volume &, const Job &, const Meter &)> on_progress = {};
	// Asked after every wake-up (a signal wakes too); true ends the wait.
	std::function<bool()> cancelled = {};
};

struct WaitResult {
	Job job;
	bool cancelled = false;
};

// A job that a volume, or one of the layers below it, has now.
struct Found {
	volume::CopyId copy = {};
	unsigned layer = 0; // the number of the layer; 0: it is the volume's own
};
// By name. Errors: not_found, naming what there is instead: a snapshot, a view, nothing.
Result<Found> find_job(volume::Context &context, const std::string &name);

/*
 * Waits until a copy is ready (or further), driven by dm events; paused keeps waiting. Returns its
 * job in state ready, pivoted or none (somebody else finished it). By name: what find_job() finds.
 * Errors: aborted, failed, needs_attention, timed_out; not_found (the volume is gone, or had no
 * job to begin with); failed with words on it if another tool replaced the table, or another copy
 * took the place of this one.
 */
Result<WaitResult> wait_ready(volume::Context &context, const volume::CopyId &copy,
			      const WaitOptions &options);
Result<WaitResult> wait_ready(volume::Context &context, const std::string &name,
			      const WaitOptions &options);

// The same, until the volume has this copy no more.
Result<WaitResult> wait_gone(volume::Context &context, const volume::CopyId &copy,
			     const WaitOptions &options);
Result<WaitResult> wait_gone(volume::Context &context, const std::string &name,
			     const WaitOptions &options);

} // namespace blkctl::job

#endif
