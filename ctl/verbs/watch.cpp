// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size.hpp"
#include "cli/common.hpp"
#include "cli/interrupt.hpp"
#include "cli/pace.hpp"
#include "cli/progress.hpp"
#include "cli/refusal.hpp"
#include "cli/terminal.hpp"
#include "job/watcher.hpp"
#include "report/report.hpp"
#include <chrono>
#include <fmt/format.h>
#include <map>
#include <set>

namespace blkctl::cli::verb_watch
{

namespace
{

using Clock = std::chrono::steady_clock;

class View
{
      public:
	View(volume::Context &context, std::set<DevNo> wanted, bool json)
		: context_(&context), wanted_(std::move(wanted)), json_(json)
	{
	}

	void draw(const std::map<DevNo, volume::Volume> &volumes,
		  const std::vector<volume::Unreadable> &unreadable)
	{
		std::vector<std::string> lines;
		for (const auto &[device, volume] : volumes)
			if (wanted_.empty() || wanted_.count(device) != 0)
				lines.push_back(line_of(device, volume));
		for (const auto &each : unreadable)
			if (!json_ && (wanted_.empty() || wanted_.count(each.device) != 0))
				lines.push_back(each.error.message());
		if (lines.empty() && !json_)
			lines.push_back("no volumes");
		show(lines);
	}

      private:
	std::string line_of(DevNo device, const volume::Volume &volume)
	{
		auto job = job::job_of(volume);
		if (json_) {
			auto &meter = meters_[device];
			meter.sample(Clock::now(), job);
			return report::json_progress(volume, job, meter);
		}
		if (job.state == job::State::none) {
			meters_.erase(device);
			return fmt::format(
				"{}: no job, on {}", volume.name(),
				volume::device_path(*context_, volume.table.base.device));
		}
		auto &meter = meters_[device];
		meter.sample(Clock::now(), job);
		return progress_line(volume.name(), job, meter);
	}

	void show(const std::vector<std::string> &lines)
	{
		if (json_ || !on_terminal()) {
			for (const std::string &line : lines)
				say(line);
			return;
		}
		// Back to where the last picture began, and over it.
		std::string text;
		if (shown_ != 0)
			text = fmt::format("\x1b[{}A", shown_);
		for (const std::string &line : lines)
			text += "\r" + fit(line, terminal_width() - 1) + "\x1b[K\n";
		text += "\x1b[J";
		print_all(text);
		shown_ = lines.size();
	}

	volume::Context *context_;
	std::set<DevNo> wanted_;
	bool json_;
	std::map<DevNo, job::Meter> meters_;
	size_t shown_ = 0;
};

Status run(const Arguments &args)
{
	Pace pace = pace_of(args, std::chrono::seconds(1));
	auto host = take(volume::Host::open());
	auto &context = host.context();
	std::set<DevNo> wanted;
	for (const std::string &name : args.rest(0))
		wanted.insert(take(volume::find(context, name)).devno());
	auto watcher = take(job::Watcher::open(context));
	View view(context, std::move(wanted), args.flag("json"));
	Interrupt interrupt;
	while (!interrupt.came() && !pace.over()) {
		take(watcher.next(pace.next()));
		view.draw(watcher.volumes(), watcher.unreadable());
	}
	return Status::ok;
}

const Register entry{Verb{
	.name = "watch",
	.group = Group::look,
	.rank = 4,
	.summary = "a live view of all volumes and their jobs",
	.description = {"Drawn anew every interval and whenever something happens, until Ctrl-C. "
			"Where there is no terminal the lines are printed one below the other."},
	.positionals = {{.name = "NAME",
			 .help = "only these volumes",
			 .offer = Offer::volume,
			 .optional = true,
			 .repeated = true}},
	.options = join({pace_options("how often it is drawn: 1 s if not given"), {json_option()}}),
	.examples = {{"blkctl watch", "Follows everything."},
		     {"blkctl watch data --json --timeout 1m",
		      "Progress of one volume for a minute, for a program."}},
	.run = run,
}};

} // namespace

} // namespace blkctl::cli::verb_watch
