// StorageDriver: Docker's graph driver without the host (seam 3): layers that know their parents,
// mounts of them, and what a layer changes.
//
//   Result<std::unique_ptr<StorageDriver>> driver = OpenDriver("aufs", op, home);
//   (*driver)->CreateLayer(op, base, nullptr);
//   (*driver)->CreateReadWrite(op, container, &base);
//   Result<Mount> mount = (*driver)->Get(op, container);
//   mount->fs().Lookup(op, {mount->root(), "etc"});
//
// A driver keeps its books on a FileSystem, its home, which stands for the Docker root
// (/var/lib/docker): aufs/layers/ID, overlay2/ID/lower, … A driver opened on an old home goes on
// where the last one stopped, so a crash is a home without its driver.
//
// Errors are Errno. The sentence Docker has for one goes to DriverOptions::on_message just before
// the call returns; so does what Docker would only log.
//
// Threads: a driver guards itself; one lock is held while a call changes its books or its mounts,
// also while on_message and event sinks run, which must not call into the driver. When several
// threads use it, or a mount while the driver works, the home must be safe for that
// (SynchronizedFileSystem). A mounted tree has the rule of its file system.
// Lifetime: the home must outlive the driver, the driver its Mounts.
#ifndef LAMINA_DRIVER_STORAGE_DRIVER_H_
#define LAMINA_DRIVER_STORAGE_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/base/ids.h"
#include "lamina/base/result.h"
#include "lamina/base/time.h"
#include "lamina/trace/op_context.h"

namespace lamina {

class FileSystem;
class MountTable;     // driver/mount_table.h
class StorageDriver;  // below
struct ChangeSet;     // driver/change_set.h
struct LayerChange;   // driver/change_set.h

// ── Options ──────────────────────────────────────────────────────────────────────────────────────

// What Docker says, in its words.
struct DriverMessage {
  enum class Kind : std::uint8_t {
    kError,    // why the running call fails
    kWarning,  // the call goes on
  };
  Kind kind{};
  std::string_view text;  // valid during the call of the listener
};
using DriverListener = std::function<void(const DriverMessage&)>;

// One `key=value` of --storage-opt.
struct StorageOption {
  std::string key;
  std::string value;
};

// What Docker finds out about the machine, and a FileSystem cannot tell.
struct DriverHost {
  std::string backing_fs = "extfs";  // what the home lies on; "": one that Docker has no name for
  bool in_user_namespace = false;
  bool has_kernel_support = true;  // the driver's file system is in /proc/filesystems
  bool has_dirperm1 = true;        // aufs: the probe mount with dirperm1 succeeds
  std::size_t page_bytes = 4096;   // mount(2) takes no more option text
};

struct DriverOptions {
  std::string docker_root = "/var/lib/docker";  // the home's name in paths that are shown
  std::vector<StorageOption> storage = {};
  std::string mount_label = {};  // SELinux context of every mount; "": none
  DriverHost host = {};
  MountTable* mounts = nullptr;  // of the machine; absent: the driver's own, which goes with it
  DriverListener on_message = {};
};

struct LayerOptions {
  std::vector<StorageOption> storage = {};
};

// ── Mounts ───────────────────────────────────────────────────────────────────────────────────────

// A layer in use: StorageDriver::Get made it, its end puts the layer back.
//
// A layer that is removed, or a driver that is cleaned up, while a Mount lives takes the tree out
// of the mount table. The Mount still reaches it, as an open directory of a detached mount does.
class Mount {
 public:
  struct Tree {
    std::shared_ptr<FileSystem> fs;
    NodeId root;       // of the layer's tree in `fs`
    std::string path;  // where Docker finds it
  };
  // `now`: the time of the Get, which a Put by the destructor has again.
  Mount(StorageDriver& driver, LayerId layer, Tree tree, Instant now);
  Mount(Mount&& other) noexcept;
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  Mount& operator=(Mount&&) = delete;
  ~Mount();

