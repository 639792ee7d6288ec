// SPDX-License-Identifier: GPL-2.0-or-later
#include "job/backup_copy.hpp"
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace blkctl::job
{

namespace
{

using Clock = std::chrono::steady_clock;

constexpr size_t piece_bytes = 1 << 20;
constexpr size_t pieces_ahead = 8;
// What is looked at for zeroes, and made a hole: the cluster of a qcow2 file.
constexpr size_t zero_bytes = 64 << 10;
constexpr auto safe_interval = std::chrono::seconds(5);
constexpr auto longest_sleep = std::chrono::milliseconds(200);

struct Piece {
	uint64_t offset = 0;
	size_t length = 0;
	transport::Buffer data{piece_bytes};

	std::span<const std::byte> bytes() const { return data.span().first(length); }
};

// The first piece of a range, cut at multiples of its size so that direct I/O finds it aligned.
Range first_of(const Range &range)
{
	const auto room = piece_bytes - range.offset % piece_bytes;
	return {range.offset, std::min<uint64_t>(range.length, room)};
}

/*
 * A thread that reads ahead, so many pieces at most. The source is its own until it has ended: its
 * maker joins it.
 */
class ReadAhead
{
      public:
	ReadAhead(transport::Image &source, const std::vector<Range> &ranges)
		: ranges_(ranges), thread_([this, &source] { run(source); })
	{
	}
	~ReadAhead()
	{
		{
			const std::lock_guard guard(lock_);
			stop_ = true;
		}
		changed_.notify_all();
		thread_.join();
	}
	ReadAhead(const ReadAhead &) = delete;
	ReadAhead &operator=(const ReadAhead &) = delete;

	// The next one; nothing: it was the last.
	Result<std::optional<Piece>> next()
	{
		std::unique_lock guard(lock_);
		changed_.wait(guard, [&] { return !ready_.empty() || ended_; });
		if (ready_.empty())
			return error_ ? Result<std::optional<Piece>>(*error_)
				      : Result<std::optional<Piece>>(std::optional<Piece>());
		std::optional<Piece> piece(std::move(ready_.front()));
		ready_.pop_front();
		changed_.notify_all();
		return piece;
	}

      private:
	void run(transport::Image &source)
	{
		std::optional<Error> error;

		try {
			error = read_all(source);
		} catch (const std::exception &thrown) {
			error = Error{
				.what = "read", .device = source.name(), .why = thrown.what()};
		}
		const std::lock_guard guard(lock_);
		error_ = std::move(error);
		ended_ = true;
		changed_.notify_all();
	}

	// Until the end, or until nobody wants any more.
	std::optional<Error> read_all(transport::Image &source)
	{
		for (auto range : ranges_)
			while (range.length > 0) {
				const auto piece = first_of(range);
				range.offset += piece.length;
				range.length -= piece.length;
				const auto read = read_piece(source, piece);
				if (!read)
					return read.error();
				if (!*read)
					return std::nullopt;
			}
		return std::nullopt;
	}

	// False: nobody wants it.
	Result<bool> read_piece(transport::Image &source, const Range &range)
	{
		Piece piece{.offset = range.offset, .length = range.length};
		BLKCTL_CHECK(source.read(range.offset, piece.data.span().first(range.length)));
		std::unique_lock guard(lock_);
		changed_.wait(guard, [&] { return ready_.size() < pieces_ahead || stop_; });
		if (stop_)
			return false;
		ready_.push_back(std::move(piece));
		changed_.notify_all();
		return true;
	}

	const std::vector<Range> ranges_;
	std::mutex lock_; // of all below
	std::condition_variable changed_;
	std::deque<Piece> ready_;
	std::optional<Error> error_;
	bool stop_ = false;
	bool ended_ = false;
	std::thread thread_;
};

bool is_zero(std::span<const std::byte> bytes)
{
	return bytes[0] == std::byte{} &&
	       std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// Stretches of a piece that are zeroes, and that are not, one after the other.
Result<void> put(transport::Image &target, const Piece &piece, bool fresh, Moved &moved)
{
	const auto bytes = piece.bytes();
	const auto end_of = [&](size_t at) {
		const auto room = zero_bytes - (piece.offset + at) % zero_bytes;
		return std::min(at + room, bytes.size());
	};

	for (size_t at = 0; at < bytes.size();) {
		auto end = end_of(at);
		const bool zero = is_zero(bytes.subspan(at, end - at));
		while (end < bytes.size() && is_zero(bytes.subspan(end, end_of(end) - end)) == zero)
			end = end_of(end);
		if (!zero)
			BLKCTL_CHECK(target.write(piece.offset + at, bytes.subspan(at, end - at)));
		else if (!fresh)
			BLKCTL_CHECK(target.zero(piece.offset + at, end - at));
		(zero ? moved.zeros : moved.data) += end - at;
		at = end;
	}
	return {};
}

// No faster than that; a signal is noticed meanwhile.
void pace(Clock::time_point begin, uint64_t done, const CopyStyle &style, const CopyHooks &hooks)
{
	if (style.bytes_per_second == 0)
		return;
	const auto due =
		begin +
		std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
			static_cast<double>(done) / static_cast<double>(style.bytes_per_second)));
	while (Clock::now() < due && !hooks.cancelled())
		std::this_thread::sleep_for(
			std::min<Clock::duration>(due - Clock::now(), longest_sleep));
}

} // namespace

