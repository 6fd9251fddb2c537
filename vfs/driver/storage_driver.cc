#include "lamina/driver/storage_driver.h"

#include <utility>

#include "lamina/base/check.h"

namespace lamina {

Mount::Mount(StorageDriver& driver, LayerId layer, Tree tree, Instant now)
    : driver_(&driver), layer_(std::move(layer)), tree_(std::move(tree)), now_(now) {}

Mount::Mount(Mount&& other) noexcept
    : driver_(std::exchange(other.driver_, nullptr)),
      layer_(std::move(other.layer_)),
      tree_(std::move(other.tree_)),
      now_(other.now_) {}

Mount::~Mount() {
  if (driver_ == nullptr) return;
  const Credentials root = RootCredentials();
  // A mount that stays because of open files is told to on_message.
  const Result<void> put = Put(OpContext{root, now_, {}});
  static_cast<void>(put);
}

Result<void> Mount::Put(const OpContext& op) {
  LAMINA_CHECK(driver_ != nullptr);
  StorageDriver& driver = *std::exchange(driver_, nullptr);
  return driver.Put(op, layer_, tree_.path);
}

}  // namespace lamina
