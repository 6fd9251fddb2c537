// Node: one inode of a MemFs, 80 bytes, kept by value in the leaves of the node map.
//
//   attributes 56 | xattrs 8 | 16 bytes: a small file or link target, or a Part that holds the rest
//
// Copying a Node is cheap (two counts): that is what happens when a leaf of the map is copied. What
// it points to is shared until one side changes it.
//
// Threads: thread-compatible; nodes that share parts may be used by two threads.
#ifndef LAMINA_VFS_FS_MEM_NODE_H_
#define LAMINA_VFS_FS_MEM_NODE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "lamina/fs/file_system.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/store/paged_bytes.h"
#include "vfs/fs/mem_names.h"
#include "vfs/fs/mem_ref.h"

namespace lamina::internal {

// Content up to this size needs no block of its own.
inline constexpr std::size_t kSmallBytes = 16;

// Keys and values, sorted by key.
struct XattrTable : RefCounted {
  using Item = std::pair<std::string, std::string>;
  std::vector<Item> items;

  const std::string* Find(std::string_view key) const;
  void Set(std::string_view key, std::string_view value);
  void Erase(std::string_view key);
  std::uint64_t value_bytes() const;
};

// What does not fit into a Node.
struct Part : RefCounted {
  virtual ~Part() = default;
};
struct PagedPart final : Part {
  PagedPart() = default;
  explicit PagedPart(PagedBytes content) : bytes(std::move(content)) {}
  PagedPart(const PagedPart& other) : Part(other), bytes(other.bytes.Clone()) {}
  PagedBytes bytes;
};
struct TargetPart final : Part {
  explicit TargetPart(std::string_view target) : text(target) {}
  std::string text;
};
struct DirectoryPart final : Part {
  NodeId parent;  // of the root: itself
  NameTable names;
};

// Content that is loaded at its first read. Shared by every copy of the node, also by those in
// images, so it is loaded once.
//
// Threads: any.
class LazyPart final : public Part {
 public:
  LazyPart(std::shared_ptr<LazyContent> source, std::uint64_t size_bytes)
      : source_(std::move(source)), size_bytes_(size_bytes) {}

  // The content, loaded now if it was not. The same error ever after.
  // Errors: kIo it has another size than recorded; what LazyContent::Load gives.
  Result<const PagedBytes*> Load() ABSL_LOCKS_EXCLUDED(mutex_);
  // The content if it is loaded, else null.
  const PagedBytes* loaded() const { return loaded_.load(std::memory_order_acquire); }

 private:
  std::mutex mutex_;  // guards the three below
  std::shared_ptr<LazyContent> source_;
  std::shared_ptr<const PagedBytes> content_;
  std::optional<Errno> error_;
  const std::uint64_t size_bytes_;
  std::atomic<const PagedBytes*> loaded_{nullptr};
};

// What the 16 bytes of a Node are.
enum class Storage : std::uint8_t {
  kEmpty,      // nothing: an empty file, one that is only a hole, a device
  kSmall,      // up to 16 bytes of a file (one page, when counted) or of a link target
  kPaged,      // from here on a Part: PagedPart
  kLazy,       // LazyPart
  kTarget,     // TargetPart
  kDirectory,  // DirectoryPart
};

struct NodeAttributes {
  Instant atime;
  Instant mtime;
  Instant ctime;
  std::uint64_t change = 0;
  std::uint64_t size_or_rdev = 0;  // rdev of a device, else bytes of a file or link target
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t nlink = 0;
  std::uint16_t mode = 0;
  FileType type{};
  Storage storage = Storage::kEmpty;
};

class Node : public NodeAttributes {
 public:
  Node() {}
  Node(const Node& other);
  Node(Node&& other) noexcept;
  Node& operator=(Node other) noexcept;
  ~Node() { Clear(); }

  bool is_directory() const { return type == FileType::kDirectory; }
  bool is_regular() const { return type == FileType::kRegular; }
  bool has_device() const {
    return type == FileType::kCharDevice || type == FileType::kBlockDevice;
  }

  // The 16 bytes; only when storage is kSmall.
  const std::array<std::byte, kSmallBytes>& small() const { return small_; }
  std::array<std::byte, kSmallBytes>& small() { return small_; }
  // The part; only when storage says that it is a P.
  template <typename P>
  P& part() const {
    return static_cast<P&>(*part_);
  }
  // The same, ours alone: a shared one is copied first.
  template <typename P>
  P& WritablePart() {
    if (!part_->exclusive()) part_ = Ref<Part>::Adopt(new P(part<P>()));
    return part<P>();
  }
  const NameTable& names() const { return part<const DirectoryPart>().names; }
  // The link target; only of a symlink.
  std::string_view target() const;

  void Clear();        // to kEmpty
  void BecomeSmall();  // to kSmall, zeros
  void BecomePart(Storage kind, Ref<Part> part);

  Ref<XattrTable> xattrs;  // null: none

 private:
  union {
    std::array<std::byte, kSmallBytes> small_;
    Ref<Part> part_;
  };
};

inline NameTarget TargetOf(NodeId id, const Node& node) {
  const bool zero = node.type == FileType::kCharDevice && node.size_or_rdev == 0;
  return {id, node.type, zero};
}

}  // namespace lamina::internal
#endif  // LAMINA_VFS_FS_MEM_NODE_H_
