#include "lamina/sim/faulty_fs.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "lamina/store/paged_bytes.h"
#include "sim/engine/node_names.h"

namespace lamina::sim {
namespace {

OpSet OpsOf(const NewNode& node) {
  switch (node.type) {
    case FileType::kRegular:
      return {Op::kCreate};
    case FileType::kDirectory:
      return {Op::kMkdir};
    case FileType::kSymlink:
      return {Op::kSymlink};
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
    case FileType::kFifo:
    case FileType::kSocket:
      return {Op::kMknod};
  }
  return {};
}

OpSet OpsOf(const AttrChange& change) {
  OpSet ops = {};
  if (change.mode) ops.Add(Op::kChmod);
  if (change.uid || change.gid) ops.Add(Op::kChown);
  if (change.atime || change.mtime) ops.Add(Op::kUtimens);
  if (change.size_bytes) ops.Add(Op::kTruncate);
  if (!ops.changes()) ops.Add(Op::kChown);  // chown(-1, -1)
  return ops;
}

OpSet OpsOf(OpenFlags flags) {
  if (flags.truncate) return {Op::kOpen, Op::kTruncate};
  return {Op::kOpen};
}

// A copy that skips holes takes so many writes; a call that changes something is one at least.
std::uint64_t CopyPieces(const PagedBytes& content) {
  std::uint64_t pieces = 0;
  std::optional<std::uint64_t> data = content.NextData(0);
  while (data) {
    const std::uint64_t hole = content.NextHole(*data).value_or(content.size_bytes());
    pieces += (hole - *data + kCopyPieceBytes - 1) / kCopyPieceBytes;
    data = content.NextData(hole);
  }
  return std::max<std::uint64_t>(pieces, 1);
}

}  // namespace

struct FaultyFs::Body {
  Body(FaultPlan& the_plan, FaultSite the_site, NodeId top)
      : plan(the_plan), site(std::move(the_site)), names(top) {}

  NodeId NodeOf(HandleId handle) const {
    const auto found = handles.find(handle);
    // On a frozen tree a handle is the node, and every open of a node gives the same one.
    return found == handles.end() ? NodeId{handle.value} : found->second;
  }
  static std::vector<std::string> Only(std::string path) {
    std::vector<std::string> paths;
    if (!path.empty()) paths.push_back(std::move(path));
    return paths;
  }

  // Runs `run` unless the plan has something else in mind.
  template <typename Paths, typename Run>
  auto Guard(const OpContext& op, OpSet ops, const Paths& paths, Run run,
             std::string_view detail = {}, std::uint64_t pieces = 1) -> decltype(run()) {
    constexpr bool kGivesNothing = std::is_same_v<decltype(run()), Result<void>>;
    Arrived(ops, pieces);
    const FaultPlan::Running running(plan, site,
                                     {.ops = ops,
                                      .paths = paths,
                                      .detail = detail,
                                      .pieces = pieces,
                                      .can_be_dropped = kGivesNothing},
                                     op.probe);
    if (running.failure()) return *running.failure();
    if constexpr (kGivesNothing) {
      if (running.dropped()) return {};
    }
    return run();
  }
  template <typename Run>
  auto OnPlace(const OpContext& op, OpSet ops, Place place, Run run) -> decltype(run()) {
    return Guard(
        op, ops, [&] { return Only(names.PathOf(place)); }, run);
  }
  template <typename Run>
  auto OnNode(const OpContext& op, OpSet ops, NodeId node, Run run, std::string_view detail = {},
              std::uint64_t pieces = 1) -> decltype(run()) {
    return Guard(
        op, ops, [&] { return Only(names.PathOf(node)); }, run, detail, pieces);
  }

  void Arrived(OpSet ops, std::uint64_t pieces) {
    if (ops.changes() && !plan.crashed()) changes += pieces;
  }

