// ImageCheck: the state of one check, and its passes in the order they run. Each pass marks what it
// has seen; the last ones compare that with what the image says.
//
//   check_super.cc      superblock, descriptors, backups      check_directory.cc  entries
//   check_inode.cc      every inode                           check_index.cc      hashed
//   directories check_blocks.cc     its block map or extents              check_links.cc      tree,
//   link counts check_xattr.cc      its attributes                        check_count.cc bitmaps,
//   counts check_special.cc    journal, resize inode, orphans
//
// A device that fails gives zeros and is remembered: device_error().
#ifndef LAMINA_VFS_EXT_CHECK_IMAGE_H_
#define LAMINA_VFS_EXT_CHECK_IMAGE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lamina/ext/check.h"
#include "lamina/ext/layout.h"
#include "vfs/ext/name_hash.h"

namespace lamina::internal {

// An inode in use.
struct SeenInode {
  std::uint16_t mode = 0;
  std::uint16_t links = 0;       // as it says
  std::uint32_t references = 0;  // as directories say
};

using MappedBlock = std::pair<std::uint32_t, std::uint32_t>;  // logical, physical

struct SeenDirectory {
  std::vector<MappedBlock> blocks;
  std::uint32_t block_count = 0;  // by its size
  std::uint32_t parent = 0;       // whose entry names it
  std::uint32_t dot_dot = 0;      // whom it names
  bool is_indexed = false;
};

// Hashes of names: of those that a block holds, or of those that are looked for there.
struct HashRange {
  std::uint32_t least = 0xffffffff;  // empty
  std::uint32_t most = 0;
};

struct IndexedBlock {
  bool is_reached = false;
  bool is_leaf = false;
  HashRange hashes = {};
};

struct IndexWalk {
  std::uint32_t inode = 0;
  const SeenDirectory* directory = nullptr;
  std::vector<IndexedBlock> blocks = {};
};

struct SeenXattrBlock {
  std::uint32_t says = 0;   // its reference count
  std::uint32_t found = 0;  // inodes that name it
};

class ImageCheck {
 public:
  ImageCheck(const OpContext& op, BlockDevice& device) : op_(op), device_(&device) {}

  // All passes but what needs a journal: false when the image is too broken to go on.
  bool CheckSuperblock();
  // The journal's blocks, to replay it; empty when there is none that can be read.
  std::vector<std::uint32_t> JournalBlocks();
  void CheckAll();

  void Add(ExtFinding finding);
  const std::optional<ExtError>& refusal() const { return refusal_; }
  std::optional<Errno> device_error() const { return device_error_; }
  ExtReport& report() { return report_; }
  const ext::DiskSuperblock& super() const { return super_; }
  std::uint32_t block_bytes() const { return block_bytes_; }

 private:
  enum class Purpose : std::uint8_t {
    kClaim,  // each block belongs to this inode and to no other
    kLook,   // what is wrong was or will be said; at most kMaxLooks blocks
    kCount,  // the blocks belong to somebody else
  };
  // The longest journal that e2fsck allows.
  static constexpr std::uint64_t kMaxLooks = 10'240'000;
  // One inode's blocks while they are walked.
  struct Walk {
    std::uint32_t inode = 0;
    bool keeps_list = false;  // directories, the journal, a target
    Purpose purpose = Purpose::kClaim;
    std::uint64_t blocks = 0;
    std::int64_t last = -1;          // highest logical block
    std::int64_t last_written = -1;  // the same without unwritten extents
    std::vector<MappedBlock> list = {};
  };
  // Where entries and values of one attribute list may lie.
  struct XattrArea {
    Bytes bytes;              // values count from its start
    std::size_t entries = 0;  // where the first entry lies
    std::uint32_t inode = 0;
    std::uint32_t block = 0;  // 0: inside the inode
  };

  using Kind = ExtFindingKind;
  void Error(Kind kind, std::string text, std::uint32_t inode = 0, std::uint32_t block = 0);
  void Note(Kind kind, std::string text, std::uint32_t inode = 0, std::uint32_t block = 0);
  void GroupError(Kind kind, std::uint32_t group, std::string text);

  void Refuse(Errno code, std::string text);

  // Reading.
  void ReadBytes(std::uint64_t offset, MutableBytes into);
  std::vector<std::byte> ReadBlock(std::uint32_t block);
  ext::DiskInode ReadInode(std::uint32_t number);
  bool Has(std::uint32_t ro_compat) const { return (super_.feature_ro_compat & ro_compat) != 0; }
  bool HasCompat(std::uint32_t compat) const { return (super_.feature_compat & compat) != 0; }
  bool HasIncompat(std::uint32_t incompat) const {
    return (super_.feature_incompat & incompat) != 0;
  }
  bool InRange(std::uint64_t block) const {
    return block >= super_.first_data_block && block < super_.blocks_count;
  }
  bool IsReserved(std::uint32_t number) const { return number < first_inode_; }

  // Superblock and groups.
  bool CheckFeatures();
  bool CheckGeometry();
  void CheckSuperblockFields();
  bool ReadGroups();
  bool CheckGroup(std::uint32_t group);
  void CheckBackups();
  std::uint32_t FirstBlockOf(std::uint32_t group) const;
  std::uint32_t BlockCountOf(std::uint32_t group) const;
  void MarkGroups();
  void MarkMeta(std::uint32_t first, std::uint32_t count);

