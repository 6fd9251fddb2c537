// PageRef: a counted reference to one 4 KiB page of the page pool.
//
//   chunk, 2 MiB, aligned      ┌────────┬────────┬────────┬─────┬──────────┐
//                              │ counts │ page 1 │ page 2 │  …  │ page 511 │
//                              └────────┴────────┴────────┴─────┴──────────┘
//
// The reference counts of a chunk stand together in its first 4 KiB: pages stay aligned, and a
// tree leaf whose 32 pages were allocated in a row touches two cache lines to count them all.
// Chunks are kept for the life of the process; a freed page is used again by later pages.
//
// Threads: the pool has its own locks, so references may be made and dropped
// anywhere. The bytes of a page follow one rule: written only through the sole reference.
#ifndef LAMINA_STORE_PAGE_H_
#define LAMINA_STORE_PAGE_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "lamina/base/reference_count.h"

namespace lamina {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kPageChunkBytes = std::size_t{2} << 20;
inline constexpr std::size_t kPagesPerChunk = kPageChunkBytes / kPageBytes - 1;

namespace internal {

struct Page {
  alignas(kPageBytes) std::byte bytes[kPageBytes];
};

// The reference count of `page`, found in the head of its chunk.
inline ReferenceCount& PageReferences(const Page* page) {
  const auto address = reinterpret_cast<std::uintptr_t>(page);
  const std::uintptr_t chunk = address & ~std::uintptr_t{kPageChunkBytes - 1};
  auto* counts = reinterpret_cast<ReferenceCount*>(chunk);
  return counts[(address - chunk) / kPageBytes];
}

// A page with one reference and undefined bytes. Throws std::bad_alloc when the host has no memory.
Page* AllocatePage();
// Gives back a page whose count has reached 0.
void FreePage(Page* page) noexcept;

}  // namespace internal

enum class PageFill : std::uint8_t { kUndefined, kZeros };

// Null, or one counted reference.
class PageRef {
 public:
  PageRef() = default;
  // A new page with this reference only.
  static PageRef New(PageFill fill);

  PageRef(const PageRef& other) noexcept : page_(other.page_) {
    if (page_ != nullptr) internal::PageReferences(page_).Add();
  }
  PageRef(PageRef&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
  PageRef& operator=(PageRef other) noexcept {
    std::swap(page_, other.page_);
    return *this;
  }
  ~PageRef() {
    if (page_ != nullptr && internal::PageReferences(page_).Drop()) internal::FreePage(page_);
  }

  explicit operator bool() const { return page_ != nullptr; }
  friend bool operator==(const PageRef& a, const PageRef& b) { return a.page_ == b.page_; }

  // This is the only reference. Only when not null.
  bool exclusive() const { return internal::PageReferences(page_).is_one(); }
  // The kPageBytes bytes. Only when not null; written only when exclusive().
  const std::byte* bytes() const { return page_->bytes; }
  std::byte* mutable_bytes() { return page_->bytes; }

 private:
  explicit PageRef(internal::Page* page) : page_(page) {}

  internal::Page* page_ = nullptr;
};

// Pages that have a reference now, in the whole process. Exact when no other thread is at work.
std::uint64_t PagesLive();

// Makes at least `count` free pages ready for this thread whose memory the host has already given,
// so that a measurement does not pay for first touches. Throws std::bad_alloc.
void PrefaultPages(std::uint64_t count);

}  // namespace lamina
#endif  // LAMINA_STORE_PAGE_H_
