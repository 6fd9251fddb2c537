// Machine: a home in memory on which faults can come true, a mount table, and the aufs driver that
// a daemon on it has opened.
//
//   Machine machine;
//   machine.Create("1");
//   machine.Create("2", "1");
//   { const Mount mount = machine.Get("2"); machine.In(mount)->Mkdir("/new", 0755); }
//   machine.Restart();                      // another daemon, the same home and mounts
//
// Threads: one.
#ifndef LAMINA_TESTS_DRIVER_MACHINE_H_
#define LAMINA_TESTS_DRIVER_MACHINE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/driver/change_set.h"
#include "lamina/driver/mount_table.h"
#include "lamina/driver/registry.h"
#include "lamina/driver/storage_driver.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/sim/fault_plan.h"
#include "lamina/sim/faulty_fs.h"

namespace lamina {

class Machine {
 public:
  // `disk`: of a machine that stopped; nothing is mounted on this one.
  explicit Machine(const DriverHost& host = {},
                   std::shared_ptr<MemFs> disk = std::make_shared<MemFs>());

  // As options of the next Restart.
  DriverOptions options;

  // Ends the driver, if there is one, and opens another. Its error.
  Result<void> Restart();
  StorageDriver& driver() { return *driver_; }
  FileSystem& home() { return home_; }
  std::shared_ptr<MemFs> disk() const { return disk_; }
  sim::FaultPlan& faults() { return faults_; }
  // Calls so far that changed the home.
  std::uint64_t changes() const { return home_.changes(); }
  MountTable& mounts() { return mounts_; }
  // "error: …" and "warning: …" so far.
  const std::vector<std::string>& said() const { return said_; }

  OpContext op() { return {root_, Tick(), Probe()}; }
  Instant now() const { return clock_.now(); }

  // These must succeed.
  void Create(std::string_view id, std::string_view parent = "");
  Mount Get(std::string_view id);
  std::vector<LayerChange> Changes(std::string_view id, std::string_view parent = "");
  ChangeSet Diff(std::string_view id, std::string_view parent = "");
  std::uint64_t DiffSize(std::string_view id, std::string_view parent = "");

  std::unique_ptr<Process> In(const Mount& mount) { return At(mount.fs(), mount.root()); }
  std::unique_ptr<Process> At(FileSystem& fs, NodeId root);
  // On the home, where no fault comes true.
  Process& on_home() { return *on_home_; }

  // Of the home: the names in a directory, the text of a file, or the name of the error.
  std::vector<std::string> Names(std::string_view path);
  std::string Text(std::string_view path);

 private:
  Instant Tick() {
    clock_.Advance(Duration{1000});
    return clock_.now();
  }

  const Credentials root_ = RootCredentials();
  Clock clock_;
  std::shared_ptr<MemFs> disk_;
  sim::FaultPlan faults_;
  sim::FaultyFs home_;
  MountTable mounts_;
  std::vector<std::string> said_;
  std::unique_ptr<Process> on_home_;
  std::unique_ptr<StorageDriver> driver_;
};

// Calls of a process that must succeed.
void Put(Process& process, const std::string& path, std::string_view text,
         std::uint16_t mode = 0644);
void Remove(Process& process, const std::string& path);
void MakeDirectories(Process& process, const std::string& path);
// The names in a directory, sorted, and the text of a file; or the name of the error.
std::vector<std::string> NamesOf(Process& process, std::string_view path);
std::string TextOf(Process& process, std::string_view path);

// "A /etc", "D /etc/hosts"
std::vector<std::string> Lines(const std::vector<LayerChange>& changes);
// "etc/", "etc/hosts", "etc/names -> etc/hosts" of a hard link
std::vector<std::string> MemberLines(const ChangeSet& set);
// Of the entry at `path`, which must be there.
const LayerEntry& EntryAt(const ChangeSet& set, std::string_view path);
std::string BodyOf(const LayerEntry& entry);

// An id and a pointer to it: `parent("1").get()`, null of "".
class ParentId {
 public:
  explicit ParentId(std::string_view id) {
    if (!id.empty()) id_ = LayerId{std::string(id)};
  }
  const LayerId* get() const { return id_ ? &*id_ : nullptr; }

 private:
  std::optional<LayerId> id_;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_DRIVER_MACHINE_H_
