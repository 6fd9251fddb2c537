#include "sim/explain/planning_fs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/store/page.h"

namespace lamina::sim::internal {
namespace {

constexpr std::uint64_t kDraft = std::uint64_t{1} << 63U;  // ids the union does not use
constexpr std::uint64_t kWhole = ~std::uint64_t{0};
constexpr std::uint64_t kMaxSize = (std::uint64_t{1} << 63U) - 1;

// The branch that steps change: where the first of them makes something visible.
std::optional<BranchIndex> TargetOf(const std::vector<PlannedStep>& steps) {
  for (const PlannedStep& step : steps) {
    if (step.commit) return step.branch;
  }
  return std::nullopt;
}

bool IsZero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// The plan empties the directory of its whiteouts first.
bool Clears(const std::vector<PlannedStep>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const PlannedStep& step) {
    return step.clean_up && step.text.starts_with("remove ");
  });
}

std::string_view TypeWord(FileType type) {
  switch (type) {
    case FileType::kRegular:
      return "file";
    case FileType::kDirectory:
      return "directory";
    case FileType::kSymlink:
      return "symlink";
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      return "device";
    case FileType::kFifo:
      return "fifo";
    case FileType::kSocket:
      return "socket";
  }
  return "";
}

// Bytes of the blocks between two offsets that hold anything but zeros.
std::uint64_t NonZeroBytes(const OpContext& op, FileSystem& fs, HandleId handle,
                           std::uint64_t begin, std::uint64_t end) {
  std::array<std::byte, kPageBytes> block{};
  std::uint64_t bytes = 0;
  for (std::uint64_t at = begin; at < end; at += block.size()) {
    const Result<std::size_t> got = fs.Read(op, handle, at, block);
    if (!got.ok() || IsZero(Bytes(block).first(*got))) continue;
    bytes += std::min<std::uint64_t>(block.size(), end - at);
  }
  return bytes;
}

}  // namespace

PlanningFs::PlanningFs(UnionFs& fs)
    : ForwardingFileSystem(fs), union_(fs), aufs_(fs.dialect_name() == "aufs") {
  paths_[fs.root()] = "/";
}

std::string PlanningFs::PathOf(Place place) const {
  std::string path = PathOf(place.dir);
  if (!path.ends_with('/')) path += '/';
  return path += place.name;
}

std::string PlanningFs::PathOf(NodeId node) const {
  const auto found = paths_.find(node);
  return found == paths_.end() ? "?" : found->second;
}

HandleId PlanningFs::NewDraft(const Draft& draft) {
  const HandleId handle{kDraft | ++next_};
  drafts_[handle] = draft;
  return handle;
}

void PlanningFs::AddOwnStep(PlannedChange& change, std::string text) {
  PlannedStep& step = change.steps.emplace_back();
  step.text = std::move(text);
  step.commit = true;
  step.branch = change.target.value_or(0);
}

PlannedChange& PlanningFs::AddChange(const OpContext& op, PlannedChange::Kind kind,
                                     std::string title, NodeId node,
                                     std::vector<PlannedStep> steps) {
  PlannedChange& change = changes_.emplace_back();
  change.kind = kind;
  change.title = std::move(title);
  change.path = PathOf(node);
  MeasureCopies(op, steps);
  change.steps = std::move(steps);
  const Result<BranchIndex> source = union_.SourceBranch(node);
  if (source.ok()) change.source = *source;
  change.target = TargetOf(change.steps);
  if (!change.target) change.target = change.source;
  return change;
}

Result<NodeId> PlanningFs::Lookup(const OpContext& op, Place place) {
  const std::string path = PathOf(place);
  const bool seen = std::any_of(names_.begin(), names_.end(), [&](const SeenName& name) {
    return name.dir == place.dir && name.path == path;
  });
  Result<NameFindings> findings = Errno::kNoEnt;
  if (!seen) findings = union_.FindInBranches(op, place);
  Result<NodeId> node = union_.Lookup(op, place);
  // A name that is refused before the branches are asked.
  if (findings.ok() && !node.ok() && !findings->answer.ok()) findings->answer = node.error();
  if (findings.ok()) names_.push_back({place.dir, path, *std::move(findings)});
  if (node.ok()) paths_[*node] = path;
  return node;
}

