// Directories: linear blocks of variable-length entries, and an index in memory for the long ones.
//
//   block   [ino len "."][ino len ".."][ino len "name"][ino 0  len  unused …]
//
// An entry never moves while it lives: a new one goes into the slack of another, a removed one
// joins the one before it. So its byte offset in the directory is its cookie. A hashed directory
// (dir_index) is read as what it also is, linear blocks; its flag goes with the first change.
//
// Threads: thread-compatible. Lifetime: does not own the volume.
#ifndef LAMINA_VFS_EXT_DIRECTORY_H_
#define LAMINA_VFS_EXT_DIRECTORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "vfs/ext/block_map.h"

namespace lamina::ext {

// Where an entry is, and what it says.
struct Entry {
  std::uint32_t inode = 0;
  std::uint8_t file_type = 0;
  std::uint32_t block_index = 0;  // of the directory
  std::uint32_t offset = 0;       // in the block
};

struct ListedEntry {
  std::uint32_t inode = 0;
  std::uint8_t file_type = 0;
  std::string_view name;
  std::uint64_t cookie = 0;
};

class Directories {
 public:
  explicit Directories(Volume& volume) : volume_(volume) {}

  // Nothing: no such name. Errors: kUClean; kIo …
  Result<std::optional<Entry>> Find(const OpContext& op, const Inode& dir, std::string_view name);
  // The name must be absent. May give the directory a block; the caller stores `dir`.
  // Errors: kNoSpc; kUClean; kIo …
  Result<void> Add(const OpContext& op, Inode& dir, std::string_view name, std::uint32_t inode,
                   FileType type, Reserve reserve);
  // The entry must come from Find, with nothing changed since.
  Result<void> Remove(const OpContext& op, Inode& dir, std::string_view name, const Entry& entry);
  Result<void> Replace(const OpContext& op, Inode& dir, std::string_view name, const Entry& entry,
                       std::uint32_t inode, FileType type);
  // "." and "..", in the first block. Errors: kNoSpc; kUClean; kIo …
  Result<void> MakeEmpty(const OpContext& op, Inode& dir, std::uint32_t parent, Reserve reserve);
  // One more block without an entry. Errors: kNoSpc; kUClean; kIo …
  Result<void> AppendBlock(const OpContext& op, Inode& dir, Reserve reserve);
  Result<std::uint32_t> ParentOf(const OpContext& op, const Inode& dir);
  Result<void> SetParent(const OpContext& op, Inode& dir, std::uint32_t parent);
  Result<bool> IsEmpty(const OpContext& op, const Inode& dir);

  // Every entry but "." and ".." from `cookie` on, until `visit` gives false.
  Result<void> List(const OpContext& op, const Inode& dir, std::uint64_t cookie,
                    absl::FunctionRef<bool(const ListedEntry&)> visit);

  // Drops what is known of a directory that goes, or of all after a call was taken back.
  void Forget(std::uint32_t dir) { indexes_.erase(dir); }
  void ForgetAll() { indexes_.clear(), indexed_entries_ = 0; }

 private:
  struct Index {
    absl::flat_hash_map<std::string, Entry> entries;
    std::vector<std::uint16_t> room;  // the longest entry that fits in a block
  };

  Result<std::uint32_t> BlockCount(const Inode& dir) const;
  // The device block, or 0 for a hole; `*length` file blocks are alike (only of holes).
  Result<std::uint32_t> DeviceBlock(const OpContext& op, const Inode& dir, std::uint32_t index,
                                    std::uint32_t* length);
  // A checked block of entries.
  Result<Bytes> ReadBlock(const OpContext& op, std::uint32_t block);
  bool IsSane(Bytes block) const;
  // Calls visit(entry, name) for the used entries of all blocks, until it gives false.
  Result<void> Scan(const OpContext& op, const Inode& dir, std::uint32_t first_block,
                    absl::FunctionRef<bool(const Entry&, std::string_view)> visit);
  // Null for a short directory. Errors: kUClean; kIo …
  Result<Index*> IndexOf(const OpContext& op, const Inode& dir);
  std::uint32_t RoomIn(Bytes block) const;
  Result<bool> AddInBlock(const OpContext& op, Inode& dir, std::uint32_t block_index,
                          std::string_view name, std::uint32_t inode, FileType type);
  std::uint8_t FileTypeFor(FileType type) const;
  void Changed(Inode& dir) const { dir.disk.flags &= ~kInodeIndex; }

  Volume& volume_;
  absl::flat_hash_map<std::uint32_t, Index> indexes_;
  std::size_t indexed_entries_ = 0;
};

}  // namespace lamina::ext
#endif  // LAMINA_VFS_EXT_DIRECTORY_H_
