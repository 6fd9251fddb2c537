// OverlayView: layers with whiteouts and opaque marks, folded from the top at every question. An
// upper tree that is written and lower trees that never are. Default mount options
// (redirect_dir follow but no redirects present, index, metacopy and xino off).
//
//   upper    /d (opaque)   /f = whiteout
//   lower 0  /d/x          /f "top"        topmost
//   lower 1  /d/y          /f "below"
//
// Not modelled: redirects, metacopy files and attribute whiteouts in a layer, mounts without upper.
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_MODEL_OVERLAY_VIEW_H_
#define LAMINA_SIM_MODEL_OVERLAY_VIEW_H_

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/model/tree.h"
#include "sim/model/view.h"

namespace lamina::sim {

enum class KernelQuirks : std::uint8_t { kOn, kOff };

class OverlayView final : public ModelView {
 public:
  // `lowers`: topmost first, at least one.
  OverlayView(ModelTree upper, std::vector<ModelTree> lowers, KernelQuirks quirks);

  const ModelTree& upper() const { return upper_; }
  const std::vector<ModelTree>& lowers() const { return *lowers_; }
  // What is seen, as one plain tree; names of one file share an inode.
  ModelTree Flatten() const;

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
  Result<void> Use(const std::string& path, ModelUse use) override;
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
  static constexpr std::size_t kUpper = 0;  // layer numbers: lower i is i + 1

  // A handle: an inode of the upper, or a lower file seen at a path that cannot move.
  struct Slot {
    std::size_t layer = 0;
    ModelIno ino = 0;
    std::string path;          // of a lower file
    bool hidden = false;       // the path was removed or replaced
    bool parent_gone = false;  // and then the directory as well
  };

  const ModelTree& Layer(std::size_t layer) const;
  // The layers that make up what is seen at a path, topmost first: one for anything but a
  // directory. Empty: absent.
  std::vector<std::size_t> LayersOf(const std::string& path) const;
  // Does the next lower part below the upper show a name here (so that removing needs a mark)?
  bool IsPositiveBelow(const std::string& path) const;
  bool IsMerged(const std::string& dir) const { return LayersOf(dir).size() > 1; }
  bool IsOpaque(const ModelInode& inode) const;
  bool CanMove(const std::string& path) const;
  std::uint64_t IdentityIn(std::size_t layer, ModelIno ino) const;
  void CopyUp(const std::string& path);
  void CopyUpHere(const std::string& path);
  // Takes the upper part away, marks included, and leaves a whiteout where one is needed.
  void Hide(const std::string& path);
  void DropUpper(const std::string& path);  // if it is there
  void MarkMovedDirectory(const std::string& path);
  void HideSlots(const std::string& path);
  void Touch(const std::string& dir) { upper_.Find(dir)->mtime_ns = kModelNow; }

  ModelTree upper_;
  std::shared_ptr<const std::vector<ModelTree>> lowers_;  // never change: the only thing shared
  KernelQuirks quirks_;
  std::map<ModelIno, std::uint64_t> origin_;  // upper inode -> identity it was copied up with
  std::map<int, Slot> slots_;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_OVERLAY_VIEW_H_
