// What `lamina thin` says about a dump, as text and as JSON.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_THIN_ANSWERS_H_
#define LAMINA_SIM_CLI_THIN_ANSWERS_H_

#include <string>
#include <vector>

#include "lamina/block/thin_check.h"
#include "lamina/block/thin_counts.h"
#include "lamina/block/thin_delta.h"
#include "sim/cli/answer.h"

namespace lamina::cli {

// "DEV MAPPED EXCLUSIVE SHARED TRANSACTION CREATE_TIME SNAP_TIME", a line a device.
std::string CountsText(const std::vector<ThinDeviceCounts>& counts);
Json CountsJson(const std::vector<ThinDeviceCounts>& counts);

// "KIND BEGIN LENGTH", a line a run.
std::string DeltaText(const std::vector<ThinDeltaRun>& runs);
Json DeltaJson(const std::vector<ThinDeltaRun>& runs);

// A line a finding, then how many; "no findings".
std::string FindingsText(const std::vector<ThinFinding>& findings);
Json FindingsJson(const std::vector<ThinFinding>& findings);

// The pool's attributes and its devices with their runs.
Json DumpJson(const ThinDump& dump);

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_THIN_ANSWERS_H_
