#include "sim/explain/planning_fs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"

namespace lamina::sim::internal {
namespace {

constexpr std::uint64_t kDraft = std::uint64_t{1} << 63U;  // ids the union does not use
constexpr std::uint64_t kWhole = ~std::uint64_t{0};
constexpr std::uint64_t kMaxSize = (std::uint64_t{1} << 63U) - 1;

PlannedStep OwnStep(std::string text) {
  PlannedStep step;
  step.text = std::move(text);
  step.commit = true;
  return step;
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

}  // namespace

PlanningFs::PlanningFs(UnionFs& fs) : ForwardingFileSystem(fs), union_(fs) {
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

HandleId PlanningFs::NewDraft(NodeId node, std::uint64_t size_bytes, bool append) {
  const HandleId handle{kDraft | ++next_};
  drafts_[handle] = {node, size_bytes, append};
  return handle;
}

Result<NodeId> PlanningFs::Lookup(const OpContext& op, Place place) {
  const std::string path = PathOf(place);
  const bool seen = std::any_of(names_.begin(), names_.end(), [&](const SeenName& name) {
    return name.dir == place.dir && name.path == path;
  });
  Result<NameFindings> findings = Errno::kNoEnt;
  if (!seen) findings = union_.FindInBranches(op, place);
  Result<NodeId> node = union_.Lookup(op, place);
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
  PlannedChange change;
  change.title = absl::StrFormat("make %s %s", TypeWord(node.type), PathOf(place));
  change.steps = *std::move(steps);
  changes_.push_back(std::move(change));
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
  return Opened{*made, NewDraft(*made, 0, flags.append)};
}

Result<Opened> PlanningFs::CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                                         OpenFlags flags) {
  if (union_.limits().read_only) return Errno::kRoFs;
  Result<PlannedChange*> change =
      PlanChange(op, dir, {}, "make a file without a name in " + PathOf(dir));
  if (!change.ok()) return change.error();
  (*change)->steps.push_back(OwnStep("create unnamed"));
  Stat stat;
  stat.node = NodeId{kDraft | ++next_};
  stat.type = FileType::kRegular;
  stat.mode = node.mode;
  made_[stat.node] = stat;
  return Opened{stat.node, NewDraft(stat.node, 0, flags.append)};
}

Result<void> PlanningFs::Link(const OpContext& op, NodeId node, Place place) {
  Result<std::vector<PlannedStep>> steps = union_.PlanOfLink(op, node, place);
  if (!steps.ok()) return steps.error();
  PlannedChange change;
  change.title = absl::StrFormat("link %s as %s", PathOf(node), PathOf(place));
  MeasureCopies(op, *steps);
  change.steps = *std::move(steps);
  if (Result<BranchIndex> source = union_.SourceBranch(node); source.ok()) change.source = *source;
  changes_.push_back(std::move(change));
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
    bytes += at - *data;
  }
  fs.Close(*handle);
  return bytes;
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
  MeasureCopies(op, *steps);
  PlannedChange change;
  change.title = "remove " + PathOf(place);
  change.steps = *std::move(steps);
  changes_.push_back(std::move(change));
  return {};
}

Result<void> PlanningFs::Rename(const OpContext& op, Place from, Place to, RenameMode mode) {
  Result<std::vector<PlannedStep>> steps = union_.PlanOfRename(op, from, to, mode);
  if (!steps.ok()) return steps.error();
  const Result<NodeId> moved = union_.Lookup(op, from);
  const Result<NodeId> target = union_.Lookup(op, to);
  if (target.ok() && mode != RenameMode::kExchange && !Clears(*steps)) {
    const Result<Stat> stat = union_.GetAttr(op, *target);
    const bool directory = stat.ok() && stat->type == FileType::kDirectory;
    if (directory && HoldsAnything(op, *target)) return Errno::kNotEmpty;
  }
  MeasureCopies(op, *steps);
  PlannedChange change;
  change.title = absl::StrFormat("rename %s to %s", PathOf(from), PathOf(to));
  change.steps = *std::move(steps);
  if (moved.ok()) {
    const Result<BranchIndex> source = union_.SourceBranch(*moved);
    if (source.ok()) change.source = *source;
  }
  changes_.push_back(std::move(change));
  return {};
}

Result<PlannedChange*> PlanningFs::PlanChange(const OpContext& op, NodeId node, BodyNeed need,
                                              std::string title) {
  PlannedChange change;
  change.title = std::move(title);
  if (!made_.contains(node)) {
    Result<std::vector<PlannedStep>> steps = union_.PlanOfCopyUp(op, node, need);
    if (!steps.ok()) return steps.error();
    MeasureCopies(op, *steps);
    change.steps = *std::move(steps);
    const Result<BranchIndex> source = union_.SourceBranch(node);
    if (source.ok()) change.source = *source;
  }
  changes_.push_back(std::move(change));
  return &changes_.back();
}

Result<void> PlanningFs::SetAttr(const OpContext& op, NodeId node, const AttrChange& change) {
  if (union_.limits().read_only) return Errno::kRoFs;
  const Result<Stat> stat = GetAttr(op, node);
  if (!stat.ok()) return stat.error();
  if (change.size_bytes && stat->type != FileType::kRegular) {
    return stat->type == FileType::kDirectory ? Errno::kIsDir : Errno::kInval;
  }
  const std::string title = change.size_bytes ? "set the size of " : "set attributes of ";
  Result<PlannedChange*> planned = PlanChange(
      op, node,
      {.data = change.size_bytes.has_value(), .limit_bytes = change.size_bytes.value_or(kWhole)},
      title + PathOf(node));
  if (!planned.ok()) return planned.error();
  (*planned)->steps.push_back(OwnStep("set attributes"));
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
      PlanChange(op, node, {}, absl::StrFormat("set xattr %s of %s", key, PathOf(node)));
  if (!planned.ok()) return planned.error();
  (*planned)->steps.push_back(OwnStep(absl::StrFormat("set xattr %s", key)));
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
  if (!there.ok()) return there.error();
  Result<PlannedChange*> planned =
      PlanChange(op, node, {}, absl::StrFormat("remove xattr %s of %s", key, PathOf(node)));
  if (!planned.ok()) return planned.error();
  (*planned)->steps.push_back(OwnStep(absl::StrFormat("remove xattr %s", key)));
  return {};
}

Result<HandleId> PlanningFs::Open(const OpContext& op, NodeId node, OpenFlags flags) {
  const bool writes = flags.access == Access::kWrite || flags.access == Access::kReadWrite;
  if (flags.access == Access::kPath || (!writes && !flags.truncate))
    return union_.Open(op, node, flags);
  const Result<Stat> stat = GetAttr(op, node);
  if (!stat.ok()) return stat.error();
  if (stat->type == FileType::kDirectory) return Errno::kIsDir;
  if (stat->type != FileType::kRegular) return union_.Open(op, node, flags);
  if (union_.limits().read_only) return Errno::kRoFs;
  Result<PlannedChange*> change =
      PlanChange(op, node, {.data = true, .limit_bytes = flags.truncate ? 0 : kWhole},
                 absl::StrFormat("open %s to write", PathOf(node)));
  if (!change.ok()) return change.error();
  if (flags.truncate) (*change)->steps.push_back(OwnStep("set attributes"));
  return NewDraft(node, flags.truncate ? 0 : stat->size_bytes, flags.append);
}

void PlanningFs::Close(HandleId handle) {
  if (drafts_.erase(handle) == 0) union_.Close(handle);
}

Result<std::size_t> PlanningFs::Write(const OpContext& op, HandleId handle, std::uint64_t offset,
                                      Bytes from) {
  const auto found = drafts_.find(handle);
  if (found == drafts_.end()) return union_.Write(op, handle, offset, from);
  Draft& draft = found->second;
  if (draft.append) offset = draft.size_bytes;
  if (from.size() > kMaxSize - std::min(offset, kMaxSize)) return Errno::kFBig;
  draft.size_bytes = std::max<std::uint64_t>(draft.size_bytes, offset + from.size());
  PlannedChange change;
  change.kind = PlannedChange::Kind::kWrite;
  change.title = absl::StrFormat("write at %d", offset);
  change.bytes_written = from.size();
  changes_.push_back(std::move(change));
  return from.size();
}

}  // namespace lamina::sim::internal
