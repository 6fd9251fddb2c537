#include "sim/check/work_check.h"

#include <optional>
#include <string>
#include <utility>

namespace lamina::sim::internal {
namespace {

class WorkCheck {
 public:
  WorkCheck(const StackReader& reader, std::vector<StackFinding>& findings)
      : reader_(reader), work_(*reader.stack().work), findings_(findings) {}

  // The directory called `name` in `dir`; nothing when there is none.
  Result<std::optional<NodeId>> Directory(NodeId dir, std::string_view name) const {
    const Result<NodeId> node = work_.fs->Lookup(reader_.op(), {dir, name});
    if (!node.ok()) {
      if (node.error() == Errno::kNoEnt) return std::optional<NodeId>();
      return node.error();
    }
    const Result<Stat> stat = work_.fs->GetAttr(reader_.op(), *node);
    if (!stat.ok()) return stat.error();
    if (stat->type != FileType::kDirectory) return std::optional<NodeId>();
    return std::optional<NodeId>(*node);
  }

  Result<void> Run() {
    const Result<std::optional<NodeId>> scratch = Directory(work_.node, "work");
    if (!scratch.ok()) return scratch.error();
    if (!scratch->has_value()) return {};
    const auto entries = reader_.List(*work_.fs, **scratch);
    if (!entries.ok()) return entries.error();
    for (const StackReader::Named& entry : *entries) {
      if (entry.name == "incompat") continue;
      Add(FindingKind::kLeftoverTemporary, Severity::kNote, "/work/" + entry.name,
          "left over by a mount that did not end well",
          "the kernel removes everything in work/ at the next mount");
    }
    return CheckIncompat(**scratch);
  }

 private:
  Result<void> CheckIncompat(NodeId scratch) {
    if (reader_.stack().mounted && reader_.stack().options.volatile_upper) return {};
    const Result<std::optional<NodeId>> incompat = Directory(scratch, "incompat");
    if (!incompat.ok()) return incompat.error();
    if (!incompat->has_value()) return {};
    const Result<std::optional<NodeId>> mark = Directory(**incompat, "volatile");
    if (!mark.ok()) return mark.error();
    if (!mark->has_value()) return {};
    Add(FindingKind::kVolatileMark, Severity::kError, "/work/incompat/volatile",
        "mark of a mount with the option volatile: what it wrote may never have reached the disk",
        "the kernel refuses to mount this upper again (EINVAL), until the mark is removed by hand");
    return {};
  }

  void Add(FindingKind kind, Severity severity, std::string path, std::string what,
           std::string kernel) {
    findings_.push_back({kind, severity, std::string(kWorkLabel), work_.name, std::move(path),
                         std::move(what), std::move(kernel), 0, NodeId()});
  }

  const StackReader& reader_;
  const DirectoryRef& work_;
  std::vector<StackFinding>& findings_;
};

}  // namespace

Result<void> CheckWork(const StackReader& reader, const ShownDirectories& shown,
                       const std::map<Inode, std::uint64_t>& links,
                       std::vector<StackFinding>& findings) {
  WorkCheck check(reader, findings);
  if (Result<void> done = check.Run(); !done.ok()) return done;
  const Result<std::optional<NodeId>> index = check.Directory(reader.stack().work->node, "index");
  if (!index.ok()) return index.error();
  if (!index->has_value()) return {};
  return CheckIndex(reader, shown, links, **index, findings);
}

}  // namespace lamina::sim::internal
