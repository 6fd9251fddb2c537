#include "tests/model/aufs_drawing.h"

#include <array>
#include <utility>

namespace lamina::sim {
namespace {

ModelBranchMode DrawBranchMode(const Choose& choose) {
  static const std::array<ModelBranchMode, 5> kModes = {
      ModelBranchMode::kReadOnlyWhiteout, ModelBranchMode::kReadOnly, ModelBranchMode::kReadWrite,
      ModelBranchMode::kReadOnlyWhiteout, ModelBranchMode::kReadWrite};
  return kModes.at(static_cast<std::size_t>(choose(static_cast<int>(kModes.size()))));
}

std::string_view WordOf(ModelBranchMode mode) {
  switch (mode) {
    case ModelBranchMode::kReadWrite:
      return "rw";
    case ModelBranchMode::kReadOnly:
      return "ro";
    case ModelBranchMode::kReadOnlyWhiteout:
      return "ro+wh";
  }
  return "";
}

}  // namespace

std::vector<AufsView::Content> DrawBranches(const Choose& choose) {
  std::vector<AufsView::Content> branches;
  const int count = 1 + choose(4);
  for (int i = 0; i < count; ++i) {
    branches.push_back({DrawBranchMode(choose), BuildLayer(DrawLayer(choose, Marks::kAufs))});
  }
  const int writable = choose(8) == 1 ? choose(count) : 0;
  branches.at(static_cast<std::size_t>(writable)).mode = ModelBranchMode::kReadWrite;
  return branches;
}

std::string BranchChange::Show() const {
  std::string text;
  for (const ModelOperation& call : content) text += call.Show() + "\n";
  const std::string at = std::to_string(index);
  switch (kind) {
    case Kind::kAdd:
      return text + "add " + at + " " + std::string(WordOf(mode));
    case Kind::kDelete:
      return "del " + at;
    case Kind::kSetMode:
      return "mod " + at + " " + std::string(WordOf(mode));
  }
  return text;
}

BranchChange DrawBranchChange(const AufsView& view, const Choose& choose) {
  BranchChange change;
  const int count = static_cast<int>(view.branch_count());
  const int choice = choose(4);
  change.kind = BranchChange::Kind::kSetMode;
  if (choice == 1 || count > 5) change.kind = BranchChange::Kind::kDelete;
  if (choice == 2 && count <= 5) change.kind = BranchChange::Kind::kAdd;
  const bool adds = change.kind == BranchChange::Kind::kAdd;
  change.index = static_cast<std::size_t>(choose(adds ? count + 2 : count));
  change.mode = DrawBranchMode(choose);
  if (adds) change.content = DrawLayer(choose, Marks::kAufs);
  return change;
}

Result<void> ApplyBranchChange(AufsView& view, const BranchChange& change) {
  switch (change.kind) {
    case BranchChange::Kind::kAdd:
      return view.AddBranch(change.index, change.mode, BuildLayer(change.content));
    case BranchChange::Kind::kDelete:
      return view.DeleteBranch(change.index);
    case BranchChange::Kind::kSetMode:
      return view.SetMode(change.index, change.mode);
  }
  return {};
}

ModelOperation WithOddName(ModelOperation call, const Choose& choose) {
  if (choose(24) != 1) return call;
  static const std::array<std::string, 5> kNames = {".wh.a", ".wh.", ".wh..wh..opq",
                                                    std::string(242, 'l'), std::string(243, 'l')};
  const bool has_other = call.kind == OperationKind::kRename || call.kind == OperationKind::kLink;
  std::string& path = has_other && choose(2) == 1 ? call.other : call.path;
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return call;
  const int name = choose(static_cast<int>(kNames.size()));
  path = path.substr(0, slash + 1) + kNames.at(static_cast<std::size_t>(name));
  return call;
}

}  // namespace lamina::sim
