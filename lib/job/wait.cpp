// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/job.hpp"
#include "volume/chain.hpp"
#include "volume/damage.hpp"

namespace blkctl::job
{

namespace
{

using Clock = std::chrono::steady_clock;

Error job_error(volume::Context &context, const volume::Volume &volume, const Job &job)
{
	if (volume::is_damaged(volume)) {
		// Of a layer it is the volume above that goes, whose name is not known here.
		const auto name = volume::number_of(volume) ? "NAME" : volume.name();
		auto damaged = volume::damaged(context, "wait for", name, volume);
		damaged.device = volume.name();
		return damaged;
	}
	Error error{.status = status_of(job.state), .what = "copy", .device = volume.name()};
	const auto errors = volume.errors_text();

	switch (job.state) {
	case State::aborted:
		error.why = "it was aborted";
		error.next = "blkctl abort " + volume.name() + ", to let go of the target";
		break;
	case State::needs_attention:
		error.why = "stopped by its error policy: " + errors;
		error.next = "blkctl resume " + volume.name() + ", once the device is well";
		break;
	case State::failed:
		error.why = "it failed: " + errors;
		error.next = "blkctl abort " + volume.name() + ", to let go of the target";
		break;
	case State::none:
	case State::copying:
	case State::paused:
	case State::ready:
	case State::pivoted:
	case State::preserving:
		error.why = "it has no copy";
		break;
	}
	return error;
}

// What lasts as it is ends in nothing that could be waited for.
bool is_job(const volume::CopyId &id)
{
	return id.top && id.mode != table::Mode::track && id.mode != table::Mode::overlay &&
	       id.mode != table::Mode::backup;
}

Error no_job(const volume::CopyId &id)
{
	Error error{.status = Status::not_found,
		    .what = "wait for",
		    .device = id.name,
		    .why = "it has no job",
		    .next = "blkctl show " + id.name};

	if (id.mode == table::Mode::overlay) {
		error.why += ": it has a snapshot, which lasts until it is merged";
		error.next = "blkctl commit " + id.name + ", or blkctl stream " + id.name;
	} else if (id.mode == table::Mode::backup) {
		error.why += ": there is a view of it, which lasts until it is removed";
		error.next = "blkctl show " + id.name + ", which says what ends it";
	}
	return error;
}

// The volume at this look; what became of it if it is one no more.
Result<volume::Volume> look(volume::Context &context, const volume::CopyId &id)
{
	auto volume = volume::find(context, id.device);

	if (volume && volume->info.uuid == id.uuid)
		return volume;
	if (!volume && volume.error().status != Status::not_found)
		return volume.error();

	const auto info = context.dm.info(id.device);
	if (info && info->uuid == id.uuid)
		return Error{.what = "copy",
			     .device = info->name,
			     .why = "another tool has replaced the volume's table",
			     .next = "dmsetup table " + info->name};
	return Error{.status = Status::not_found,
		     .what = "copy",
		     .device = id.name,
		     .why = "the volume is gone"};
}

// The copy's job at this look: of a volume that is on its target by now, none.
Result<Job> look_at_job(const volume::CopyId &id, const volume::Volume &volume)
{
	auto job = job_of(volume);
	Error error{
		.what = "copy", .device = volume.name(), .next = "blkctl show " + volume.name()};

	switch (volume::fate(id, volume)) {
	case volume::Fate::there:
		return job;
	case volume::Fate::pivoted:
		job.state = State::none;
		return job;
	case volume::Fate::aborted:
		error.status = Status::aborted;
		error.why = "it was aborted";
		return error;
	case volume::Fate::replaced:
		break;
	}
	error.why = "another copy has taken its place";
	return error;
}

class Waiter
{
      public:
	Waiter(volume::Context &context, const WaitOptions &options)
		: context_(context), options_(options)
	{
	}

