#include "lamina/testing/tree.h"

#include <string>
#include <utility>

#include "sim/testing/drawing.h"

namespace lamina::testing {
namespace {

using internal::DrawnEntry;

void AddEntry(const DrawnEntry& entry, NamedLayer& layer) {
  if (entry.whiteout) {
    layer.Whiteout(entry.path);
  } else if (!entry.hardlink.empty()) {
    layer.Hardlink(entry.path, entry.hardlink);
  } else if (entry.type == FileType::kDirectory) {
    layer.Dir(entry.path);
  } else if (entry.type == FileType::kSymlink) {
    layer.Symlink(entry.path, entry.target);
  } else if (entry.type == FileType::kFifo) {
    layer.Fifo(entry.path);
  } else {
    layer.File(entry.path, entry.content);
  }
  if (entry.opaque) layer.Opaque(entry.path);
  for (const auto& [key, value] : entry.xattrs) layer.Xattr(entry.path, key, value);
  // The owner first: a change of owner drops set-id bits.
  if (entry.owner) layer.Owner(entry.path, entry.owner->first, entry.owner->second);
  if (entry.mode) layer.Mode(entry.path, *entry.mode);
}

}  // namespace

NamedLayer Tree(std::string_view drawing) {
  NamedLayer layer("");
  const absl::StatusOr<std::vector<DrawnEntry>> entries = internal::ParseDrawing(drawing);
  if (!entries.ok()) return layer.Fail(entries.status());
  for (const DrawnEntry& entry : *entries) AddEntry(entry, layer);
  return layer;
}

FsPtr Overlay(const StackDrawing& drawing) {
  std::vector<NamedLayer> lowers = drawing.lower;
  if (lowers.empty()) lowers.emplace_back("lower");
  Stack stack;
  for (std::size_t i = lowers.size(); i-- > 0;) {
    NamedLayer& lower = lowers[i];
    const std::string number = lowers.size() > 1 ? std::to_string(i + 1) : "";
    if (lower.name().empty()) lower.Rename("lower" + number);
    stack.Push(std::move(lower));
  }
  if (drawing.upper) stack.Upper(*drawing.upper);
  return stack.MountOrDie(drawing.options);
}

FsPtr Aufs(StackDrawing drawing) {
  drawing.options.dialect = UnionDialect::kAufs;
  return Overlay(drawing);
}

}  // namespace lamina::testing
