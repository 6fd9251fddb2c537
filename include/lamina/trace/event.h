// Event: one fact about what a call did. Facts, not text: names are looked up when printing.
//
// Explain, cost, statistics and the HTML report read one stream of these; nothing else in lamina
// knows who listens.
//
// Threads: plain values. `name` is a view that is valid only during OnEvent.
#ifndef LAMINA_TRACE_EVENT_H_
#define LAMINA_TRACE_EVENT_H_

#include <cstdint>
#include <string_view>

namespace lamina {

enum class EventKind : std::uint8_t {
  kCallBegin,             // subject node, name = call
  kCallEnd,               // detail = errno or 0
  kBranchProbe,           // branch, subject = node found or 0, name = component
  kWhiteoutSeen,          // branch, name = component
  kOpaqueSeen,            // branch, subject = directory
  kRedirectFollowed,      // branch, name = redirect
  kStep,                  // branch, detail = StepKind, subject = node, name = component
  kCommitStep,            // as kStep; after it the operation has happened
  kUndo,                  // as kStep: this step is taken back
  kSectorRead,            // subject = first sector, amount = bytes
  kSectorWrite,           // subject = first sector, amount = bytes
  kFlush,                 // a durability barrier
  kChunkProvisioned,      // subject = virtual chunk, detail = data chunk
  kSharingBroken,         // subject = virtual chunk, amount = bytes copied
  kExceptionCopied,       // subject = origin chunk, amount = bytes copied
  kTreeNodeShadowed,      // subject = node, branch = level
  kExtentShared,          // subject = extent, amount = references
  kTransactionCommitted,  // detail = transaction
  kBytesCopied,           // branch = source, subject = node, amount = bytes; a copy-up
  kFaultInjected,         // detail = errno
  kDataRead,              // subject = node, detail = offset, amount = bytes
  kDataWrite,             // subject = node, detail = offset, amount = bytes
  kDirRead,               // subject = directory, amount = entries
  kDiscard,               // subject = first sector, amount = bytes
  kNameCacheHit,          // subject = node found or 0, name = component
};

struct Event {
  EventKind kind{};
  std::uint16_t branch = 0;    // or tree level, or target index
  std::uint32_t source = 0;    // which FileSystem or BlockDevice
  std::uint64_t subject = 0;   // NodeId, Sector, VolumeId …
  std::uint64_t amount = 0;    // bytes or count
  std::uint64_t detail = 0;    // meaning fixed per kind, see above
  std::string_view name = {};  // a sink that wants it copies it
};

}  // namespace lamina
#endif  // LAMINA_TRACE_EVENT_H_