  FaultPlan& plan;
  FaultSite site;
  internal::NodeNames names;
  absl::flat_hash_map<HandleId, NodeId> handles;
  std::uint64_t changes = 0;
};

FaultyFs::FaultyFs(FileSystem& target, FaultPlan& plan, FaultSite site, NodeId top)
    : ForwardingFileSystem(target), body_(std::make_unique<Body>(plan, std::move(site), top)) {}

FaultyFs::~FaultyFs() = default;

std::uint64_t FaultyFs::changes() const { return body_->changes; }

// ── Names ──────────────────────────────────────────────────────────────────────────────────────

Result<NodeId> FaultyFs::Lookup(const OpContext& op, Place place) {
  return body_->OnPlace(op, {Op::kLookup}, place, [&] {
    Result<NodeId> node = target().Lookup(op, place);
    if (node.ok()) body_->names.Learn(*node, place);
    return node;
  });
}

Result<NodeId> FaultyFs::Create(const OpContext& op, Place place, const NewNode& node) {
  return body_->OnPlace(op, OpsOf(node), place, [&] {
    Result<NodeId> made = target().Create(op, place, node);
    if (made.ok()) body_->names.Learn(*made, place);
    return made;
  });
}

Result<Opened> FaultyFs::CreateOpen(const OpContext& op, Place place, const NewNode& node,
                                    OpenFlags flags) {
  return body_->OnPlace(op, {Op::kCreate, Op::kOpen}, place, [&] {
    Result<Opened> opened = target().CreateOpen(op, place, node, flags);
    if (opened.ok()) body_->names.Learn(opened->node, place);
    if (opened.ok()) body_->handles[opened->handle] = opened->node;
    return opened;
  });
}

Result<Opened> FaultyFs::CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                                       OpenFlags flags) {
  return body_->OnNode(op, {Op::kTmpfile}, dir, [&] {
    Result<Opened> opened = target().CreateUnnamed(op, dir, node, flags);
    if (opened.ok()) body_->handles[opened->handle] = opened->node;
    return opened;
  });
}

Result<void> FaultyFs::Link(const OpContext& op, NodeId node, Place place) {
  const auto paths = [&] {
    return std::vector<std::string>{body_->names.PathOf(node), body_->names.PathOf(place)};
  };
  return body_->Guard(op, {Op::kLink}, paths, [&] {
    Result<void> linked = target().Link(op, node, place);
    if (linked.ok()) body_->names.Learn(node, place);
    return linked;
  });
}

Result<void> FaultyFs::LinkHandle(const OpContext& op, HandleId handle, Place place) {
  return body_->OnPlace(op, {Op::kLink}, place, [&] {
    Result<void> linked = target().LinkHandle(op, handle, place);
    if (linked.ok()) body_->names.Learn(body_->NodeOf(handle), place);
    return linked;
  });
}

Result<void> FaultyFs::Remove(const OpContext& op, Place place, FileType expected) {
  const bool directory = expected == FileType::kDirectory;
  return body_->OnPlace(op, {directory ? Op::kRmdir : Op::kUnlink}, place,
                        [&] { return target().Remove(op, place, expected); });
}

Result<void> FaultyFs::Rename(const OpContext& op, Place from, Place to, RenameMode mode) {
  const auto paths = [&] {
    return std::vector<std::string>{body_->names.PathOf(from), body_->names.PathOf(to)};
  };
  return body_->Guard(op, {Op::kRename}, paths, [&] {
    Result<void> renamed = target().Rename(op, from, to, mode);
    if (renamed.ok()) body_->names.Move(from, to, mode);
    return renamed;
  });
}

// ── Attributes ─────────────────────────────────────────────────────────────────────────────────

Result<Stat> FaultyFs::GetAttr(const OpContext& op, NodeId node) {
  return body_->OnNode(op, {Op::kStat}, node, [&] { return target().GetAttr(op, node); });
}

Result<void> FaultyFs::SetAttr(const OpContext& op, NodeId node, const AttrChange& change) {
  return body_->OnNode(op, OpsOf(change), node, [&] { return target().SetAttr(op, node, change); });
}

Result<std::string> FaultyFs::ReadLink(const OpContext& op, NodeId node) {
  return body_->OnNode(op, {Op::kReadlink}, node, [&] { return target().ReadLink(op, node); });
}

Result<std::string> FaultyFs::GetXattr(const OpContext& op, NodeId node, std::string_view key) {
  return body_->OnNode(
      op, {Op::kGetxattr}, node, [&] { return target().GetXattr(op, node, key); }, key);
}

Result<void> FaultyFs::SetXattr(const OpContext& op, NodeId node, std::string_view key,
                                std::string_view value, XattrMode mode) {
  return body_->OnNode(
      op, {Op::kSetxattr}, node, [&] { return target().SetXattr(op, node, key, value, mode); },
      key);
}

Result<void> FaultyFs::RemoveXattr(const OpContext& op, NodeId node, std::string_view key) {
  return body_->OnNode(
      op, {Op::kRemovexattr}, node, [&] { return target().RemoveXattr(op, node, key); }, key);
}

Result<std::vector<std::string>> FaultyFs::ListXattr(const OpContext& op, NodeId node) {
  return body_->OnNode(op, {Op::kListxattr}, node, [&] { return target().ListXattr(op, node); });
}

// ── Data ───────────────────────────────────────────────────────────────────────────────────────

Result<HandleId> FaultyFs::Open(const OpContext& op, NodeId node, OpenFlags flags) {
  return body_->OnNode(op, OpsOf(flags), node, [&] {
    Result<HandleId> handle = target().Open(op, node, flags);
    if (handle.ok()) body_->handles[*handle] = node;
    return handle;
  });
}

