// AufsView: a union of AUFS, several of whose branches may be writable, with the default options
// (plink, xino, udba=reval, diropq=w, create=tdp, cpup=tdp, no dirperm1, no shwh). What is seen is
// folded from the branches at every question; nobody else changes them.
//
//   AufsView view({{ModelBranchMode::kReadWrite, top}, {ModelBranchMode::kReadOnly, below}});
//   view.AddBranch(1, ModelBranchMode::kReadOnlyWhiteout, between);
//
// Whiteouts and opaque marks are files of the branches (aufs_branch.h), so that what a call leaves
// there can be looked at. Directories to be removed are removed at once, and changes of a parent's
// time reach its topmost part at once.
//
// Source: aufs.md, by its sections. Where the manual and the source of AUFS differ, the manual.
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_MODEL_AUFS_VIEW_H_
#define LAMINA_SIM_MODEL_AUFS_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/model/aufs_inodes.h"
#include "sim/model/aufs_stack.h"
#include "sim/model/view.h"

namespace lamina::sim {

// Names of the union are shorter than those of its branches (§2.1).
inline constexpr std::size_t kModelAufsNameLimit = 242;
inline constexpr std::size_t kModelAufsBranchLimit = 127;

class AufsView final : public ModelView {
 public:
  struct Content {
    ModelBranchMode mode = ModelBranchMode::kReadOnly;
    ModelTree tree;
  };

  // Topmost first, at least one. Base entries of a writable branch that are there have their types.
  explicit AufsView(const std::vector<Content>& branches);

  std::size_t branch_count() const { return stack_.size(); }
  // With its base entries and marks.
  const ModelTree& branch(std::size_t index) const { return stack_.at(index).tree(); }

  // ── Branches (§1.5 to §1.7). Numbers and link counts are not settled across these calls ──────
  // Errors, in this order: kNoSpc too many branches; kDom index > branch_count(); kInval the
  // content has a base entry of another type.
  Result<void> AddBranch(std::size_t index, ModelBranchMode mode, const ModelTree& content);
  // Errors: kBusy the last branch, or one in use. An index that is none: no error, no change.
  Result<void> DeleteBranch(std::size_t index);
  // Does the reference say whether it is in use? Not of a file that was open there when it was
  // copied, or hidden by a new branch: §1.6 does not say when its real file is another one.
  bool IsDeletionSettled(std::size_t index) const;
  // Errors: kInval a base entry has another type.
  Result<void> SetMode(std::size_t index, ModelBranchMode mode);
  // Does every name in use show in `after`, which is this view after such a call, what it shows
  // now? If not, the reference does not say what the user of the name sees.
  bool KeepsNamesInUse(const AufsView& after) const;
  // Where a process is; its directory is in use.
  void SetWorkingDirectory(const std::string& dir);
  // Would a read of this name make it a hard link (§4.6)?
  bool IsLinkedByReading(const std::string& path) const;
  // What nobody uses is forgotten and read in anew when it is looked at again.
  void ForgetUnused();
  // auplink flush: every name of a file with a pseudo-link becomes a hard link.
  Result<void> FlushPseudoLinks();

  std::unique_ptr<ModelView> Clone() const override;
  const ModelInode* Find(const std::string& path) const override;
  Result<void> CheckLookUp(const std::string& path) const override;
  Result<void> Permits(const ModelCaller& caller, const std::string& path,
                       unsigned wanted) const override;
  std::vector<ListedName> List(const std::string& dir) const override;
  bool IsEmpty(const std::string& dir) const override;
  bool IsEmptinessSettled(const std::string& dir) const override;
  bool IsPlaceSettled(const std::string& path) const override;
  bool IsMoveSettled(const std::string& from, const std::string& to) const override;
  std::uint32_t Links(const std::string& path) const override;
  std::uint64_t Identity(const std::string& path) const override;
  bool IsSameFile(const std::string& one, const std::string& other) const override;
  std::string StoredKey(const std::string& key) const override { return key; }
  std::optional<std::string> ShownKey(const std::string& stored) const override { return stored; }
  Result<ModelInode*> Change(const std::string& path) override;
  Result<void> Use(const std::string& path, ModelUse use) override;
  bool DropsTimes(const std::string& path) const override;
  Result<void> Add(const std::string& path, const ModelInode& inode) override;
  Result<void> Link(const std::string& from, const std::string& to) override;
  Result<void> Remove(const ModelCaller& caller, const std::string& path) override;
  Result<void> Rename(const ModelCaller& caller, const std::string& from, const std::string& to,
                      ModelRename mode, const ModelInode& whiteout) override;
  void Remount() override;
  void OpenSlot(int slot, const std::string& path) override;
  void CloseSlot(int slot) override;
  const ModelInode& InSlot(int slot) const override;
  std::uint32_t LinksInSlot(int slot) const override;
  std::uint64_t IdentityInSlot(int slot) const override;
  bool IsSlotOf(int slot, const std::string& path) const override;
  Result<ModelInode*> ChangeInSlot(int slot) override;
  Result<void> UseSlot(int slot, ModelUse use) override;
  bool IsSlotSettled(int slot) const override;

