// PagedBytes: the content of one file. A persistent radix tree of 4 KiB pages with O(1) clone.
//
//   PagedBytes a;  a.Write(0, bytes);          size, holes, data
//   PagedBytes b = a.Clone();                  O(1): both share every page until one is written
//   b.Write(4096, x);                          copies one path of the tree and one page
//
// A page that was never written, or was punched, is a hole: it reads as zeros and costs nothing.
// The first page stays a small heap block while no byte past its first KiB is written: a file of
// 16 bytes costs 56 bytes, not 4 KiB. It counts as a page all the same, everywhere.
//
// Offsets and sizes go up to kMaxSizeBytes; the caller answers EFBIG before it comes here.
//
// Threads: thread-compatible. Two PagedBytes that share pages may be used by two threads: shared
// pages are never changed in place.
#ifndef LAMINA_STORE_PAGED_BYTES_H_
#define LAMINA_STORE_PAGED_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "lamina/base/bytes.h"
#include "lamina/store/page.h"
#include "lamina/store/radix_map.h"

namespace lamina {

namespace internal {
class SmallPage;
}  // namespace internal

// How many pages a PagedBytes reaches, and how many of them nobody else does.
struct PageCounts {
  std::uint64_t pages = 0;      // pages with data (holes are not counted)
  std::uint64_t exclusive = 0;  // reached by this PagedBytes only
  std::uint64_t shared = 0;     // pages - exclusive
};

class PagedBytes {
 public:
  static constexpr std::uint64_t kMaxSizeBytes = ~std::uint64_t{0} >> 1;

  PagedBytes();
  ~PagedBytes();
  PagedBytes(PagedBytes&& other) noexcept;
  PagedBytes& operator=(PagedBytes&& other) noexcept;
  PagedBytes(const PagedBytes&) = delete;
  PagedBytes& operator=(const PagedBytes&) = delete;

  // A second content that is equal now and independent from now on. O(1), whatever the size.
  PagedBytes Clone() const;

  std::uint64_t size_bytes() const;
  // Pages that hold data now; O(1).
  std::uint64_t page_count() const;

  // Reads up to `into.size()` bytes; fewer at the end, 0 at or past it. Holes read as zeros.
  std::size_t Read(std::uint64_t offset, MutableBytes into) const;
  // Writes all of `from`; the size grows to offset + from.size() when that is larger. An empty
  // `from` changes nothing, wherever `offset` is.
  void Write(std::uint64_t offset, Bytes from);
  // How many pages Write(offset, length) would add (holes filled); for capacity checks.
  std::uint64_t PagesMissing(std::uint64_t offset, std::uint64_t length) const;

  // Shorter or equal: pages past the end go, the rest of the last page is zeroed. Longer: a hole.
  void Resize(std::uint64_t size_bytes);
  // Whole pages in the range become holes, part pages are zeroed. The size stays.
  void PunchHole(std::uint64_t offset, std::uint64_t length);
  // Holes in the range become pages of zeros (fallocate); the size stays.
  void Provision(std::uint64_t offset, std::uint64_t length);

  // Pages of zeros become holes. Costs nothing when no page can be one, which is remembered from
  // the writes; else every page is looked at.
  void DropZeroPages();

  // Makes `length` bytes from `offset` on the same as those of `source` from `source_offset` on, by
  // sharing pages; holes become holes. All three are multiples of kPageBytes. `source` is another
  // object (a clone of this one when a file is cloned into itself).
  void SharePages(std::uint64_t offset, const PagedBytes& source, std::uint64_t source_offset,
                  std::uint64_t length);
  // The same from another, not overlapping place of this object.
  void SharePagesWithin(std::uint64_t offset, std::uint64_t source_offset, std::uint64_t length);

  // The first offset >= `from` that lies in a page with data (hole: in no page, or the end).
  // Nothing when from >= size, or (data) when only holes follow.
  std::optional<std::uint64_t> NextData(std::uint64_t from) const;
  std::optional<std::uint64_t> NextHole(std::uint64_t from) const;

  // Exact; walks the tree.
  PageCounts CountPages() const;
  // Both read the same from first to last byte.
  bool EqualContent(const PagedBytes& other) const;

 private:
  using Index = std::uint64_t;  // of a page: offset / kPageBytes

  bool HasPage(Index page) const;
  // The bytes of `page` that are stored; those behind them are zeros. Empty for a hole.
  Bytes StoredBytes(Index page) const;
  std::uint64_t CountPagesIn(Index first, Index last) const;  // both included
  void ErasePages(Index first, Index last);                   // both included

  // Writes `from` at `within` of `page`; they do not reach past the page.
  void WriteInPage(Index page, std::size_t within, Bytes from);
  // The same for page 0 when it is, or may become, a small block; false when it must be a page.
  bool WriteInSmallPage(std::size_t within, Bytes from);
  // Replaces the small block by a page of its own.
  void GrowSmallPage();
  // Zeroes from..to of `page`, to <= kPageBytes; a hole stays one.
  void ZeroInPage(Index page, std::size_t from, std::size_t to);

  // After a write into `page` at `within`: does the page begin with zeros now?
  void NoteStart(Index page, std::size_t within, Bytes from, bool fresh);

  std::uint64_t size_bytes_ : 63 = 0;
  std::uint64_t zero_start_ : 1 = 0;           // a page other than the first may begin with zeros
  RadixMap<PageRef> pages_;                    // has no page 0 while small_page_ is set
  internal::SmallPage* small_page_ = nullptr;  // page 0, one counted reference
};

}  // namespace lamina
#endif  // LAMINA_STORE_PAGED_BYTES_H_
