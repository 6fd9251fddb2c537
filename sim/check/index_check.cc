// The index: one entry for each lower inode that was copied up and had several names, called after
// the handle of that inode. What the kernel makes of an odd one is ovl_indexdir_cleanup and
// ovl_verify_index (fs/overlayfs/readdir.c, namei.c), run by a mount with index=on.
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/union/object_handle.h"
#include "sim/check/work_check.h"

namespace lamina::sim::internal {
namespace {

constexpr std::string_view kRemoves =
    "the kernel removes the entry at the next mount with index=on";
constexpr std::string_view kRefuses =
    "the kernel refuses every mount with index=on, so as not to damage the index";

// An entry that is no whiteout.
struct IndexEntry {
  std::string path;    // "/index/NAME"
  std::string handle;  // its name, as bytes
  NodeId node;
  Stat stat;
};

// The difference in a mark "U+1": to the link count of the upper or, with L, of the lower inode.
struct NlinkMark {
  bool of_upper = false;
  std::int64_t difference = 0;
};

std::optional<NlinkMark> ParseNlinkMark(std::string_view text) {
  if (text.size() < 3 || (text[0] != 'U' && text[0] != 'L')) return std::nullopt;
  if (text[1] != '+' && text[1] != '-') return std::nullopt;
  NlinkMark mark;
  mark.of_upper = text[0] == 'U';
  std::int32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 2, end, number);
  if (error != std::errc() || stop != end || number < 0) return std::nullopt;
  mark.difference = text[1] == '+' ? number : -std::int64_t{number};
  return mark;
}

class IndexCheck {
 public:
  IndexCheck(const StackReader& reader, const ShownDirectories& shown,
             const std::map<Inode, std::uint64_t>& links, std::vector<StackFinding>& findings)
      : reader_(reader),
        shown_(shown),
        links_(links),
        fs_(*reader.stack().work->fs),
        findings_(findings) {}

  Result<void> Run(NodeId index) {
    const auto entries = reader_.List(fs_, index);
    if (!entries.ok()) return entries.error();
    for (const StackReader::Named& entry : *entries) {
      const Result<NodeId> node = fs_.Lookup(reader_.op(), {index, entry.name});
      if (!node.ok()) return node.error();
      const Result<Stat> stat = fs_.GetAttr(reader_.op(), *node);
      if (!stat.ok()) return stat.error();
      if (Result<void> done = CheckEntry(entry.name, *node, *stat); !done.ok()) return done;
    }
    return {};
  }

 private:
  Result<void> CheckEntry(const std::string& name, NodeId node, const Stat& stat) {
    const std::string path = "/index/" + name;
    if (name.starts_with('#')) {
      Add(FindingKind::kLeftoverTemporary, Severity::kNote, path,
          "left over by a mount that did not end well", std::string(kRemoves));
      return {};
    }
    Result<std::string> handle = ParseIndexName(name);
    if (!handle.ok()) {
      Add(FindingKind::kBadIndexName, Severity::kError, path,
          "index entry whose name is not a file handle in hex",
          absl::StrFormat("%s (%s)", kRefuses, ErrnoName(handle.error())));
      return {};
    }
    if (stat.type == FileType::kCharDevice && stat.rdev == MakeDevice(0, 0)) {
      CheckWhiteoutEntry(path);
      return {};
    }
    const IndexEntry entry{path, *std::move(handle), node, stat};
    if (stat.type == FileType::kDirectory) {
      CheckDirectoryEntry(entry);
      return {};
    }
    return CheckFileEntry(entry);
  }

  void CheckWhiteoutEntry(const std::string& path) {
    // With nfs_export it is what a removed object leaves (OVL-114).
    if (reader_.stack().options.nfs_export == Toggle::kOn) return;
    Add(FindingKind::kIndexWhiteout, Severity::kNote, path,
        "whiteout in the index: with nfs_export=on, an exported object that was removed",
        "the kernel keeps it and takes handles of that object for stale; a lower name that still "
        "leads to it fails with EIO under index=on");
  }

  // ovl: only nfs_export=on indexes directories, by the handle of the upper one.
  void CheckDirectoryEntry(const IndexEntry& entry) {
    const std::optional<std::string> upper = reader_.Mark(fs_, entry.node, "upper");
    if (!upper) {
      Add(FindingKind::kStaleIndex, Severity::kNote, entry.path,
          "index entry of a directory without the mark " + reader_.MarkKey("upper"),
          "the kernel removes the entry at the next mount with nfs_export=on");
      return;
    }
    const Result<ObjectHandle> handle = ParseHandle(*upper);
    if (!handle.ok() || !handle->ours || fs_.GetAttr(reader_.op(), handle->node).ok()) return;
    Add(FindingKind::kOrphanIndex, Severity::kNote, entry.path,
        "index entry of a directory that is gone",
        "the kernel puts a whiteout in its place at the next mount with nfs_export=on");
  }