 private:
  static constexpr int kWorkingDirectory = -1;  // a slot of its own

  // An open file, and the name it was opened by. A directory with a name is found by the name.
  struct Slot {
    std::string path;
    AufsReal real;     // follows the copies
    AufsReal opened;   // a fifo: both ends must have opened the same
    std::set<int> on;  // numbers of the branches the open file has, or had, a part on
    bool is_directory = false;
    bool nameless = false;         // the name was removed or replaced
    bool parent_gone = false;      // and then the directory as well
    std::uint32_t links_left = 0;  // when the name went
    bool counts_names = false;     // links_left is st_nlink, whatever the branch says
  };

  // ── Real files (aufs_view.cc) ────────────────────────────────────────────────────────────────
  bool IsShown(const std::string& path) const;
  AufsReal RealOf(const std::string& path) const;
  const ModelInode* InodeOf(const AufsReal& real) const;
  ModelInode* InodeOf(const AufsReal& real);
  std::uint32_t LinksOf(const AufsReal& real) const;
  std::vector<std::string> NamesOf(std::uint64_t number) const;  // seen in the union

  // ── Copies (aufs_view_copies.cc) ─────────────────────────────────────────────────────────────
  // Makes the path, directories included, on a branch. kIo: a file is in the way of a directory.
  Result<void> CopyTo(const std::string& path, std::size_t branch);
  Result<void> CopyHere(const std::string& path, std::size_t branch);
  void CopyDirectory(const std::string& path, const AufsFound& found, std::size_t branch);
  enum class Bond : std::uint8_t { kIfHardLinked, kAlways };  // when a pseudo-link is made
  // Makes the file with a name on the branch: a hard link to what is there of it, or a copy.
  void PlaceFile(const AufsReal& source, const std::string& path, std::size_t branch, Bond bond);
  void AfterCopy(const AufsReal& source, const AufsReal& copy, Bond bond);
  // Gives a name of a file with a pseudo-link a hard link to the data.
  Result<void> LinkToData(const std::string& path);
  Result<ModelInode*> ChangeNameless(const Slot& slot);

  // ── Names (aufs_view_names.cc) ───────────────────────────────────────────────────────────────
  Result<void> MayChangeNames(const ModelCaller& caller, const std::string& dir,
                              std::size_t branch) const;
  // Does the search for what would reappear fail (§2.2)?
  bool IsBrokenBelow(const std::string& path, std::size_t branch) const;
  bool IsInTheWay(const std::string& path, std::size_t branch) const;
  bool MayMove(const std::string& dir, std::size_t branch) const;
  void Touch(const std::string& dir, std::size_t branch);
  void ForgetName(const std::string& path);
  void MoveSlots(const std::string& from, const std::string& to);
  bool IsCoveredBelow(const std::string& path, std::size_t index) const;
  bool IsUnsureBelow(const std::string& moved, const std::string& name, std::size_t index) const;
  // Both names, or the first one, are on the branch.
  void SwapOn(std::size_t index, const std::string& from, const std::string& to);
  void TakeOut(std::size_t index, const std::string& path);
  void MoveOn(std::size_t index, const std::string& from, const std::string& to, bool was_copied);
  // Makes a directory opaque.
  void CoverBelow(std::size_t index, const std::string& path, bool covers);

  // ── Open files and branches (aufs_view_handles.cc, aufs_view_branches.cc) ────────────────────
  // Would the open file miss the branch?
  bool HoldsBranch(int number, const Slot& slot, std::size_t index) const;
  // Is a part of it there now?
  bool IsNowOn(const Slot& slot, std::size_t index) const;
  // Finds the names in use again after the branches have changed.
  void RefreshSlots();
  void Pin(const AufsReal& real);
  void Unpin(const AufsReal& real);

  AufsStack stack_;
  AufsInodes inodes_;
  std::map<int, Slot> slots_;
  int next_branch_ = 0;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_AUFS_VIEW_H_
