// InodeCalls: carries out ModelOperations by one call of a FileSystem each, so that each is atomic
// where the FileSystem's calls are. (A path is several calls; a Process is not atomic on a tree
// that others change.)
//
//   mkdir, create, symlink     Create            link        Link, of an open file
//   unlink, rmdir              Remove            stat        Lookup
//   rename                     Rename            readdir     ReadDir
//   hread, hwrite              Read, Write       hstat       GetAttr
//   htruncate, hchmod          SetAttr
//
// Names stand in directories that were entered before; handles were opened before.
//
// Threads: Call may be called by all threads when the file system is synchronized; Enter and Open
// come first.
#ifndef LAMINA_TESTS_LINEARIZABILITY_INODE_CALLS_H_
#define LAMINA_TESTS_LINEARIZABILITY_INODE_CALLS_H_

#include <map>
#include <string>

#include "lamina/fs/file_system.h"
#include "sim/model/operation.h"

namespace lamina::sim {

class InodeCalls {
 public:
  explicit InodeCalls(FileSystem& fs);
  ~InodeCalls();
  InodeCalls(const InodeCalls&) = delete;
  InodeCalls& operator=(const InodeCalls&) = delete;

  // A directory that is there: "/" or in one that was entered.
  void Enter(const std::string& path);
  // Opens the file of an entered directory for reading, or for reading and writing.
  void Open(int slot, const std::string& path, Access access);
  // The result as ModelSpecification says it.
  std::string Call(const ModelOperation& operation);

 private:
  Place PlaceOf(const std::string& path) const;
  std::string CallOnName(const ModelOperation& operation);
  std::string CallOnHandle(const ModelOperation& operation);
  std::string List(const std::string& path);
  Result<void> SetAttr(const ModelOperation& operation, const Opened& file);

  FileSystem& fs_;
  const Credentials cred_ = RootCredentials();
  const OpContext op_{cred_, kSimulationStart, {}};
  std::map<std::string, Opened> directories_;
  std::map<int, Opened> files_;
};

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_LINEARIZABILITY_INODE_CALLS_H_