  // Inodes.
  void CheckInodes();
  void CheckInode(std::uint32_t number, const ext::DiskInode& inode);
  void CheckReservedInode(std::uint32_t number, const ext::DiskInode& inode);
  void CheckBadBlocks(const ext::DiskInode& inode);
  bool CheckInodeFields(std::uint32_t number, const ext::DiskInode& inode);
  void CheckExtraFields(std::uint32_t number, const ext::DiskInode& inode);
  void CheckSpecialFile(std::uint32_t number, const ext::DiskInode& inode);
  void CheckSymlink(std::uint32_t number, const ext::DiskInode& inode);
  void CheckIndexFlag(std::uint32_t number, const ext::DiskInode& inode);
  bool HasRealTimes() const;
  bool HasBlocks(const ext::DiskInode& inode) const;
  void CheckBlocksOf(std::uint32_t number, const ext::DiskInode& inode);
  void CheckSize(std::uint32_t number, const ext::DiskInode& inode, const Walk& walk);
  void CheckSectorCount(std::uint32_t number, const ext::DiskInode& inode, std::uint64_t blocks);
  void TakeDirectory(std::uint32_t number, const ext::DiskInode& inode, Walk& walk);

  // Blocks of an inode.
  void WalkBlocks(const ext::DiskInode& inode, Walk& walk);
  void WalkBlockMap(const ext::DiskInode& inode, Walk& walk);
  void WalkIndirect(std::uint32_t block, int level, std::uint64_t logical, Walk& walk);
  void WalkExtents(const ext::DiskInode& inode, Walk& walk);
  void WalkExtentNode(Bytes node, int depth, std::uint64_t begin, std::uint64_t end, Walk& walk);
  void TakeExtent(const ext::DiskExtent& extent, std::uint64_t begin, std::uint64_t end,
                  Walk& walk);
  void TakeData(std::uint64_t logical, std::uint32_t physical, Walk& walk);
  // False: not a block of the image, or somebody has it already, which is said as a finding.
  bool Claim(std::uint32_t block, Walk& walk);

  // Attributes.
  void CheckInodeXattrs(std::uint32_t number, const ext::DiskInode& inode);
  // Blocks that it adds to the inode: 0 or 1.
  std::uint64_t CheckXattrBlock(std::uint32_t number, const ext::DiskInode& inode);
  void CheckXattrList(const XattrArea& area);
  void CheckXattrReferences();

  // What is not a user's file.
  void CheckResizeInode();
  void CheckJournalInode();
  void CheckOrphans();

  // Directories.
  void CheckDirectories();
  void CheckDirectory(std::uint32_t number, SeenDirectory& directory);
  struct EntryScan;
  void CheckEntries(EntryScan& scan, Bytes block, std::uint32_t block_number);
  void CheckEntry(EntryScan& scan, const ext::DiskEntry& entry, std::string_view name);
  void CheckDot(EntryScan& scan, const ext::DiskEntry& entry, std::string_view name);
  void CheckEntryType(EntryScan& scan, const ext::DiskEntry& entry, std::string_view name,
                      std::uint8_t found);
  void CheckTarget(EntryScan& scan, const ext::DiskEntry& entry, std::string_view name);
  // nullopt: its root is wrong, and the rest means nothing.
  std::optional<NameHashVersion> CheckIndexRoot(std::uint32_t number,
                                                const SeenDirectory& directory);
  void CheckIndex(std::uint32_t number, const SeenDirectory& directory,
                  const std::vector<HashRange>& found);
  void CheckIndexNode(IndexWalk& walk, Bytes node, std::size_t at, int levels, HashRange hashes);
  void CheckIndexChild(IndexWalk& walk, std::uint32_t block, int levels, HashRange hashes);

  // The whole.
  void CheckTree();
  void CheckLinks();
  void CheckCounts();
  void CheckBlockBitmap(std::uint32_t group, std::uint32_t& free_blocks);
  void CheckInodeBitmap(std::uint32_t group, std::uint32_t& free_inodes,
                        std::uint32_t& directories);

  const OpContext& op_;
  BlockDevice* device_;
  ExtReport report_;
  std::optional<ExtError> refusal_;
  std::optional<Errno> device_error_;

  ext::DiskSuperblock super_{};
  std::uint32_t block_bytes_ = 0;
  std::uint32_t inode_bytes_ = 0;
  std::uint32_t first_inode_ = 0;
  std::uint32_t group_count_ = 0;
  std::uint32_t descriptor_blocks_ = 0;
  std::uint32_t table_blocks_ = 0;  // of inodes, per group
  std::vector<ext::DiskGroup> groups_;

  std::vector<bool> used_blocks_;
  std::vector<bool> metadata_;  // of a group: a file that claims one is told so
  std::map<std::uint32_t, SeenInode> inodes_;
  std::map<std::uint32_t, SeenDirectory> directories_;
  std::map<std::uint32_t, SeenXattrBlock> xattr_blocks_;
  std::map<std::uint32_t, std::uint32_t> orphans_;  // inode -> the next
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_EXT_CHECK_IMAGE_H_
