// CheckExt: fsck that reads only. An independent reader of ext2, ext3 and ext4 images: it shares
// the record layouts with ExtFs and nothing else.
//
//   auto report = CheckExt(op, disk);
//   if (!report.ok()) … report.error().text …              not ext, or a feature it does not know
//   for (const ExtFinding& f : report->findings) …
//
// An error is what `e2fsck -fn` finds as well, and a broken orphan list, which it does not read. A
// note is what a mount repairs by itself, or what e2fsck lets pass and a person may want to know. A
// journal that needs replay is replayed in memory, and the image is checked as it would be after
// that. Inodes of the orphan list count as in use.
//
// Not checked: the file system's clock against ours.
// Source: the kernel's filesystems/ext4/*.rst and what e2fsck(8) 1.47 finds.
//
// Memory: two bits per block of the image and a record per inode in use; the log of its journal
// while that is replayed.
//
// Threads: a function.
#ifndef LAMINA_EXT_CHECK_H_
#define LAMINA_EXT_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/block/block_device.h"
#include "lamina/ext/ext_fs.h"

namespace lamina {

enum class ExtSeverity : std::uint8_t { kNote, kError };

// What a finding is about.
enum class ExtFindingKind : std::uint8_t {
  kSuperblock,       // a field of the superblock
  kGroup,            // where a descriptor says that its parts lie
  kBackup,           // a copy of the superblock or of the descriptors
  kJournal,          // its inode, its superblock, its log
  kOrphan,           // the list of inodes without a name
  kResizeInode,      // inode 7, which keeps room for descriptors
  kInode,            // a field of an inode
  kBlockMap,         // an extent tree out of order, or a node of it that cannot be
  kBlockRange,       // a block that does not exist
  kSharedBlock,      // a block that somebody has already
  kSize,             // the size against the blocks
  kSectorCount,      // i_blocks against the blocks
  kSymlink,          // a target
  kXattr,            // the form of an attribute list
  kXattrReferences,  // how many inodes share an attribute block
  kDirectory,        // the form of a directory's block
  kEntry,            // a name, or whom it names
  kIndex,            // the hash tree of a directory
  kTree,             // a directory that does not hang from the root, or hangs twice
  kLinks,            // a link count
  kBlockBitmap,
  kInodeBitmap,
  kCount,  // a counter of a group or of the superblock
};
// "block-bitmap". Stays.
std::string_view FindingId(ExtFindingKind kind);

struct ExtFinding {
  ExtSeverity severity = ExtSeverity::kError;
  ExtFindingKind kind = ExtFindingKind::kSuperblock;
  std::string text;         // a sentence, without the place
  std::uint32_t inode = 0;  // 0: none
  std::uint32_t block = 0;  // 0: none
  std::optional<std::uint32_t> group = std::nullopt;
};

struct ExtReport {
  static constexpr std::size_t kMaxFindings = 1000;

  std::vector<ExtFinding> findings;  // in the order of the check, the first kMaxFindings
  std::uint64_t errors = 0;          // all, also those that are not listed
  std::uint64_t notes = 0;
  // What was found in use by counting, not what the image says.
  std::uint64_t used_blocks = 0;
  std::uint64_t used_inodes = 0;
  std::uint64_t directories = 0;

  bool clean() const { return errors == 0; }
};

// Errors, in the order they are checked:
//   kIo …       the device
//   kInval      not an ext file system
//   kOpNotSupp  a feature, block size or inode size that is not supported; `text` names it
ExtOutcome<ExtReport> CheckExt(const OpContext& op, BlockDevice& device);

// One line: "inode 12: links 3, found 2". No severity, no newline.
std::string FindingText(const ExtFinding& finding);

}  // namespace lamina
#endif  // LAMINA_EXT_CHECK_H_
