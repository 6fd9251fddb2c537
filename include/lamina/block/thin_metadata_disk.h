// A dump as the metadata device of a pool: from there on it can be written to, snapshotted and
// explained as any other pool.
//
//   Result<std::unique_ptr<MemDisk>> disk = MakeThinMetadataDisk(op, dump);
//   Result<std::unique_ptr<ThinMetadata>> pool = ThinMetadata::Open(op, **disk);
//
// Source: devicemapper.md §12, §17. Threads: pure.
#ifndef LAMINA_BLOCK_THIN_METADATA_DISK_H_
#define LAMINA_BLOCK_THIN_METADATA_DISK_H_

#include <cstdint>
#include <memory>

#include "lamina/block/mem_disk.h"
#include "lamina/block/thin_dump.h"

namespace lamina {

// Below this many blocks the metadata of the canonical `dump` does not fit: leaves and bitmaps. At
// most kMaxThinMetadataBlocks + 1, which says that it fits nowhere.
std::uint64_t LeastThinMetadataBlocks(const ThinDump& dump);

// A disk in memory with the metadata of the canonical `dump` and room for as many changes as the
// metadata guide of §12 reckons with. What is not used of it costs nothing; each mapped block costs
// about 16 bytes.
//
// Errors: as RestoreThinMetadata; kNoSpc  more than kMaxThinMetadataBlocks.
Result<std::unique_ptr<MemDisk>> MakeThinMetadataDisk(const OpContext& op, const ThinDump& dump);

}  // namespace lamina
#endif  // LAMINA_BLOCK_THIN_METADATA_DISK_H_
