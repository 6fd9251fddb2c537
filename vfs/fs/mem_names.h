// NameTable: the names of one directory of a MemFs. Persistent: a copy is O(1), and the first
// change after it copies a few small blocks, never the table.
//
//   hash of the name ──► bucket number ──► NameBucket: hashes, then entries   (lookup)
//   sequence number  ──────────────────► entry                                (reading in order)
//
// Buckets grow and shrink one at a time (linear hashing: when bucket N is added, it takes its part
// of bucket N - 2^floor(log2 N)), so no single call ever rebuilds the table. Bucket 0 needs no
// map: a small directory is one bucket.
//
// An entry is immutable. Its sequence number is never reused in the directory and is its cookie.
//
// Threads: thread-compatible; two copies may be used by two threads.
#ifndef LAMINA_VFS_FS_MEM_NAMES_H_
#define LAMINA_VFS_FS_MEM_NAMES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lamina/base/ids.h"
#include "lamina/fs/file_system.h"
#include "lamina/store/radix_map.h"
#include "vfs/fs/mem_ref.h"

namespace lamina::internal {

// A name and its hash, computed once a call.
struct HashedName {
  explicit HashedName(std::string_view name);
  std::string_view text;
  std::uint32_t hash;
};

// What a name means.
struct NameTarget {
  NodeId node;
  FileType type{};
  bool zero_device = false;  // a character device 0:0
};

// One name. The bytes of the name follow the object.
struct NameEntry : RefCounted {
  static Ref<const NameEntry> New(std::string_view name, const NameTarget& target,
                                  std::uint64_t sequence);
  static void Free(const NameEntry* entry);
  static std::size_t SizeFor(std::size_t name_bytes) { return sizeof(NameEntry) + name_bytes; }

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), length}; }

  NameTarget target() const { return {node, type, zero_device}; }

  FileType type{};
  bool zero_device = false;
  std::uint16_t length = 0;
  NodeId node;
  std::uint64_t sequence = 0;
};

// Some entries with the 32-bit hashes of their names side by side. The arrays follow the object.
class NameBucket : public RefCounted {
 public:
  static NameBucket* New(std::uint16_t capacity);
  static void Free(NameBucket* bucket);
  static std::size_t SizeFor(std::size_t capacity) {
    return sizeof(NameBucket) + capacity * (sizeof(std::uint32_t) + sizeof(void*));
  }

  std::uint16_t count() const { return count_; }
  std::uint16_t capacity() const { return capacity_; }
  std::uint32_t hash(unsigned index) const { return hashes()[index]; }
  const NameEntry* entry(unsigned index) const { return entries()[index]; }
  // The index of `name`, or count().
  unsigned IndexOf(const HashedName& name) const;

  // Takes over one reference to `entry`. Needs count() < capacity().
  void Append(std::uint32_t hash, const NameEntry* entry);
  // Gives back the reference at `index`; the last entry takes the place.
  const NameEntry* Take(unsigned index);
  // Takes over `entry` and gives back the one that was there.
  const NameEntry* Exchange(unsigned index, const NameEntry* entry);
  // Appends everything of `other`, with new references.
  void AppendCopies(const NameBucket& other);

 private:
  explicit NameBucket(std::uint16_t capacity) : capacity_(capacity) {}
  std::uint32_t* hashes() { return reinterpret_cast<std::uint32_t*>(this + 1); }
  const std::uint32_t* hashes() const { return reinterpret_cast<const std::uint32_t*>(this + 1); }
  const NameEntry** entries() { return reinterpret_cast<const NameEntry**>(hashes() + capacity_); }
  const NameEntry* const* entries() const {
    return reinterpret_cast<const NameEntry* const*>(hashes() + capacity_);
  }

  std::uint16_t count_ = 0;
  const std::uint16_t capacity_;  // even, so that the entries are aligned
};

class NameTable {
 public:
  NameTable() = default;
  // O(1).
  NameTable(const NameTable& other);
  NameTable& operator=(const NameTable&) = delete;

  std::uint64_t size() const { return count_; }
  // The entry, or null. Valid until the table changes. Never allocates.
  const NameEntry* Find(const HashedName& name) const;
  // The name must be absent. It gets the next sequence number.
  void Insert(const HashedName& name, const NameTarget& target);
  // The name must be present.
  void Erase(const HashedName& name);
  // The name must be present: it means another node from now on and keeps its place in the order.
  void Replace(const HashedName& name, const NameTarget& target);
  // Calls visit(const NameEntry&) for the entries whose sequence numbers are `from` or more, in
  // order, until it gives false. The table must not change meanwhile.
  template <typename Visit>
  void VisitFrom(std::uint64_t from, Visit visit) const {
    order_.VisitFrom(
        from, [&](std::uint64_t, const Ref<const NameEntry>& entry) { return visit(*entry); });
  }

  // Bytes of host memory.
  std::uint64_t memory_bytes() const;

 private:
  using BucketRef = Ref<NameBucket>;

  std::uint32_t BucketOf(std::uint32_t hash) const;
  const NameBucket* BucketAt(std::uint32_t number) const;
  BucketRef& BucketSlot(std::uint32_t number);
  // Makes the bucket ours alone, with room for `more` entries.
  NameBucket& Writable(BucketRef& slot, unsigned more);
  void Split();
  void Merge();

  BucketRef first_;
  RadixMap<BucketRef> rest_;  // buckets 1…
  RadixMap<Ref<const NameEntry>> order_;
  std::uint32_t count_ = 0;
  std::uint32_t buckets_ = 1;
  std::uint64_t next_sequence_ = 1;
};

}  // namespace lamina::internal
#endif  // LAMINA_VFS_FS_MEM_NAMES_H_
