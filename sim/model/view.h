// ModelView: a tree as a process sees it, and the effects a call has on it once every check of the
// VFS has passed. Three of them: PlainView (one tree, plain POSIX), OverlayView (layers) and
// AufsView (branches). The calls in posix.h are the same for all, so a difference between two of
// them is a deviation.
//
// Paths are absolute, without ".", ".." and symlinks on the way: the resolver has taken them out.
//
// Threads: thread-compatible.
#ifndef LAMINA_SIM_MODEL_VIEW_H_
#define LAMINA_SIM_MODEL_VIEW_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lamina/base/result.h"
#include "sim/model/deviation.h"
#include "sim/model/inode.h"
#include "sim/model/rules.h"

namespace lamina::sim {

enum class ModelRename : std::uint8_t { kReplace, kNoReplace, kExchange, kLeaveWhiteout };

struct ListedName {  // one entry of readdir
  std::string name;
  ModelType type{};
  friend bool operator==(const ListedName&, const ListedName&) = default;
};

inline constexpr std::size_t kModelNameLimit = 255;

// What a call does that has changed nothing yet, and may move files between layers all the same.
enum class ModelUse : std::uint8_t {
  kOpenToWrite,
  kRead,
  kSync,         // fsync on a handle that may write
  kRemoveXattr,  // of an attribute that is not there
};

class ModelView {
 public:
  virtual ~ModelView() = default;
  virtual std::unique_ptr<ModelView> Clone() const = 0;

  // ── What is seen ─────────────────────────────────────────────────────────────────────────────
  virtual const ModelInode* Find(const std::string& path) const = 0;  // null: absent
  // May this name be asked for, whether it is there or not? Its directory is there.
  // Errors: kNameTooLong; those of the dialect.
  virtual Result<void> CheckLookUp(const std::string& path) const;
  // Mode bits. Errors: kAccess; those of the dialect.
  virtual Result<void> Permits(const ModelCaller& caller, const std::string& path,
                               unsigned wanted) const;
  virtual std::vector<ListedName> List(const std::string& dir) const = 0;  // in byte order
  virtual bool IsEmpty(const std::string& dir) const = 0;                  // in the sense of rmdir
  // Does the reference say whether this directory counts as empty?
  virtual bool IsEmptinessSettled(const std::string& dir) const = 0;
  virtual std::uint32_t Links(const std::string& path) const = 0;
  // Equal numbers: the same (st_dev, st_ino).
  virtual std::uint64_t Identity(const std::string& path) const = 0;
  // Are two names one file to rename(2)?
  virtual bool IsSameFile(const std::string& one, const std::string& other) const = 0;
  // Does the reference say where a change of this name goes?
  virtual bool IsPlaceSettled(const std::string& path) const;
  // Does the reference say what rename or link of these two names does?
  virtual bool IsMoveSettled(const std::string& from, const std::string& to) const;
  // The key under which an extended attribute is kept; and the keys a user sees of an inode.
  virtual std::string StoredKey(const std::string& key) const = 0;
  virtual std::optional<std::string> ShownKey(const std::string& stored) const = 0;

  // ── Effects ──────────────────────────────────────────────────────────────────────────────────
  // The file, ready to be changed (a union copies it up). Errors of the dialect only.
  virtual Result<ModelInode*> Change(const std::string& path) = 0;
  virtual Result<void> Use(const std::string& path, ModelUse use);
  // Are times that somebody sets dropped without an error?
  virtual bool DropsTimes(const std::string& path) const;
  // A new name. Errors of the dialect only.
  virtual Result<void> Add(const std::string& path, const ModelInode& inode) = 0;
  virtual Result<void> Link(const std::string& from, const std::string& to) = 0;
  // A name that is no directory, or is an empty one.
  virtual Result<void> Remove(const ModelCaller& caller, const std::string& path) = 0;
  // Errors: what the dialect refuses; kNotEmpty the target directory is not empty.
  virtual Result<void> Rename(const ModelCaller& caller, const std::string& from,
                              const std::string& to, ModelRename mode,
                              const ModelInode& whiteout) = 0;
  // Unmounted and mounted again; no file is open.
  virtual void Remount() {}

  // ── Open files, by slot ──────────────────────────────────────────────────────────────────────
  virtual void OpenSlot(int slot, const std::string& path) = 0;
  virtual void CloseSlot(int slot) = 0;
  virtual const ModelInode& InSlot(int slot) const = 0;
  virtual std::uint32_t LinksInSlot(int slot) const = 0;
  virtual std::uint64_t IdentityInSlot(int slot) const = 0;
  // Is it the file that this path names now? (For fifos: do both ends meet?)
  virtual bool IsSlotOf(int slot, const std::string& path) const = 0;
  virtual Result<ModelInode*> ChangeInSlot(int slot) = 0;
  virtual Result<void> UseSlot(int slot, ModelUse use);
  // Is the outcome of a change through this handle fixed by the reference?
  virtual bool IsSlotSettled(int slot) const = 0;

  // ── Deviations ───────────────────────────────────────────────────────────────────────────────
  // The rules that were used since the last call of TakeDeviations.
  std::set<DeviationRule> TakeDeviations() { return std::exchange(used_, {}); }

 protected:
  void Note(DeviationRule rule) const { used_.insert(rule); }

 private:
  mutable std::set<DeviationRule> used_;  // questions note the rule they met as well
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_VIEW_H_
