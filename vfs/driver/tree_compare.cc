#include "vfs/driver/tree_compare.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "vfs/driver/tree_files.h"

namespace lamina::internal {
namespace {

constexpr std::string_view kCapability = "security.capability";

std::int64_t SecondOf(Instant time) {
  const std::int64_t second = time.virtual_ns / kNanosecondsPerSecond;
  return time.virtual_ns % kNanosecondsPerSecond < 0 ? second - 1 : second;
}

bool HasSameAttributes(const Stat& a, const Stat& b) {
  if (a.type != b.type || a.mode != b.mode || a.uid != b.uid || a.gid != b.gid ||
      a.rdev != b.rdev) {
    return false;
  }
  if (a.type == FileType::kDirectory) return true;
  return a.size_bytes == b.size_bytes && IsSameTime(a.mtime, b.mtime);
}

bool IsSameObject(const Stat& a, const Stat& b) { return a.dev == b.dev && a.ino == b.ino; }

class Comparison {
 public:
  Comparison(const OpContext& op, TreeRoot before, TreeRoot after)
      : op_(op), before_(before), after_(after) {}

  Result<std::vector<LayerChange>> Run() {
    const bool has_before = before_.fs != nullptr;
    const std::optional<NodeId> old_root =
        has_before ? std::optional<NodeId>(before_.node) : std::nullopt;
    if (Result<void> entered = Enter(old_root, after_.node, false); !entered.ok()) {
      return entered.error();
    }
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      path_.resize(frame.path_bytes);
      if (frame.next == frame.names.size()) {
        Leave();
        continue;
      }
      const std::string& name = frame.names[frame.next++];
      path_ += '/';
      path_ += name;
      if (Result<void> compared = CompareName(frame, name); !compared.ok()) {
        return compared.error();
      }
    }
    std::sort(changes_.begin(), changes_.end(),
              [](const LayerChange& a, const LayerChange& b) { return a.path < b.path; });
    return std::move(changes_);
  }

 private:
  struct Frame {
    std::optional<NodeId> before;
    NodeId after;
    std::vector<std::string> names;  // of both
    std::size_t next = 0;
    std::size_t path_bytes = 0;
    std::size_t changes = 0;  // there were before it
    bool is_listed = false;   // the directory itself is among them
  };

  Result<void> Enter(std::optional<NodeId> before, NodeId after, bool is_listed) {
    Result<std::vector<std::string>> names = NamesIn(op_, *after_.fs, after);
    if (!names.ok()) return names.error();
    if (before.has_value()) {
      const Result<std::vector<std::string>> old = NamesIn(op_, *before_.fs, *before);
      if (!old.ok()) return old.error();
      std::vector<std::string> both;
      std::set_union(names->begin(), names->end(), old->begin(), old->end(),
                     std::back_inserter(both));
      *names = std::move(both);
    }
    frames_.push_back(
        {before, after, *std::move(names), 0, path_.size(), changes_.size(), is_listed});
    return {};
  }

  // A directory with a change in it is a change.
  void Leave() {
    const Frame& frame = frames_.back();
    const bool is_root = frame.path_bytes == 0;
    if (changes_.size() > frame.changes && !frame.is_listed && !is_root) {
      changes_.push_back({path_, ChangeKind::kModify});
    }
    frames_.pop_back();
  }

  Result<std::optional<Stat>> Find(FileSystem& fs, std::optional<NodeId> dir,
                                   std::string_view name) {
    if (!dir.has_value()) return std::optional<Stat>();
    const Result<Stat> stat = StatAt(op_, fs, {*dir, name});
    if (stat.ok()) return std::optional<Stat>(*stat);
    if (stat.error() == Errno::kNoEnt) return std::optional<Stat>();
    return stat.error();
  }

  Result<void> CompareName(const Frame& frame, std::string_view name) {
    const Result<std::optional<Stat>> after = Find(*after_.fs, frame.after, name);
    if (!after.ok()) return after.error();
    Result<std::optional<Stat>> before = std::optional<Stat>();
    if (frame.before.has_value()) before = Find(*before_.fs, frame.before, name);
    if (!before.ok()) return before.error();
    if (!after->has_value()) {
      if (before->has_value()) changes_.push_back({path_, ChangeKind::kDelete});
      return {};
    }
    const Stat& now = **after;
    bool is_listed = true;
    if (!before->has_value()) {
      changes_.push_back({path_, ChangeKind::kAdd});
    } else if (IsSameObject(**before, now)) {
      return {};
    } else if (!HasSameAttributes(**before, now) || !HasSameCapability((*before)->node, now.node)) {
      changes_.push_back({path_, ChangeKind::kModify});
    } else {
      is_listed = false;
    }
    if (now.type != FileType::kDirectory) return {};
    std::optional<NodeId> old_dir;
    if (before->has_value() && (*before)->type == FileType::kDirectory) old_dir = (*before)->node;
    return Enter(old_dir, now.node, is_listed);
  }

  bool HasSameCapability(NodeId before, NodeId after) {
    const Result<std::string> old = before_.fs->GetXattr(op_, before, kCapability);
    const Result<std::string> now = after_.fs->GetXattr(op_, after, kCapability);
    return (old.ok() ? *old : "") == (now.ok() ? *now : "");
  }

  const OpContext& op_;
  const TreeRoot before_;
  const TreeRoot after_;
  std::string path_;
  std::vector<Frame> frames_;
  std::vector<LayerChange> changes_;
};

}  // namespace

bool IsSameTime(Instant a, Instant b) {
  if (a == b) return true;
  const bool has_whole =
      a.virtual_ns % kNanosecondsPerSecond == 0 || b.virtual_ns % kNanosecondsPerSecond == 0;
  return has_whole && SecondOf(a) == SecondOf(b);
}

Result<std::vector<LayerChange>> CompareTrees(const OpContext& op, TreeRoot before,
                                              TreeRoot after) {
  return Comparison(op, before, after).Run();
}

}  // namespace lamina::internal