	// done: whether a state ends the wait well.
	template <class Done> Result<WaitResult> run(const volume::CopyId &id, Done done)
	{
		BLKCTL_TRY(const auto events, context_.dm.events());
		const auto start = Clock::now();

		for (;;) {
			BLKCTL_CHECK(events->arm());
			BLKCTL_TRY(const auto volume, look(context_, id));
			hold(volume);
			BLKCTL_TRY(const auto job, look_at_job(id, volume));
			const auto now = Clock::now();
			report(volume, job, now);
			if (done(job.state))
				return WaitResult{job, false};
			if (status_of(job.state) != Status::ok)
				return job_error(context_, volume, job);
			if (options_.cancelled && options_.cancelled())
				return WaitResult{job, true};

			auto rest = std::chrono::ceil<std::chrono::milliseconds>(
				reported_ + options_.interval - now);
			if (options_.timeout) {
				const auto left = std::chrono::ceil<std::chrono::milliseconds>(
					start + *options_.timeout - now);
				if (left.count() <= 0)
					return timed_out(volume, job);
				rest = std::min(rest, left);
			}
			BLKCTL_CHECK(events->wait(rest));
		}
	}

      private:
	// As long as somebody waits, lvremove and lvchange -an are refused. Not a layer that is
	// merged: whoever sees first that it is done removes it.
	void hold(const volume::Volume &volume)
	{
		if (!held_ && !volume::number_of(volume))
			held_ = context_.probe.hold(volume.devno());
	}

	void report(const volume::Volume &volume, const Job &job, Clock::time_point now)
	{
		meter_.sample(now, job);
		if (before_ == job.state && now - reported_ < options_.interval)
			return;
		before_ = job.state;
		reported_ = now;
		if (options_.on_progress)
			options_.on_progress(volume, job, meter_);
	}

	static Error timed_out(const volume::Volume &volume, const Job &job)
	{
		return {.status = Status::timed_out,
			.what = "wait for",
			.device = volume.name(),
			.why = "time is up; the copy goes on and is " +
			       std::string(word(job.state)),
			.next = "blkctl wait " + volume.name()};
	}

	volume::Context &context_;
	const WaitOptions &options_;
	UniqueFd held_;
	Meter meter_;
	std::optional<State> before_;
	Clock::time_point reported_{};
};

} // namespace

Result<Found> find_job(volume::Context &context, const std::string &name)
{
	BLKCTL_TRY(const auto volume, volume::find(context, name));
	const auto own = volume::copy_id(volume);

	if (is_job(own))
		return Found{own, 0};
	// A layer that is merged while the volume goes on above it.
	BLKCTL_TRY(const auto layers, volume::layers_below(context, volume));
	for (const auto &layer : layers)
		if (const auto copy = volume::copy_id(layer); is_job(copy))
			return Found{copy, volume::number_of(layer)};
	return no_job(own);
}

Result<WaitResult> wait_ready(volume::Context &context, const volume::CopyId &copy,
			      const WaitOptions &options)
{
	if (!is_job(copy))
		return no_job(copy);
	return Waiter(context, options).run(copy, [](State state) {
		return state == State::ready || state == State::pivoted || state == State::none;
	});
}

Result<WaitResult> wait_ready(volume::Context &context, const std::string &name,
			      const WaitOptions &options)
{
	BLKCTL_TRY(const auto found, find_job(context, name));
	return wait_ready(context, found.copy, options);
}

Result<WaitResult> wait_gone(volume::Context &context, const volume::CopyId &copy,
			     const WaitOptions &options)
{
	if (!is_job(copy))
		return no_job(copy);
	return Waiter(context, options).run(copy, [](State state) { return state == State::none; });
}

Result<WaitResult> wait_gone(volume::Context &context, const std::string &name,
			     const WaitOptions &options)
{
	BLKCTL_TRY(const auto found, find_job(context, name));
	return wait_gone(context, found.copy, options);
}

} // namespace blkctl::job