  FileSystem& fs() const { return *tree_.fs; }
  NodeId root() const { return tree_.root; }
  const std::string& path() const { return tree_.path; }
  const LayerId& layer() const { return layer_; }

  // Puts the layer now, which can be done once. It is put whatever comes back.
  // Errors: kBusy it was the last use, and the mount has open files: it stays mounted.
  Result<void> Put(const OpContext& op);

 private:
  StorageDriver* driver_;  // null once put
  LayerId layer_;
  Tree tree_;
  Instant now_;
};

// ── The driver ───────────────────────────────────────────────────────────────────────────────────

// A layer's id is a file name: one that is empty, "." or "..", or has a '/', is kInval everywhere.
// Errors below are named where a driver cannot but give them; each adds what its home gives.
class StorageDriver {
 public:
  virtual ~StorageDriver() = default;

  virtual std::string_view name() const = 0;

  // An image layer above `parent` (null: none), empty. A driver says what creating an id that is
  // there does.
  // Errors: kOpNotSupp a storage option the driver does not know; kNoEnt no such parent.
  virtual Result<void> CreateLayer(const OpContext& op, const LayerId& id, const LayerId* parent,
                                   const LayerOptions& options) = 0;
  // The same for a container, which writes into it.
  virtual Result<void> CreateReadWrite(const OpContext& op, const LayerId& id,
                                       const LayerId* parent, const LayerOptions& options) = 0;
  Result<void> CreateLayer(const OpContext& op, const LayerId& id, const LayerId* parent) {
    return CreateLayer(op, id, parent, {});
  }
  Result<void> CreateReadWrite(const OpContext& op, const LayerId& id, const LayerId* parent) {
    return CreateReadWrite(op, id, parent, {});
  }

  // The layer's tree, mounted when nobody uses it yet.
  // Errors: kNoEnt no such layer; those of the mount.
  virtual Result<Mount> Get(const OpContext& op, const LayerId& id) = 0;
  // Errors: kBusy mounted, with open files.
  virtual Result<void> Remove(const OpContext& op, const LayerId& id) = 0;
  virtual bool Exists(const OpContext& op, const LayerId& id) = 0;

  // What `id` changes against `parent` (null: against nothing), as a layer tar has it.
  // Errors: kNoEnt no such layer.
  virtual Result<ChangeSet> Diff(const OpContext& op, const LayerId& id, const LayerId* parent) = 0;
  // The same as `docker diff` lists it. Errors as Diff.
  virtual Result<std::vector<LayerChange>> Changes(const OpContext& op, const LayerId& id,
                                                   const LayerId* parent) = 0;
  // Puts `changes`, made against `parent`, into `id`. The bytes they take.
  // Errors: kNoEnt no such layer, a hard link to nothing; kInval a path that names nothing;
  // kNotDir a way through something that is no directory. After an error a part is done.
  virtual Result<std::uint64_t> ApplyDiff(const OpContext& op, const LayerId& id,
                                          const LayerId* parent, const ChangeSet& changes) = 0;
  // The bytes that `id` has of its own. Errors as Diff.
  virtual Result<std::uint64_t> DiffSize(const OpContext& op, const LayerId& id,
                                         const LayerId* parent) = 0;

  // Rows of `docker info`, in its order, and of `docker inspect`; none where Docker has none.
  using Rows = std::vector<std::pair<std::string, std::string>>;
  virtual Rows Status(const OpContext& op) = 0;
  virtual Rows Metadata(const OpContext& op, const LayerId& id) = 0;
  // What `docker info` warns of below its rows.
  virtual std::vector<std::string> warnings() const = 0;

  // The end of the daemon: unmounts everything below the driver's directory, busy or not.
  virtual Result<void> Cleanup(const OpContext& op) = 0;

 private:
  friend class Mount;
  // One use less of the layer at `path`. Errors: kBusy as Mount::Put.
  virtual Result<void> Put(const OpContext& op, const LayerId& id, const std::string& path) = 0;
};

}  // namespace lamina
#endif  // LAMINA_DRIVER_STORAGE_DRIVER_H_
