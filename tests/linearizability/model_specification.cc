#include "tests/linearizability/model_specification.h"

#include "sim/model/entry.h"
#include "sim/model/overlay_view.h"
#include "sim/model/plain_view.h"

namespace lamina::sim {
namespace {

std::string TextOf(const std::vector<ModelEntry>& dump) {
  std::string text;
  for (const ModelEntry& entry : dump) {
    text += entry.Show() + " #" + std::to_string(entry.identity) + "\n";
  }
  return text;
}

}  // namespace

std::unique_ptr<Specification> ModelSpecification::Clone() const {
  return std::make_unique<ModelSpecification>(model_);
}

std::string ModelSpecification::Link(const ModelOperation& o) {
  if (!model_.IsOpen(o.slot)) return "EBADF";
  if (model_.view().Find(ParentPath(o.other)) == nullptr) return "ENOENT";
  if (model_.view().Find(o.other) != nullptr) return "EEXIST";
  for (const ModelEntry& entry : DumpView(model_.view())) {
    if (!entry.found || !model_.view().IsSlotOf(o.slot, entry.path)) continue;
    const Result<void> linked = model_.Link(entry.path, o.other);
    return linked.ok() ? "OK" : std::string(ErrnoName(linked.error()));
  }
  return "ENOENT";  // no name left
}

std::string ModelSpecification::Apply(const ModelOperation& o) {
  if (o.kind == OperationKind::kLink) return Link(o);
  if (o.kind == OperationKind::kStat) {
    const Result<ModelStat> stat = model_.GetStat(o.path);
    if (!stat.ok()) return std::string(ErrnoName(stat.error()));
    return "there";
  }
  if (!IsSettled(model_, o)) return "?";
  return ApplyOperation(model_, o).Show();
}

std::string ModelSpecification::SlotState(int slot, const std::vector<std::string>& paths) const {
  const ModelView& view = model_.view();
  ModelEntry entry;
  entry.path = "h" + std::to_string(slot);
  entry.inode = view.InSlot(slot);
  entry.links = view.LinksInSlot(slot);
  std::string text = entry.Show() + " #" + std::to_string(view.IdentityInSlot(slot));
  if (!view.IsSlotSettled(slot)) text += " unsettled";
  for (const std::string& path : paths) {
    if (view.IsSlotOf(slot, path)) text += " " + path;
  }
  return text + "\n";
}

std::string ModelSpecification::State() const {
  const std::vector<ModelEntry> seen = DumpView(model_.view());
  std::vector<std::string> paths;
  for (const ModelEntry& entry : seen) {
    if (entry.found) paths.push_back(entry.path);
  }
  std::string text = TextOf(seen);
  for (const int slot : model_.OpenSlots()) text += SlotState(slot, paths);
  const auto* overlay = dynamic_cast<const OverlayView*>(&model_.view());
  if (overlay != nullptr) text += "upper\n" + TextOf(DumpView(PlainView(overlay->upper())));
  return text;
}

}  // namespace lamina::sim