Result<Stat> PlanningFs::GetAttr(const OpContext& op, NodeId node) {
  const auto made = made_.find(node);
  if (made != made_.end()) return made->second;
  return union_.GetAttr(op, node);
}

Result<NodeId> PlanningFs::Create(const OpContext& op, Place place, const NewNode& node) {
  Result<std::vector<PlannedStep>> steps = union_.PlanOfCreate(op, place, node);
  if (!steps.ok()) return steps.error();
  PlannedChange& change = changes_.emplace_back();
  change.kind = PlannedChange::Kind::kMake;
  change.path = PathOf(place);
  change.title = absl::StrFormat("make %s %s", TypeWord(node.type), change.path);
  MeasureCopies(op, *steps);
  change.target = TargetOf(*steps);
  change.steps = *std::move(steps);
  Stat stat;
  stat.node = NodeId{kDraft | ++next_};
  stat.type = node.type;
  stat.mode = node.mode;
  stat.uid = op.cred.uid;
  stat.nlink = 1;
  made_[stat.node] = stat;
  paths_[stat.node] = PathOf(place);
  return stat.node;
}

Result<Opened> PlanningFs::CreateOpen(const OpContext& op, Place place, const NewNode& node,
                                      OpenFlags flags) {
  Result<NodeId> made = Create(op, place, node);
  if (!made.ok()) return made.error();
  return Opened{*made, NewDraft({*made, 0, flags.append, changes_.back().target})};
}

Result<Opened> PlanningFs::CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                                         OpenFlags flags) {
  Result<std::vector<PlannedStep>> steps = union_.PlanOfUnnamed(op, dir);
  if (!steps.ok()) return steps.error();
  PlannedChange& change =
      AddChange(op, PlannedChange::Kind::kMake, "make a file without a name in " + PathOf(dir), dir,
                *std::move(steps));
  change.target = change.steps.back().branch;
  change.steps.back().text = "create unnamed";
  Stat stat;
  stat.node = NodeId{kDraft | ++next_};
  stat.type = FileType::kRegular;
  stat.mode = node.mode;
  made_[stat.node] = stat;
  return Opened{stat.node, NewDraft({stat.node, 0, flags.append, change.target})};
}

Result<void> PlanningFs::Link(const OpContext& op, NodeId node, Place place) {
  Result<std::vector<PlannedStep>> steps = union_.PlanOfLink(op, node, place);
  if (!steps.ok()) return steps.error();
  AddChange(op, PlannedChange::Kind::kLink,
            absl::StrFormat("link %s as %s", PathOf(node), PathOf(place)), node, *std::move(steps));
  return {};
}

Result<void> PlanningFs::LinkHandle(const OpContext& op, HandleId handle, Place place) {
  const auto draft = drafts_.find(handle);
  if (draft == drafts_.end()) return Errno::kBadF;
  return Link(op, draft->second.node, place);
}

bool PlanningFs::HoldsAnything(const OpContext& op, NodeId dir) const {
  const Result<std::vector<std::pair<BranchIndex, NodeId>>> parts = union_.BranchNodes(dir);
  if (!parts.ok() || parts->empty()) return false;
  const auto& [branch, node] = parts->front();
  if (union_.branches()[branch].mode != BranchMode::kReadWrite) return false;
  FileSystem& fs = *union_.branches()[branch].fs;
  const Result<HandleId> handle = fs.Open(op, node, {.access = Access::kRead});
  if (!handle.ok()) return false;
  bool any = false;
  const Result<DirCookie> end = fs.ReadDir(op, *handle, {}, [&](const DirEntry&) {
    any = true;
    return false;
  });
  fs.Close(*handle);
  return end.ok() && any;
}

