// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/map_view.hpp"
#include "base/size.hpp"
#include "cli/progress.hpp"
#include "job/job.hpp"
#include <algorithm>
#include <fmt/format.h>

namespace blkctl::cli
{

namespace
{

// Enough rows to see where things are, few enough for one screen.
constexpr uint64_t most_rows = 16;
constexpr unsigned margin = 2;

char sign(Cell cell)
{
	switch (cell) {
	case Cell::base:
		return '.';
	case Cell::both:
		return '#';
	case Cell::top:
		return 'T';
	case Cell::zero:
		return '0';
	case Cell::mixed:
		return '+';
	}
	return '?';
}

struct Painter {
	std::vector<Cell> cells;
	std::vector<bool> seen;
	uint64_t per_cell;

	// A cell that two states meet in is mixed.
	void paint(const std::vector<volume::BlockRun> &runs, Cell state)
	{
		for (const volume::BlockRun &run : runs) {
			if (run.count == 0)
				continue;
			uint64_t last = (run.first + run.count - 1) / per_cell;
			for (uint64_t i = run.first / per_cell; i <= last && i < cells.size();
			     ++i) {
				cells[i] = seen[i] && cells[i] != state ? Cell::mixed : state;
				seen[i] = true;
			}
		}
	}
};

} // namespace

std::vector<Cell> map_cells(const volume::BlockMap &map, uint64_t blocks, uint64_t count)
{
	if (blocks == 0 || count == 0)
		return {};
	uint64_t per_cell = (blocks + count - 1) / count;
	uint64_t used = (blocks + per_cell - 1) / per_cell;
	Painter painter{std::vector<Cell>(used, Cell::mixed), std::vector<bool>(used, false),
			per_cell};
	painter.paint(map.base, Cell::base);
	painter.paint(map.both, Cell::both);
	painter.paint(map.top, Cell::top);
	painter.paint(map.zero, Cell::zero);
	return painter.cells;
}

std::string draw_map(const volume::Volume &volume, const volume::BlockMap &map, unsigned columns)
{
	uint64_t width = std::max(columns, margin + 10) - margin;
	uint64_t blocks = volume.status.total;
	auto cells = map_cells(map, blocks, std::min(blocks, width * most_rows));
	uint64_t per_cell = cells.empty() ? 0 : (blocks + cells.size() - 1) / cells.size();
	auto job = job::job_of(volume);

	std::string out = fmt::format("{}: {} {}; one sign is {} block{} ({})\n\n", volume.name(),
				      job::word(job.state), percent_text(job.percent()), per_cell,
				      per_cell == 1 ? "" : "s",
				      format_size(per_cell * volume.status.block_sectors * 512));
	for (size_t start = 0; start < cells.size(); start += width) {
		out += std::string(margin, ' ');
		for (size_t i = start; i < std::min<size_t>(start + width, cells.size()); ++i)
			out += sign(cells[i]);
		out += '\n';
	}
	return out + "\n  . source only   # both   T target only   0 zero   + more than one\n";
}

} // namespace blkctl::cli
