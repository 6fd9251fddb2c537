// PosixModel: the calls of a process on a ModelView: what POSIX and Linux say the result is, errors
// in the order Linux checks them. Sources: Linux fs/namei.c, fs/open.c, fs/attr.c, fs/xattr.c.
//
//   PosixModel model(std::make_unique<PlainView>());
//   model.Mkdir("/a", 0755);
//   model.Rmdir("/a/.");        // Errno::kInval
//
// Every call returns what the kernel would; a call that fails has changed nothing that is seen,
// apart from what the table of deviations says.
//
// Threads: thread-compatible. Copying copies everything, open files included.
#ifndef LAMINA_SIM_MODEL_POSIX_H_
#define LAMINA_SIM_MODEL_POSIX_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lamina/base/result.h"
#include "sim/model/resolver.h"
#include "sim/model/rules.h"
#include "sim/model/view.h"

namespace lamina::sim {

struct ModelOpenHow {
  bool read = false;
  bool write = false;
  bool create = false;
  bool exclusive = false;
  bool truncate = false;
  bool append = false;
  bool directory = false;
  bool no_follow = false;
};

inline const std::string kFileCapability = "security.capability";

struct ModelStat {
  ModelInode inode;
  std::uint32_t links = 0;
  std::uint64_t identity = 0;  // 0: not compared (an open directory)
};

enum class ModelXattrMode : std::uint8_t { kSet, kCreate, kReplace };

// fs.protected_hardlinks: may a file be linked by someone who neither owns it nor may write it?
enum class HardLinks : std::uint8_t { kAnyFile, kProtected };

class PosixModel {
 public:
  explicit PosixModel(std::unique_ptr<ModelView> view) : view_(std::move(view)) {}
  PosixModel(const PosixModel& other);
  PosixModel& operator=(const PosixModel& other);

  const ModelView& view() const { return *view_; }
  ModelView& view() { return *view_; }
  const ModelCaller& caller() const { return caller_; }
  void Become(std::uint32_t uid, std::uint32_t gid);
  void SetUmask(std::uint16_t mask) { caller_.umask = mask; }
  void SetHardLinks(HardLinks rule) { hard_links_ = rule; }
  bool IsOpen(int slot) const { return open_.contains(slot); }
  std::vector<int> OpenSlots() const;

  // Would bytes written to this path go into a fifo that somebody reads?
  bool WouldFeedFifo(const std::string& path) const;
  // Does the reference say what rmdir of this path, or a rename over it, does?
  bool IsRemovalSettled(const std::string& path) const;
  // Does it say where a change by this path goes?
  bool IsPlaceSettled(const std::string& path) const;
  // Does it say what rename or link of these two names does?
  bool IsMoveSettled(const std::string& from, const std::string& to) const;

  // ── Names ────────────────────────────────────────────────────────────────────────────────────
  Result<void> Mkdir(const std::string& path, std::uint16_t mode);
  Result<void> MakeNode(const std::string& path, ModelType type, std::uint16_t mode,
                        std::uint32_t major, std::uint32_t minor);
  Result<void> Symlink(const std::string& target, const std::string& path);
  Result<void> Link(const std::string& from, const std::string& to);  // does not follow `from`
  Result<void> Unlink(const std::string& path);
  Result<void> Rmdir(const std::string& path);
  Result<void> Rename(const std::string& from, const std::string& to, ModelRename mode);
  Result<std::vector<ListedName>> List(const std::string& path) const;

  // ── Attributes ───────────────────────────────────────────────────────────────────────────────
  Result<ModelStat> GetStat(const std::string& path) const;  // does not follow
  Result<std::string> Readlink(const std::string& path) const;
  Result<void> CheckPath(const std::string& path, unsigned wanted) const;  // follows
  Result<void> Chmod(const std::string& path, std::uint16_t mode);         // follows
  // The rest does not follow.
  Result<void> Chown(const std::string& path, std::optional<std::uint32_t> uid,
                     std::optional<std::uint32_t> gid);
  Result<void> Utimens(const std::string& path, std::int64_t mtime_ns);
  Result<void> SetXattr(const std::string& path, const std::string& key, const std::string& value,
                        ModelXattrMode mode);
  Result<std::string> GetXattr(const std::string& path, const std::string& key) const;
  Result<void> RemoveXattr(const std::string& path, const std::string& key);
  Result<std::vector<std::string>> ListXattr(const std::string& path) const;

  // ── Files by path: open, one transfer, close ─────────────────────────────────────────────────
  Result<void> Create(const std::string& path, std::uint16_t mode);  // O_CREAT|O_EXCL|O_WRONLY
  // O_CREAT|O_TRUNC|O_WRONLY and write. Bytes written. Not modelled: what goes into a fifo.
  Result<std::size_t> Put(const std::string& path, std::uint16_t mode, const std::string& data);
  Result<std::size_t> Write(const std::string& path, std::size_t offset, const std::string& data);
  Result<std::size_t> Append(const std::string& path, const std::string& data);
  Result<void> Truncate(const std::string& path, std::size_t size_bytes);
  Result<std::string> Read(const std::string& path, std::size_t offset, std::size_t length);

  // ── Open files, by slot ──────────────────────────────────────────────────────────────────────
  Result<void> Open(int slot, const std::string& path, const ModelOpenHow& how, std::uint16_t mode);
  Result<void> Close(int slot);
  void Remount();  // closes all; unmounts and mounts again
  Result<std::string> ReadSlot(int slot, std::size_t offset, std::size_t length);
  Result<std::size_t> WriteSlot(int slot, std::size_t offset, const std::string& data);
  Result<void> TruncateSlot(int slot, std::size_t size_bytes);
  Result<ModelStat> StatSlot(int slot) const;
  Result<void> ChmodSlot(int slot, std::uint16_t mode);
  Result<void> SyncSlot(int slot);

 private:
  enum class Slash : std::uint8_t { kAllowed, kRefused };

  // The place for a new name: everything mkdir, mknod, link and symlink check first.
  Result<std::string> PlaceForNew(const std::string& path, Slash slash) const;
  Result<std::string> Existing(const std::string& path, FinalLink link) const {
    return Resolve(*view_, caller_, path, link);
  }
  Result<void> MayAdd(const std::string& path) const;
  Result<void> MayLink(const std::string& source) const;
  Result<void> MayRemove(const std::string& path, bool as_directory) const;
  ModelInode NewInode(const std::string& path, ModelType type, std::uint16_t mode) const;
  Result<void> CheckRename(const std::string& from, const std::string& to, ModelRename mode) const;
  Result<void> MayTouchXattr(const std::string& path, const std::string& key,
                             unsigned wanted) const;
  Result<std::string> OpenPath(const std::string& path, const ModelOpenHow& how,
                               std::uint16_t mode);
  Result<std::string> CreateAt(const Located& located, std::uint16_t mode);
  Result<std::string> OpenFound(const std::string& path, const ModelOpenHow& how,
                                bool want_directory);
  // After a change of content: set-id bits (unless by root) and the file capability go.
  void DropPrivileges(ModelInode& inode) const;
  bool IsFifo(const std::string& path) const;
  bool HasReader(const std::string& fifo) const;
  bool HasWriter(const std::string& fifo) const;
  void Resize(ModelInode& inode, std::size_t size_bytes) const;
  std::size_t WriteBytes(ModelInode& inode, std::size_t offset, const std::string& data) const;

  std::unique_ptr<ModelView> view_;
  ModelCaller caller_;
  HardLinks hard_links_ = HardLinks::kAnyFile;
  std::map<int, ModelOpenHow> open_;
};

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_POSIX_H_
