// PlainView: one tree with the rules of POSIX and nothing else. The answer to "what would a file
// system without layers do".
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_MODEL_PLAIN_VIEW_H_
#define LAMINA_SIM_MODEL_PLAIN_VIEW_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/model/tree.h"
#include "sim/model/view.h"

namespace lamina::sim {

class PlainView final : public ModelView {
 public:
  PlainView() = default;
  explicit PlainView(const ModelTree& tree) : tree_(tree) {}

  const ModelTree& tree() const { return tree_; }

  std::unique_ptr<ModelView> Clone() const override;
  const ModelInode* Find(const std::string& path) const override;
  std::vector<ListedName> List(const std::string& dir) const override;
  bool IsEmpty(const std::string& dir) const override;
  bool IsEmptinessSettled(const std::string& dir) const override;
  std::uint32_t Links(const std::string& path) const override;
  std::uint64_t Identity(const std::string& path) const override;
  bool IsSameFile(const std::string& one, const std::string& other) const override;
  std::string StoredKey(const std::string& key) const override;
  std::optional<std::string> ShownKey(const std::string& stored) const override;
  Result<ModelInode*> Change(const std::string& path) override;
  Result<void> Add(const std::string& path, const ModelInode& inode) override;
  Result<void> Link(const std::string& from, const std::string& to) override;
  Result<void> Remove(const ModelCaller&, const std::string& path) override;
  Result<void> Rename(const ModelCaller&, const std::string& from, const std::string& to,
                      ModelRename mode, const ModelInode& whiteout) override;
  void OpenSlot(int slot, const std::string& path) override;
  void CloseSlot(int slot) override;
  const ModelInode& InSlot(int slot) const override;
  std::uint32_t LinksInSlot(int slot) const override;
  std::uint64_t IdentityInSlot(int slot) const override;
  bool IsSlotOf(int slot, const std::string& path) const override;
  Result<ModelInode*> ChangeInSlot(int slot) override;
  bool IsSlotSettled(int slot) const override;

 private:
  ModelTree tree_;
  std::map<int, ModelIno> slots_;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_PLAIN_VIEW_H_
