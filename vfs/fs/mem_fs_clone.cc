// MemFs: Clone (reflink of a range).
#include <algorithm>
#include <array>

#include "lamina/store/page.h"
#include "vfs/fs/mem_body.h"
#include "vfs/fs/mem_content.h"

namespace lamina {

using internal::Node;

namespace {

constexpr std::uint64_t kMaxFileBytes = ~std::uint64_t{0} >> 1U;

struct CloneRange {
  std::uint64_t source = 0;
  std::uint64_t target = 0;
  std::uint64_t length = 0;
};

bool Overlaps(const CloneRange& range) {
  const std::uint64_t distance =
      std::max(range.source, range.target) - std::min(range.source, range.target);
  return distance < range.length;
}

// The whole source becomes the whole target.
bool IsWholeFile(const CloneRange& range, const Node& source, const Node& target) {
  return range.source == 0 && range.target == 0 && range.length == source.size_or_rdev &&
         target.size_or_rdev <= range.length;
}

// Writes a range of `source` into `target`; its holes become holes.
void CopyRange(const CloneRange& range, const PagedBytes& source, Node& target) {
  std::array<std::byte, 16 * kPageBytes> buffer;
  const std::uint64_t end = range.source + range.length;
  const std::uint64_t target_end = range.target + range.length;
  internal::PunchContent(target, range.target, range.length);
  std::uint64_t at = source.NextData(range.source).value_or(end);
  while (at < end) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), end - at);
    const std::size_t bytes = source.Read(at, MutableBytes(buffer).first(wanted));
    internal::WriteContent(target, range.target + (at - range.source), Bytes(buffer).first(bytes));
    at = source.NextData(at + bytes).value_or(end);
  }
  if (target.size_or_rdev < target_end) internal::ResizeContent(target, target_end);
}

// Shares the whole pages of a range when it is aligned, and copies the rest.
void CloneInto(CloneRange range, const PagedBytes& source, Node& target) {
  const bool aligned = range.source % kPageBytes == 0 && range.target % kPageBytes == 0;
  const std::uint64_t shared = aligned ? range.length / kPageBytes * kPageBytes : 0;
  if (shared != 0) {
    PagedBytes& pages = internal::WritablePages(target);
    pages.SharePages(range.target, source, range.source, shared);
    target.size_or_rdev = pages.size_bytes();
  }
  range.source += shared;
  range.target += shared;
  range.length -= shared;
  if (range.length != 0) CopyRange(range, source, target);
}

}  // namespace

Result<std::uint64_t> MemFs::Clone(const OpContext& op, HandleId source,
                                   std::uint64_t source_offset, HandleId target,
                                   std::uint64_t target_offset, std::uint64_t length) {
  Result<MemOpen> from = body_->FindOpen(source);
  if (!from.ok()) return from.error();
  if (!from->file.may_read()) return Errno::kBadF;
  if (from->node->is_directory()) return Errno::kIsDir;
  if (!from->node->is_regular()) return Errno::kInval;
  Result<MemOpen> to = body_->FindOpenToWrite(target, Errno::kInval);
  if (!to.ok()) return to.error();
  if (to->file.append) return Errno::kBadF;
  const std::uint64_t size = from->node->size_or_rdev;
  if (source_offset >= size || length == 0) return std::uint64_t{0};
  const CloneRange range{source_offset, target_offset, std::min(length, size - source_offset)};
  if (from->id == to->id && Overlaps(range)) return Errno::kInval;
  if (target_offset > kMaxFileBytes - range.length) return Errno::kFBig;
  for (const NodeId id : {from->id, to->id}) {
    if (Result<void> loaded = body_->Materialize(id); !loaded.ok()) return loaded.error();
  }
  Node& into = body_->Writable(to->id);
  PagedBytes content = internal::CloneContent(*body_->Find(from->id));
  const std::uint64_t missing = internal::PagesMissing(into, range.target, range.length);
  if (missing > body_->free_bytes() / kPageBytes) return Errno::kNoSpc;
  body_->Charged(into, [&] {
    if (IsWholeFile(range, *body_->Find(from->id), into)) {
      internal::ReplaceContent(into, std::move(content));
    } else {
      CloneInto(range, content, into);
    }
  });
  body_->Written(op, into);
  body_->Accessed(op, from->id);
  return range.length;
}

}  // namespace lamina