std::function<void(uint64_t)> progress_of(uint64_t total, uint64_t before,
					  std::chrono::milliseconds interval, OnJob call)
{
	return [total, before, interval, call = std::move(call), meter = Meter(),
		shown = Clock::time_point()](uint64_t done) mutable {
		const auto now = Clock::now();
		Job job;
		job.state = State::copying;
		job.total_bytes = total;
		job.done_bytes = job.copied_bytes = before + done;
		meter.sample(now, job);
		if (now - shown < interval)
			return;
		shown = now;
		call(job, meter);
	};
}

uint64_t total_of(const std::vector<Range> &ranges)
{
	uint64_t total = 0;

	for (const auto &range : ranges)
		total += range.length;
	return total;
}

std::vector<Range> from(const std::vector<Range> &ranges, uint64_t offset)
{
	std::vector<Range> left;

	for (const auto &range : ranges) {
		const auto end = range.offset + range.length;
		const auto begin = std::max(range.offset, offset);
		if (begin < end)
			left.push_back({begin, end - begin});
	}
	return left;
}

Result<Moved> copy_ranges(transport::Image &source, transport::Image &target,
			  const std::vector<Range> &ranges, const CopyStyle &style,
			  const CopyHooks &hooks)
{
	ReadAhead ahead(source, ranges);
	const auto begin = Clock::now();
	std::optional<uint64_t> written;
	auto safe = begin;
	Moved moved;

	for (;;) {
		if (hooks.cancelled()) {
			moved.cancelled = true;
			break;
		}
		BLKCTL_TRY(const auto piece, ahead.next());
		if (!piece)
			break;
		BLKCTL_CHECK(put(target, *piece, style.fresh, moved));
		written = piece->offset + piece->length;
		const auto done = moved.data + moved.zeros;
		hooks.on_progress(done);
		if (Clock::now() - safe >= safe_interval) {
			BLKCTL_CHECK(target.flush());
			hooks.on_safe(*written);
			safe = Clock::now();
		}
		pace(begin, done, style, hooks);
	}
	BLKCTL_CHECK(target.flush());
	if (written)
		hooks.on_safe(*written);
	return moved;
}

Result<Moved> compare_ranges(transport::Image &source, transport::Image &target,
			     const std::vector<Range> &ranges, const CopyHooks &hooks)
{
	ReadAhead ahead(source, ranges);
	transport::Buffer other(piece_bytes);
	Moved moved;

	for (;;) {
		if (hooks.cancelled()) {
			moved.cancelled = true;
			return moved;
		}
		BLKCTL_TRY(const auto piece, ahead.next());
		if (!piece)
			return moved;
		const auto expected = piece->bytes();
		const auto found = other.span().first(expected.size());
		BLKCTL_CHECK(target.read(piece->offset, found));
		const auto [at, rest] =
			std::mismatch(expected.begin(), expected.end(), found.begin());
		if (at != expected.end())
			return Error{.what = "verify",
				     .device = target.name(),
				     .why = fmt::format(
					     "byte {} is not what was written there",
					     piece->offset +
						     static_cast<uint64_t>(at - expected.begin()))};
		moved.data += expected.size();
		hooks.on_progress(moved.data);
	}
}

} // namespace blkctl::job
