// LintThinDump: what is wrong with a dump, or what no kernel would write; most of it thin_restore
// takes without a word.
//
// Source: oracle/thin_tools.md ("lint"), devicemapper.md §16.3. Threads: pure.
#ifndef LAMINA_BLOCK_THIN_LINT_H_
#define LAMINA_BLOCK_THIN_LINT_H_

#include <vector>

#include "lamina/block/thin_check.h"
#include "lamina/block/thin_dump.h"

namespace lamina {

// In the order of the dump, at most kMaxThinFindings of them.
//
//   kDamage  thin_restore refuses it, or makes something else of it: two devices of one id, data
//            blocks past the pool's, overlapping runs, a wrong mapped_blocks, a run's time above
//            24 bits
//   kOdd     the rest: version, block size, ids above 24 bits or not ascending, times and
//            transactions later than the pool's, runs that are empty, not ascending or not as long
//            as possible, two virtual blocks of a device on one data block
//
// Any values are fine. Cost: as CanonicalThinDump.
std::vector<ThinFinding> LintThinDump(const ThinDump& dump);

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_LINT_H_
