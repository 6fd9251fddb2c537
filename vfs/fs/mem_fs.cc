#include "lamina/fs/mem_fs.h"

#include <utility>
#include <vector>

#include "lamina/base/check.h"
#include "lamina/store/page.h"
#include "vfs/fs/mem_body.h"
#include "vfs/fs/mem_content.h"
#include "vfs/fs/mem_footprint.h"

namespace lamina {

using internal::Node;
using internal::Storage;

MemFs::MemFs(const MemFsOptions& options) : body_(std::make_unique<Body>(options)) {}
MemFs::~MemFs() = default;

MemFs::Image MemFs::Capture() const {
  Image image;
  image.state_ = std::make_shared<const State>(body_->live);
  return image;
}

void MemFs::Restore(const Image& image) {
  LAMINA_CHECK(!body_->frozen);
  LAMINA_CHECK(image.state_ != nullptr);
  body_->live = State(*image.state_);
  ++body_->changes;
  std::vector<NodeId> unreachable;
  body_->live.orphans.ForEach([&](std::uint64_t id, Orphan) {
    if (!body_->handles.IsOpen(NodeId{id})) unreachable.push_back(NodeId{id});
  });
  for (const NodeId id : unreachable) {
    body_->live.orphans.Erase(id.value);
    body_->EraseNode(id);
  }
}

void MemFs::Freeze() { body_->frozen = true; }

NodeId MemFs::root() const { return body_->root; }

FsLimits MemFs::limits() const {
  return {.name_max = body_->options.name_max,
          .link_max = body_->options.link_max,
          .clone = true,
          .read_only = body_->frozen};
}

bool MemFs::frozen() const { return body_->frozen; }

std::uint64_t MemFs::change_count() const { return body_->changes; }

std::uint64_t MemFs::memory_bytes() const {
  std::uint64_t bytes = internal::RadixFootprint(body_->live.nodes);
  body_->live.nodes.ForEach([&](std::uint64_t, const Node& node) {
    if (node.xattrs) {
      bytes += internal::HeapBlock(sizeof(internal::XattrTable));
      for (const auto& [key, value] : node.xattrs->items) {
        bytes += sizeof(internal::XattrTable::Item) + key.capacity() + value.capacity();
      }
    }
    if (node.storage == Storage::kPaged) {
      bytes += internal::HeapBlock(sizeof(internal::PagedPart));
      bytes += internal::ContentPages(node) * kPageBytes;
    } else if (node.storage == Storage::kLazy) {
      bytes += internal::HeapBlock(sizeof(internal::LazyPart));
    } else if (node.storage == Storage::kTarget) {
      bytes += internal::HeapBlock(sizeof(internal::TargetPart)) + node.target().size();
    } else if (node.storage == Storage::kDirectory) {
      bytes += internal::HeapBlock(sizeof(internal::DirectoryPart)) + node.names().memory_bytes();
    }
  });
  return bytes;
}

Result<NodeId> MemFs::Lookup(const OpContext&, Place place) {
  Result<MemSpot> spot = body_->FindSpot(place);
  if (!spot.ok()) return spot.error();
  if (spot->entry == nullptr) return Errno::kNoEnt;
  return spot->entry->node;
}

Result<void> MemFs::Sync(const OpContext&, HandleId handle, SyncMode) {
  Result<MemOpen> open = body_->FindOpen(handle);
  if (!open.ok()) return open.error();
  if (open->file.access == Access::kPath) return Errno::kBadF;
  return {};
}

Result<void> MemFs::SyncAll(const OpContext&) { return {}; }

Result<FsSpace> MemFs::GetSpace(const OpContext&) {
  return FsSpace{.total_bytes = body_->options.capacity_bytes,
                 .free_bytes = body_->free_bytes(),
                 .total_nodes = body_->options.capacity_nodes,
                 .free_nodes = body_->free_nodes()};
}

}  // namespace lamina
