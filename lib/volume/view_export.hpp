// SPDX-License-Identifier: GPL-2.0-or-later
// A view, to be exported with bitmaps of its volume.
#ifndef BLKCTL_VOLUME_VIEW_EXPORT_HPP
#define BLKCTL_VOLUME_VIEW_EXPORT_HPP

#include "transport/export.hpp"
#include "volume/context.hpp"
#include <string>
#include <vector>

namespace blkctl::volume
{

struct ViewExport {
	std::string volume = {}; // that it is a view of
	// All but the socket; the export has the name of the view.
	transport::ExportRequest request = {};
};

/*
 * What a view is, and what each of these bitmaps of its volume has kept. Errors: not_found (no such
 * view, no such bitmap), busy (a bitmap is not frozen), needs_attention (one is inconsistent),
 * failed (there is nothing to be read from the view any more).
 */
Result<ViewExport> view_export(Context &context, const std::string &view,
			       const std::vector<std::string> &bitmaps);

} // namespace blkctl::volume

#endif
