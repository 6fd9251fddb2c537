#include "sim/model/view.h"

#include "sim/model/tree.h"

namespace lamina::sim {

// What a view says that has nothing to add.

Result<void> ModelView::CheckLookUp(const std::string& path) const {
  if (LastName(path).size() > kModelNameLimit) return Errno::kNameTooLong;
  return {};
}

Result<void> ModelView::Permits(const ModelCaller& caller, const std::string& path,
                                unsigned wanted) const {
  if (!Allows(caller, *Find(path), wanted)) return Errno::kAccess;
  return {};
}

bool ModelView::IsPlaceSettled(const std::string&) const { return true; }

bool ModelView::IsMoveSettled(const std::string&, const std::string&) const { return true; }

Result<void> ModelView::Use(const std::string&, ModelUse) { return {}; }

bool ModelView::DropsTimes(const std::string&) const { return false; }

Result<void> ModelView::UseSlot(int, ModelUse) { return {}; }

}  // namespace lamina::sim
