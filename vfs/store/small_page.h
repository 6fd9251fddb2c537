// SmallPage: the first page of a small file, cut off behind its last written byte.
//
//   ┌────────────┬──────────┬───────────────────────┐
//   │ references │ capacity │ `capacity` bytes      │  bytes capacity..4095 are zeros, not stored
//   └────────────┴──────────┴───────────────────────┘
//
// Threads: as a page: references anywhere, bytes are written only through the sole reference.
#ifndef LAMINA_VFS_STORE_SMALL_PAGE_H_
#define LAMINA_VFS_STORE_SMALL_PAGE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "lamina/base/bytes.h"
#include "lamina/base/check.h"
#include "lamina/base/reference_count.h"

namespace lamina::internal {

class SmallPage {
 public:
  // Longer content becomes a page.
  static constexpr std::size_t kMaxBytes = 1024;

  // A block with one reference whose bytes are `content` and then zeros; room for `needed` bytes
  // or a little more.
  static SmallPage* New(Bytes content, std::size_t needed) {
    const std::size_t capacity = RoundUp(needed > content.size() ? needed : content.size());
    void* memory = ::operator new(sizeof(SmallPage) + capacity);
    auto* small = new (memory) SmallPage(static_cast<std::uint32_t>(capacity));
    if (!content.empty()) std::memcpy(small->data(), content.data(), content.size());
    std::memset(small->data() + content.size(), 0, capacity - content.size());
    return small;
  }

  SmallPage* Share() {
    references_.Add();
    return this;
  }

  void Release() {
    if (!references_.Drop()) return;
    this->~SmallPage();
    ::operator delete(this);
  }

  bool exclusive() const { return references_.is_one(); }
  std::size_t capacity() const { return capacity_; }
  std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
  Bytes bytes() const { return {reinterpret_cast<const std::byte*>(this + 1), capacity_}; }

 private:
  explicit SmallPage(std::uint32_t capacity) : capacity_(capacity) {}
  ~SmallPage() = default;

  // 16, 32, 48, …: with the 8 bytes in front a full cell of the usual heaps.
  static std::size_t RoundUp(std::size_t bytes) {
    return bytes <= 16 ? 16 : (bytes + 15) / 16 * 16;
  }

  ReferenceCount references_{1};
  const std::uint32_t capacity_;
};
static_assert(sizeof(SmallPage) == 8);

}  // namespace lamina::internal
#endif  // LAMINA_VFS_STORE_SMALL_PAGE_H_