std::uint64_t PlanningFs::DataBytes(const OpContext& op, const PlannedStep& copy) const {
  const std::uint64_t limit_bytes = copy.bytes_copied;
  FileSystem& fs = *union_.branches()[copy.source_branch].fs;
  const Result<HandleId> handle = fs.Open(op, copy.source, {.access = Access::kRead});
  if (!handle.ok()) return limit_bytes;
  std::uint64_t bytes = 0;
  for (std::uint64_t at = 0; at < limit_bytes;) {
    const Result<std::uint64_t> data = fs.Seek(op, *handle, at, SeekKind::kData);
    if (!data.ok() || *data >= limit_bytes) break;
    const Result<std::uint64_t> hole = fs.Seek(op, *handle, *data, SeekKind::kHole);
    at = hole.ok() ? std::min(*hole, limit_bytes) : limit_bytes;
    bytes += copy.drops_zeros ? NonZeroBytes(op, fs, *handle, *data, at) : at - *data;
  }
  fs.Close(*handle);
  const Result<Stat> stat = fs.GetAttr(op, copy.source);
  const bool whole = stat.ok() && limit_bytes >= stat->size_bytes;
  // Of a whole file the last block counts as a full one where others are left out.
  if (copy.drops_zeros && whole) bytes = (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  return std::min(bytes, limit_bytes);
}

void PlanningFs::MeasureCopies(const OpContext& op, std::vector<PlannedStep>& steps) const {
  for (PlannedStep& step : steps) {
    if (step.bytes_copied > 0) step.bytes_copied = DataBytes(op, step);
  }
}

Result<void> PlanningFs::Remove(const OpContext& op, Place place, FileType expected) {
  Result<std::vector<PlannedStep>> steps = union_.PlanOfRemove(op, place, expected);
  if (!steps.ok()) return steps.error();
  const bool plain = steps->back().commit && steps->back().text.starts_with("remove ");
  if (expected == FileType::kDirectory && plain && !Clears(*steps)) {
    const Result<NodeId> victim = union_.Lookup(op, place);
    if (victim.ok() && HoldsAnything(op, *victim)) return Errno::kNotEmpty;
  }
  PlannedChange& change = changes_.emplace_back();
  change.kind = PlannedChange::Kind::kRemove;
  change.path = PathOf(place);
  change.title = "remove " + change.path;
  MeasureCopies(op, *steps);
  change.target = TargetOf(*steps);
  change.steps = *std::move(steps);
  return {};
}

Result<void> PlanningFs::Rename(const OpContext& op, Place from, Place to, RenameMode mode) {
  Result<std::vector<PlannedStep>> steps = union_.PlanOfRename(op, from, to, mode);
  if (!steps.ok()) return steps.error();
  const Result<NodeId> moved = union_.Lookup(op, from);
  const Result<NodeId> target = union_.Lookup(op, to);
  // AUFS looks at the target first, and moves it aside with what it holds.
  if (!aufs_ && target.ok() && mode != RenameMode::kExchange && !Clears(*steps)) {
    const Result<Stat> stat = union_.GetAttr(op, *target);
    const bool directory = stat.ok() && stat->type == FileType::kDirectory;
    if (directory && HoldsAnything(op, *target)) return Errno::kNotEmpty;
  }
  PlannedChange& change = AddChange(op, PlannedChange::Kind::kRename,
                                    absl::StrFormat("rename %s to %s", PathOf(from), PathOf(to)),
                                    moved.ok() ? *moved : NodeId{}, *std::move(steps));
  change.path = PathOf(from);
  return {};
}

Result<PlannedChange*> PlanningFs::PlanChange(const OpContext& op, PlannedChange::Kind kind,
                                              std::string title, NodeId node, BodyNeed need) {
  if (made_.contains(node)) {
    PlannedChange& change = changes_.emplace_back();
    change.kind = kind;
    change.title = std::move(title);
    return &change;
  }
  Result<std::vector<PlannedStep>> steps = union_.PlanOfCopyUp(op, node, need);
  if (!steps.ok()) return steps.error();
  return &AddChange(op, kind, std::move(title), node, *std::move(steps));
}

bool PlanningFs::DropsTimes(NodeId node, const Stat& stat, const AttrChange& change) const {
  const bool plain = stat.type == FileType::kRegular || stat.type == FileType::kDirectory ||
                     stat.type == FileType::kSymlink;
  if (!aufs_ || plain || change.mode || change.uid || change.gid || change.size_bytes) return false;
  const Result<BranchIndex> source = union_.SourceBranch(node);
  return source.ok() && union_.branches()[*source].mode != BranchMode::kReadWrite;
}

Result<void> PlanningFs::SetAttr(const OpContext& op, NodeId node, const AttrChange& change) {
  if (union_.limits().read_only) return Errno::kRoFs;
  const Result<Stat> stat = GetAttr(op, node);
  if (!stat.ok()) return stat.error();
  if (change.size_bytes && stat->type != FileType::kRegular) {
    return stat->type == FileType::kDirectory ? Errno::kIsDir : Errno::kInval;
  }
  const std::string title = change.size_bytes ? "set the size of " : "set attributes of ";
  if (DropsTimes(node, *stat, change)) {
    AddChange(op, PlannedChange::Kind::kChange, title + PathOf(node), node, {});
    return {};
  }
  Result<PlannedChange*> planned = PlanChange(
      op, PlannedChange::Kind::kChange, title + PathOf(node), node,
      {.data = change.size_bytes.has_value(), .limit_bytes = change.size_bytes.value_or(kWhole)});
  if (!planned.ok()) return planned.error();
  AddOwnStep(**planned, "set attributes");
  if (change.size_bytes && *change.size_bytes > kMaxSize) {
    (*planned)->refused = Errno::kFBig;
    return Errno::kFBig;
  }
  return {};
}

Result<void> PlanningFs::SetXattr(const OpContext& op, NodeId node, std::string_view key,
                                  std::string_view, XattrMode mode) {
  if (union_.limits().read_only) return Errno::kRoFs;
  const Result<Stat> stat = GetAttr(op, node);
  if (!stat.ok()) return stat.error();
  const bool holds_user = stat->type == FileType::kRegular || stat->type == FileType::kDirectory;
  if (key.starts_with("user.") && !holds_user) return Errno::kPerm;
  Result<PlannedChange*> planned =
      PlanChange(op, PlannedChange::Kind::kChange,
                 absl::StrFormat("set xattr %s of %s", key, PathOf(node)), node, {});
  if (!planned.ok()) return planned.error();
  AddOwnStep(**planned, absl::StrFormat("set xattr %s", key));
  const Result<std::string> there = union_.GetXattr(op, node, key);
  std::optional<Errno> refused;
  if (!there.ok() && there.error() == Errno::kOpNotSupp) refused = there.error();
  if (mode == XattrMode::kCreate && there.ok()) refused = Errno::kExist;
  if (mode == XattrMode::kReplace && !there.ok()) refused = there.error();
  (*planned)->refused = refused;
  if (refused) return *refused;
  return {};
}

Result<void> PlanningFs::RemoveXattr(const OpContext& op, NodeId node, std::string_view key) {
  if (union_.limits().read_only) return Errno::kRoFs;
  const Result<Stat> stat = GetAttr(op, node);
  if (!stat.ok()) return stat.error();
  const bool holds_user = stat->type == FileType::kRegular || stat->type == FileType::kDirectory;
  if (key.starts_with("user.") && !holds_user) return Errno::kPerm;
  const Result<std::string> there = union_.GetXattr(op, node, key);
  // AUFS copies up first, and finds out then.
  if (!there.ok() && !aufs_) return there.error();
  Result<PlannedChange*> planned =
      PlanChange(op, PlannedChange::Kind::kChange,
                 absl::StrFormat("remove xattr %s of %s", key, PathOf(node)), node, {});
  if (!planned.ok()) return planned.error();
  AddOwnStep(**planned, absl::StrFormat("remove xattr %s", key));
  if (there.ok()) return {};
  (*planned)->refused = there.error();
  return there.error();
}

Result<HandleId> PlanningFs::OpenToRead(const OpContext& op, NodeId node) {
  if (!aufs_) return union_.Open(op, node, {.access = Access::kRead});
  Result<std::vector<PlannedStep>> steps = union_.PlanOfOpen(op, node);
  if (!steps.ok()) return steps.error();
  if (!steps->empty()) {
    AddChange(op, PlannedChange::Kind::kOpen, "open " + PathOf(node), node, *std::move(steps));
  }
  const Result<HandleId> handle = union_.OpenToLook(op, node);
  if (handle.ok()) looks_[*handle] = node;
  return handle;
}

Result<HandleId> PlanningFs::OpenToWriteLater(const OpContext& op, NodeId node, const Stat& stat,
                                              bool append) {
  Result<std::vector<PlannedStep>> steps = union_.PlanOfOpen(op, node);
  if (!steps.ok()) return steps.error();
  const bool copies_now = !steps->empty();
  const PlannedChange& change =
      AddChange(op, PlannedChange::Kind::kOpen, absl::StrFormat("open %s to write", PathOf(node)),
                node, *std::move(steps));
  return NewDraft({node, stat.size_bytes, append, change.target, !copies_now});
}

Result<HandleId> PlanningFs::Open(const OpContext& op, NodeId node, OpenFlags flags) {
  const bool writes = flags.access == Access::kWrite || flags.access == Access::kReadWrite;
  if (flags.access == Access::kPath) return union_.Open(op, node, flags);
  if (!writes && !flags.truncate) return OpenToRead(op, node);
  const Result<Stat> stat = GetAttr(op, node);
  if (!stat.ok()) return stat.error();
  if (stat->type == FileType::kDirectory) return Errno::kIsDir;
  if (stat->type != FileType::kRegular) return union_.Open(op, node, flags);
  if (union_.limits().read_only) return Errno::kRoFs;
  if (aufs_ && !flags.truncate) return OpenToWriteLater(op, node, *stat, flags.append);
  Result<PlannedChange*> change =
      PlanChange(op, PlannedChange::Kind::kOpen, absl::StrFormat("open %s to write", PathOf(node)),
                 node, {.data = true, .limit_bytes = flags.truncate ? 0 : kWhole});
  if (!change.ok()) return change.error();
  if (flags.truncate) AddOwnStep(**change, "set attributes");
  return NewDraft({node, flags.truncate ? 0 : stat->size_bytes, flags.append, (*change)->target});
}

void PlanningFs::Close(HandleId handle) {
  looks_.erase(handle);
  if (drafts_.erase(handle) == 0) union_.Close(handle);
}

Result<std::size_t> PlanningFs::Read(const OpContext& op, HandleId handle, std::uint64_t offset,
                                     MutableBytes into) {
  const auto look = looks_.find(handle);
  if (look != looks_.end()) {
    const NodeId node = look->second;
    looks_.erase(look);
    Result<std::vector<PlannedStep>> steps = union_.PlanOfRead(op, node);
    if (!steps.ok()) return steps.error();
    if (!steps->empty()) {
      AddChange(op, PlannedChange::Kind::kFirstRead, "read " + PathOf(node), node,
                *std::move(steps));
    }
  }
  return union_.Read(op, handle, offset, into);
}

Result<std::size_t> PlanningFs::Write(const OpContext& op, HandleId handle, std::uint64_t offset,
                                      Bytes from) {
  const auto found = drafts_.find(handle);
  if (found == drafts_.end()) return union_.Write(op, handle, offset, from);
  Draft& draft = found->second;
  if (draft.append) offset = draft.size_bytes;
  if (draft.copies_at_write) {
    draft.copies_at_write = false;
    Result<std::vector<PlannedStep>> steps = union_.PlanOfCopyUp(op, draft.node, {.data = true});
    if (!steps.ok()) return steps.error();
    if (!steps->empty()) {
      const PlannedChange& change =
          AddChange(op, PlannedChange::Kind::kFirstWrite, "first write to " + PathOf(draft.node),
                    draft.node, *std::move(steps));
      draft.branch = change.target;
    }
  }
  if (from.size() > kMaxSize - std::min(offset, kMaxSize)) return Errno::kFBig;
  draft.size_bytes = std::max<std::uint64_t>(draft.size_bytes, offset + from.size());
  PlannedChange& change = changes_.emplace_back();
  change.kind = PlannedChange::Kind::kWrite;
  change.title = absl::StrFormat("write at %d", offset);
  change.target = draft.branch;
  change.bytes_written = from.size();
  return from.size();
}

}  // namespace lamina::sim::internal
