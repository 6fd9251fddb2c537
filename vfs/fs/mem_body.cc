#include "vfs/fs/mem_body.h"

#include <atomic>

#include "lamina/base/check.h"
#include "lamina/store/page.h"
#include "vfs/fs/mem_content.h"
#include "vfs/fs/mem_security.h"

namespace lamina {
namespace {

using internal::DirectoryPart;
using internal::HashedName;
using internal::NameTable;
using internal::Node;
using internal::OpenFile;
using internal::Part;
using internal::Ref;
using internal::Storage;
using internal::XattrTable;

constexpr Duration kRelatimeLimit{24 * 3600 * kNanosecondsPerSecond};
constexpr std::uint64_t kMaxFileBytes = ~std::uint64_t{0} >> 1U;

std::uint64_t NextFreeDevice() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

MemFs::State::State(const State& other)
    : nodes(other.nodes.Clone()), orphans(other.orphans.Clone()), used_bytes(other.used_bytes) {}

MemFs::Body::Body(const MemFsOptions& wanted)
    : options(wanted), device(wanted.device != 0 ? wanted.device : NextFreeDevice()) {
  root = NodeId{next_node++};
  Node& node = Writable(root);
  node.type = FileType::kDirectory;
  node.mode = 0755;
  node.nlink = 2;
  node.atime = node.mtime = node.ctime = options.root_time;
  auto* part = new DirectoryPart();
  part->parent = root;
  node.BecomePart(Storage::kDirectory, Ref<Part>::Adopt(part));
  node.change = ++changes;
}

// ── Finding ──────────────────────────────────────────────────────────────────────────────────────

Result<Node*> MemFs::Body::FindToChange(NodeId id) {
  if (Find(id) == nullptr) return Errno::kStale;
  if (frozen) return Errno::kRoFs;
  return &Writable(id);
}

Result<MemSpot> MemFs::Body::FindSpot(Place place) const {
  const Node* dir = Find(place.dir);
  if (dir == nullptr) return Errno::kStale;
  if (!dir->is_directory()) return Errno::kNotDir;
  if (place.name.size() > options.name_max) return Errno::kNameTooLong;
  const HashedName name(place.name);
  return MemSpot{place.dir, dir, name, dir->names().Find(name)};
}

Result<MemSpot> MemFs::Body::FindSpotToChange(Place place) const {
  if (frozen) return Find(place.dir) == nullptr ? Errno::kStale : Errno::kRoFs;
  return FindSpot(place);
}

Result<MemSpot> MemFs::Body::FindSpotToAdd(Place place) const {
  Result<MemSpot> spot = FindSpotToChange(place);
  const Node* dir = Find(place.dir);
  const bool removed = dir != nullptr && dir->is_directory() && dir->nlink == 0;
  if (removed && !frozen) return Errno::kNoEnt;
  if (spot.ok() && spot->entry != nullptr) return Errno::kExist;
  return spot;
}

Result<MemOpen> MemFs::Body::FindOpen(HandleId handle) const {
  if (!internal::HandleTable::Owns(handle)) {
    // The handle of a frozen tree is the node.
    const NodeId id{handle.value};
    const Node* node = frozen ? Find(id) : nullptr;
    if (node == nullptr) return Errno::kBadF;
    return MemOpen{id, node, OpenFile{id, Access::kRead}};
  }
  const OpenFile* file = handles.Find(handle);
  if (file == nullptr) return Errno::kBadF;
  const Node* node = Find(file->node);
  if (node == nullptr) return Errno::kStale;
  return MemOpen{file->node, node, *file};
}

Result<MemOpen> MemFs::Body::FindOpenToWrite(HandleId handle, Errno other_type) const {
  Result<MemOpen> open = FindOpen(handle);
  if (!open.ok()) return open;
  if (!open->file.may_write()) return Errno::kBadF;
  if (frozen) return Errno::kRoFs;
  if (!open->node->is_regular()) return other_type;
  return open;
}

// ── Changing ─────────────────────────────────────────────────────────────────────────────────────

void MemFs::Body::Bump(Node& node, Instant now) {
  node.ctime = now;
  node.change = ++changes;
}

void MemFs::Body::TouchDirectory(NodeId dir, Instant now) {
  Node& node = Writable(dir);
  node.mtime = now;
  Bump(node, now);
}

void MemFs::Body::Accessed(const OpContext& op, NodeId id) {
  if (frozen || options.atime == AtimePolicy::kNever) return;
  const Node* node = Find(id);
  const bool old = op.now.virtual_ns - node->atime.virtual_ns >= kRelatimeLimit.virtual_ns;
  if (node->atime > node->mtime && node->atime > node->ctime && !old) return;
  if (node->atime == op.now) return;
  Writable(id).atime = op.now;
  ++changes;
}

void MemFs::Body::DropPrivileges(const OpContext& op, Node& node) {
  node.mode = ModeAfterWrite(op.cred, internal::Ruled(node));
  EraseXattr(node, kCapabilityKey);
}

void MemFs::Body::EraseXattr(Node& node, std::string_view key) {
  if (!node.xattrs || node.xattrs->Find(key) == nullptr) return;
  Charged(node, [&] { internal::WritableXattrs(node).Erase(key); });
  if (node.xattrs->items.empty()) node.xattrs = {};
}

void MemFs::Body::PutXattr(Node& node, std::string_view key, std::string_view value) {
  Charged(node, [&] { internal::WritableXattrs(node).Set(key, value); });
}

Result<void> MemFs::Body::Truncate(const OpContext& op, NodeId id, std::uint64_t size_bytes) {
  if (size_bytes > kMaxFileBytes) return Errno::kFBig;
  if (size_bytes != 0) {
    if (Result<void> loaded = Materialize(id); !loaded.ok()) return loaded;
  }
  Node& node = Writable(id);
  Charged(node, [&] { internal::ResizeContent(node, size_bytes); });
  Written(op, node);
  return {};
}

// ── Space ────────────────────────────────────────────────────────────────────────────────────────

std::uint64_t MemFs::Body::free_bytes() const {
  return live.used_bytes < options.capacity_bytes ? options.capacity_bytes - live.used_bytes : 0;
}

std::uint64_t MemFs::Body::free_nodes() const {
  const std::uint64_t used = live.nodes.size();
  return used < options.capacity_nodes ? options.capacity_nodes - used : 0;
}

std::uint64_t MemFs::Body::ChargedBytes(const Node& node) {
  std::uint64_t bytes = node.xattrs ? node.xattrs->value_bytes() : 0;
  if (node.is_regular() && node.storage != Storage::kLazy) {
    bytes += internal::ContentPages(node) * kPageBytes;
  } else if (node.type == FileType::kSymlink) {
    bytes += internal::TargetPages(node.size_or_rdev) * kPageBytes;
  }
  return bytes;
}

// ── Nodes and names ──────────────────────────────────────────────────────────────────────────────

void MemFs::Body::DropName(const OpContext& op, NodeId id) {
  const Node* node = Find(id);
  const bool last = node->is_directory() || node->nlink <= 1;
  if (last && !handles.IsOpen(id)) {
    EraseNode(id);
    return;
  }
  Node& changed = Writable(id);
  changed.nlink = last ? 0 : changed.nlink - 1;
  Bump(changed, op.now);
  if (last) live.orphans.Set(id.value, Orphan::kRemoved);
}

void MemFs::Body::EraseNode(NodeId id) {
  live.used_bytes -= ChargedBytes(*Find(id));
  live.nodes.Erase(id.value);
  ++changes;
}

NameTable& MemFs::Body::WritableNames(NodeId dir) {
  return Writable(dir).WritablePart<DirectoryPart>().names;
}

bool MemFs::Body::IsSelfOrAncestor(NodeId node, NodeId below) const {
  while (below != node && below != root) {
    below = Find(below)->part<const DirectoryPart>().parent;
  }
  return below == node;
}

HandleId MemFs::Body::OpenNode(NodeId id, OpenFlags flags) {
  return handles.Add(OpenFile{id, flags.access, flags.append});
}

}  // namespace lamina
