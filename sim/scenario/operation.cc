#include "sim/scenario/operation.h"

#include <algorithm>

namespace lamina::sim::internal {

const Operation* FindOperation(std::string_view name) {
  static const std::vector<const Operation*>* const sorted = [] {
    auto* all = new std::vector<const Operation*>;
    for (const Operation& row : ControlOperations()) all->push_back(&row);
    for (const Operation& row : PathOperations()) all->push_back(&row);
    for (const Operation& row : HandleOperations()) all->push_back(&row);
    for (const Operation& row : DeviceOperations()) all->push_back(&row);
    std::sort(all->begin(), all->end(),
              [](const Operation* a, const Operation* b) { return a->name < b->name; });
    return all;
  }();
  const auto found = std::lower_bound(
      sorted->begin(), sorted->end(), name,
      [](const Operation* row, std::string_view wanted) { return row->name < wanted; });
  if (found == sorted->end() || (*found)->name != name) return nullptr;
  return *found;
}

bool WorksOnDevices(const Operation& operation) {
  const std::span<const Operation> rows = DeviceOperations();
  return std::any_of(rows.begin(), rows.end(),
                     [&](const Operation& row) { return row.name == operation.name; });
}

}  // namespace lamina::sim::internal
