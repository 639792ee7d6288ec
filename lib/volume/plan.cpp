// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/plan.hpp"

namespace blkctl::volume
{

namespace
{

// Undoes the steps before `count`, last one first; returns what could not be undone, in words.
std::string undo(Context &context, const Plan &plan, size_t count, bool stays)
{
	std::string failed;

	while (count-- > 0 && !plan[count].is_final) {
		const auto &step = plan[count];
		if (!step.undo || (stays && !step.is_scaffold))
			continue;
		context.knob.point();
		const auto result = step.undo();
		if (!result)
			failed += "; undoing '" + step.text + "' failed: " + result.error().why;
	}
	return failed;
}

} // namespace

Result<void> execute(Context &context, const Plan &plan)
{
	for (size_t i = 0; i < plan.size(); i++) {
		context.knob.point();
		const auto result = plan[i].apply();
		if (!result) {
			auto error = result.error();
			const bool stays = plan[i].stays && plan[i].stays();
			error.why += undo(context, plan, i, stays);
			return error;
		}
	}
	context.knob.point();
	return {};
}

std::vector<std::string> texts(const Plan &plan)
{
	std::vector<std::string> found;

	for (const auto &step : plan)
		found.push_back(step.text);
	return found;
}

} // namespace blkctl::volume