void FaultyFs::Close(HandleId handle) {
  body_->handles.erase(handle);
  target().Close(handle);
}

Result<DirCookie> FaultyFs::ReadDir(const OpContext& op, HandleId dir, DirCookie from,
                                    absl::FunctionRef<bool(const DirEntry&)> visit) {
  return body_->OnNode(op, {Op::kReadDir}, body_->NodeOf(dir),
                       [&] { return target().ReadDir(op, dir, from, visit); });
}

Result<std::size_t> FaultyFs::Read(const OpContext& op, HandleId handle, std::uint64_t offset,
                                   MutableBytes into) {
  return body_->OnNode(op, {Op::kPread}, body_->NodeOf(handle),
                       [&] { return target().Read(op, handle, offset, into); });
}

Result<std::size_t> FaultyFs::Write(const OpContext& op, HandleId handle, std::uint64_t offset,
                                    Bytes from) {
  const OpSet ops = {Op::kPwrite};
  const auto paths = [&] { return Body::Only(body_->names.PathOf(body_->NodeOf(handle))); };
  body_->Arrived(ops, 1);
  const FaultPlan::Running running(
      body_->plan, body_->site,
      {.ops = ops, .paths = paths, .can_be_short = true, .can_be_dropped = true}, op.probe);
  if (running.failure()) return *running.failure();
  const std::size_t bytes = std::min(running.short_bytes().value_or(from.size()), from.size());
  if (running.dropped()) return bytes;
  return target().Write(op, handle, offset, from.first(bytes));
}

Result<void> FaultyFs::Allocate(const OpContext& op, HandleId handle, std::uint64_t offset,
                                std::uint64_t length, AllocateMode mode) {
  return body_->OnNode(op, {Op::kFallocate}, body_->NodeOf(handle),
                       [&] { return target().Allocate(op, handle, offset, length, mode); });
}

Result<std::uint64_t> FaultyFs::Seek(const OpContext& op, HandleId handle, std::uint64_t offset,
                                     SeekKind kind) {
  return body_->OnNode(op, {Op::kLseek}, body_->NodeOf(handle),
                       [&] { return target().Seek(op, handle, offset, kind); });
}

Result<std::uint64_t> FaultyFs::Clone(const OpContext& op, HandleId source,
                                      std::uint64_t source_offset, HandleId target_handle,
                                      std::uint64_t target_offset, std::uint64_t length) {
  const auto clone = [&] {
    return target().Clone(op, source, source_offset, target_handle, target_offset, length);
  };
  return body_->OnNode(op, {Op::kReflink}, body_->NodeOf(target_handle), clone);
}

Result<std::shared_ptr<const PagedBytes>> FaultyFs::ShareContent(const OpContext& op,
                                                                 HandleId handle) {
  return body_->OnNode(op, {Op::kPread}, body_->NodeOf(handle),
                       [&] { return target().ShareContent(op, handle); });
}

Result<void> FaultyFs::AdoptContent(const OpContext& op, HandleId handle,
                                    std::shared_ptr<const PagedBytes> content) {
  const std::uint64_t pieces = CopyPieces(*content);
  const OpSet ops = {Op::kPwrite};
  const auto paths = [&] { return Body::Only(body_->names.PathOf(body_->NodeOf(handle))); };
  body_->Arrived(ops, pieces);
  const FaultPlan::Running running(
      body_->plan, body_->site,
      {.ops = ops, .paths = paths, .pieces = pieces, .can_be_short = true, .can_be_dropped = true},
      op.probe);
  if (running.failure()) return *running.failure();
  if (running.dropped()) return {};
  return target().AdoptContent(op, handle, std::move(content));
}

Result<HandleId> FaultyFs::Map(const OpContext& op, HandleId handle, MapMode mode) {
  const NodeId node = body_->NodeOf(handle);
  return body_->OnNode(op, {Op::kMmap}, node, [&] {
    Result<HandleId> mapped = target().Map(op, handle, mode);
    if (mapped.ok()) body_->handles[*mapped] = node;
    return mapped;
  });
}

Result<void> FaultyFs::Sync(const OpContext& op, HandleId handle, SyncMode mode) {
  return body_->OnNode(op, {Op::kFsync}, body_->NodeOf(handle),
                       [&] { return target().Sync(op, handle, mode); });
}

// ── The whole ──────────────────────────────────────────────────────────────────────────────────

Result<void> FaultyFs::SyncAll(const OpContext& op) {
  return body_->OnNode(op, {Op::kSyncfs}, root(), [&] { return target().SyncAll(op); });
}

Result<FsSpace> FaultyFs::GetSpace(const OpContext& op) {
  return body_->OnNode(op, {Op::kStatfs}, root(), [&] { return target().GetSpace(op); });
}

}  // namespace lamina::sim
