// ThinDumper: what of ThinMetadata a dump reads and a restore writes.
#ifndef LAMINA_VFS_BLOCK_THIN_DUMPER_H_
#define LAMINA_VFS_BLOCK_THIN_DUMPER_H_

#include <cstdint>

#include "lamina/block/thin_dump.h"
#include "vfs/block/thin_store.h"

namespace lamina {

class ThinDumper {
 public:
  // As ReadThinDump.
  static Result<ThinDump> Read(const OpContext& op, ThinMetadata& metadata);
  // The dump is a legal one; of counts of data blocks at most `counts_in_memory` wait for the
  // commit. Errors: kNoSpc, kIo as RestoreThinMetadata.
  static Result<void> Restore(const OpContext& op, const ThinDump& dump, BlockDevice& metadata,
                              std::uint64_t counts_in_memory);

 private:
  using Store = ThinMetadata::Store;

  static Result<void> RestoreDevice(const OpContext& op, const ThinDumpDevice& from, Store& store,
                                    std::uint64_t counts_in_memory);
};

}  // namespace lamina
#endif  // LAMINA_VFS_BLOCK_THIN_DUMPER_H_