  Result<void> CheckFileEntry(const IndexEntry& entry) {
    const std::optional<std::string> origin = reader_.Mark(fs_, entry.node, "origin");
    if (!ParseHandle(origin.value_or("")).ok()) {
      Add(FindingKind::kIndexWithoutOrigin, Severity::kError, entry.path,
          "index entry without a handle in the mark " + reader_.MarkKey("origin"),
          std::string(kRefuses) + " (ENODATA)");
      return {};
    }
    if (*origin != entry.handle) {
      Add(FindingKind::kStaleIndex, Severity::kNote, entry.path,
          "index entry whose origin mark names another object than its name does",
          std::string(kRemoves));
      return {};
    }
    const HandleTarget lower = reader_.Decode(entry.handle);
    switch (lower.outcome) {
      case HandleTarget::Outcome::kUnknown:
        return {};
      case HandleTarget::Outcome::kNoLayer:
      case HandleTarget::Outcome::kGone:
        Add(FindingKind::kStaleIndex, Severity::kNote, entry.path,
            "index entry of a lower object that is gone",
            entry.stat.nlink == 1
                ? std::string(kRemoves)
                : "the kernel keeps the entry while the file has other names; no lookup leads "
                  "to it");
        return {};
      case HandleTarget::Outcome::kFound:
        break;
    }
    if (lower.stat.type != entry.stat.type) {
      Add(FindingKind::kIndexOfOtherType, Severity::kError, entry.path,
          "index entry is " + std::string(TypeText(entry.stat.type)) + ", its lower object is " +
              std::string(TypeText(lower.stat.type)),
          "the kernel fails lookups of that lower object with EIO under index=on");
      return {};
    }
    return CheckNlink(entry, lower);
  }

  Result<void> CheckNlink(const IndexEntry& entry, const HandleTarget& lower) {
    // ovl: the mark is read of lower objects with several names only (ovl_get_nlink).
    const bool counted = lower.stat.nlink > 1;
    std::int64_t nlink = 0;
    const std::string text = reader_.Mark(fs_, entry.node, "nlink").value_or("");
    if (const std::optional<NlinkMark> mark = ParseNlinkMark(text); counted && mark) {
      nlink = (mark->of_upper ? entry.stat.nlink : lower.stat.nlink) + mark->difference;
    }
    if (entry.stat.nlink == 1 && nlink <= 0) {
      Add(FindingKind::kOrphanIndex, Severity::kNote, entry.path,
          "index entry of a file that has no name left",
          reader_.stack().options.nfs_export == Toggle::kOn
              ? "the kernel puts a whiteout in its place at the next mount"
              : std::string(kRemoves));
      return {};
    }
    if (!counted) return {};
    if (nlink <= 0) {
      Add(FindingKind::kBadIndexNlink, Severity::kWarning, entry.path,
          reader_.MarkKey("nlink") + "=" + ValueText(text) + " gives no count of links",
          "the kernel shows the link count of the upper file, index entry included");
      return {};
    }
    return CompareNlink(entry, lower, nlink);
  }

  // The names of the tree that lead to the entry: those of the upper file, and those of the lower
  // object that were not copied up. Not judged when the lower object has names outside its layer.
  Result<void> CompareNlink(const IndexEntry& entry, const HandleTarget& lower,
                            std::int64_t nlink) {
    const auto known = links_.find({lower.fs, lower.stat.node});
    if (known == links_.end() || known->second != lower.stat.nlink) return {};
    if (!names_) {
      auto names = CountNames(reader_, shown_);
      if (!names.ok()) return names.error();
      names_ = *std::move(names);
    }
    const std::int64_t shown = NamesOf({&fs_, entry.node}) + NamesOf({lower.fs, lower.stat.node});
    if (shown == nlink) return {};
    Add(FindingKind::kWrongIndexNlink, Severity::kWarning, entry.path,
        "the count of links is " + std::to_string(nlink) + ", but " + std::to_string(shown) +
            (shown == 1 ? " name leads" : " names lead") + " to the file",
        "the kernel shows that count; an index entry whose count ends above zero is left over, and "
        "one that reaches zero early is removed while names are left");
    return {};
  }

  std::int64_t NamesOf(const Inode& inode) const {
    const auto found = names_->find(inode);
    return found == names_->end() ? 0 : static_cast<std::int64_t>(found->second);
  }

  void Add(FindingKind kind, Severity severity, std::string path, std::string what,
           std::string kernel) {
    findings_.push_back({kind, severity, std::string(kWorkLabel), reader_.stack().work->name,
                         std::move(path), std::move(what), std::move(kernel), 0, NodeId()});
  }

  const StackReader& reader_;
  const ShownDirectories& shown_;
  const std::map<Inode, std::uint64_t>& links_;
  FileSystem& fs_;
  std::vector<StackFinding>& findings_;
  std::optional<std::map<Inode, std::uint64_t>> names_;  // counted when first asked
};

}  // namespace

Result<void> CheckIndex(const StackReader& reader, const ShownDirectories& shown,
                        const std::map<Inode, std::uint64_t>& links, NodeId index,
                        std::vector<StackFinding>& findings) {
  return IndexCheck(reader, shown, links, findings).Run(index);
}

}  // namespace lamina::sim::internal
