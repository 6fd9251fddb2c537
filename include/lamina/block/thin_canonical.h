// CanonicalThinDump: the one form of a dump that thin_restore followed by thin_dump gives.
//
// Source: devicemapper.md §16.1, §16.3; thin-provisioning-tools 0.9.0. Threads: pure.
#ifndef LAMINA_BLOCK_THIN_CANONICAL_H_
#define LAMINA_BLOCK_THIN_CANONICAL_H_

#include "lamina/block/thin_dump.h"

namespace lamina {

// Devices by id; runs by virtual block, the later of two that map one block winning, and as long as
// possible; mapped_blocks counted anew; the first 16 bytes of the uuid; no metadata_snap.
//
// No run of `dump` passes virtual block 2^64 - 1, and no two devices have one id. Cost: the runs
// times the logarithm of their number, whatever their lengths.
ThinDump CanonicalThinDump(const ThinDump& dump);

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_CANONICAL_H_
