// LockTable: advisory whole-file locks (flock) and leases of one mount, keyed by node. They live
// with the mount, not with a process, so two openers of one union node meet even across a copy-up.
//
// Threads: thread-compatible.
#ifndef LAMINA_FS_LOCK_TABLE_H_
#define LAMINA_FS_LOCK_TABLE_H_

#include <cstdint>
#include <map>
#include <set>

#include "lamina/base/ids.h"
#include "lamina/base/result.h"

namespace lamina {

enum class LockKind : std::uint8_t { kShared, kExclusive, kUnlock };
enum class LeaseKind : std::uint8_t { kRead, kWrite, kUnlock };

// One open file description, unique in the table's life. 0 is nobody.
using OpenFileId = Id<struct OpenFileTag>;

class LockTable {
 public:
  OpenFileId NewOpenFile() { return OpenFileId{++last_open_file_}; }

  // Tells about an open, and about its end (which drops its lock and lease).
  void Opened(NodeId node, OpenFileId file, bool writes);
  void Closed(NodeId node, OpenFileId file);

  // What an open that does not wait (O_NONBLOCK) meets before Opened.
  // Errors: kAgain a write lease, or a read lease and the open is for writing.
  Result<void> CheckOpen(NodeId node, bool writes) const;

  // flock without waiting; a holder converts its own lock. As on Linux a conversion that fails has
  // lost the old lock.
  // Errors: kAgain another open file holds a lock that conflicts.
  Result<void> Lock(NodeId node, OpenFileId file, LockKind kind);

  // F_SETLEASE. Errors: kAgain kRead while the node is open for writing, kWrite while another open
  // file exists, kUnlock without a lease.
  Result<void> SetLease(NodeId node, OpenFileId file, LeaseKind kind);

 private:
  struct Node {
    std::map<OpenFileId, bool> open_files;  // value: opened for writing
    std::map<OpenFileId, LockKind> locks;
    std::map<OpenFileId, LeaseKind> leases;
  };
  std::map<NodeId, Node> nodes_;
  std::uint64_t last_open_file_ = 0;
};

}  // namespace lamina
#endif  // LAMINA_FS_LOCK_TABLE_H_
