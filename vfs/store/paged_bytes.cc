#include "lamina/store/paged_bytes.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lamina/base/check.h"
#include "vfs/store/small_page.h"

namespace lamina {
namespace {

// What of a page tells that it is not one of zeros.
constexpr std::size_t kStartBytes = 8;

using internal::SmallPage;

constexpr std::uint64_t kLastPage = PagedBytes::kMaxSizeBytes / kPageBytes;

std::size_t WithinPage(std::uint64_t offset) {
  return static_cast<std::size_t>(offset % kPageBytes);
}

// The end of the range, which must not pass kMaxSizeBytes.
std::uint64_t CheckedEnd(std::uint64_t offset, std::uint64_t length) {
  LAMINA_CHECK(offset <= PagedBytes::kMaxSizeBytes);
  LAMINA_CHECK(length <= PagedBytes::kMaxSizeBytes - offset);
  return offset + length;
}

bool AllZeros(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// Both read the same when zeros follow the shorter one.
bool EqualStored(Bytes a, Bytes b) {
  const std::size_t both = std::min(a.size(), b.size());
  if (both > 0 && a.data() != b.data() && std::memcmp(a.data(), b.data(), both) != 0) return false;
  return AllZeros(a.subspan(both)) && AllZeros(b.subspan(both));
}

Bytes BytesOf(const PageRef* page) {
  return page == nullptr ? Bytes() : Bytes(page->bytes(), kPageBytes);
}

}  // namespace

PagedBytes::PagedBytes() = default;

PagedBytes::~PagedBytes() {
  if (small_page_ != nullptr) small_page_->Release();
}

PagedBytes::PagedBytes(PagedBytes&& other) noexcept
    : size_bytes_(other.size_bytes_),
      zero_start_(other.zero_start_),
      pages_(std::move(other.pages_)),
      small_page_(std::exchange(other.small_page_, nullptr)) {
  other.size_bytes_ = 0;
  other.zero_start_ = 0;
}

PagedBytes& PagedBytes::operator=(PagedBytes&& other) noexcept {
  if (this == &other) return *this;
  size_bytes_ = other.size_bytes_;
  zero_start_ = other.zero_start_;
  other.size_bytes_ = 0;
  other.zero_start_ = 0;
  pages_ = std::move(other.pages_);
  SmallPage* dropped = std::exchange(small_page_, std::exchange(other.small_page_, nullptr));
  if (dropped != nullptr) dropped->Release();
  return *this;
}

PagedBytes PagedBytes::Clone() const {
  PagedBytes copy;
  copy.size_bytes_ = size_bytes_;
  copy.zero_start_ = zero_start_;
  copy.pages_ = pages_.Clone();
  if (small_page_ != nullptr) copy.small_page_ = small_page_->Share();
  return copy;
}

std::uint64_t PagedBytes::size_bytes() const { return size_bytes_; }

std::uint64_t PagedBytes::page_count() const {
  return pages_.size() + (small_page_ != nullptr ? 1 : 0);
}

bool PagedBytes::HasPage(Index page) const {
  if (page == 0 && small_page_ != nullptr) return true;
  return pages_.Find(page) != nullptr;
}

Bytes PagedBytes::StoredBytes(Index page) const {
  if (page == 0 && small_page_ != nullptr) return std::as_const(*small_page_).bytes();
  return BytesOf(pages_.Find(page));
}

std::uint64_t PagedBytes::CountPagesIn(Index first, Index last) const {
  const std::uint64_t small = first == 0 && small_page_ != nullptr ? 1 : 0;
  return small + pages_.CountRange(first, last);
}

void PagedBytes::ErasePages(Index first, Index last) {
  if (first > last) return;
  if (first == 0 && small_page_ != nullptr) std::exchange(small_page_, nullptr)->Release();
  pages_.EraseRange(first, last);
}

std::size_t PagedBytes::Read(std::uint64_t offset, MutableBytes into) const {
  if (offset >= size_bytes_) return 0;
  const auto length =
      static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_bytes_ - offset));
  std::byte* to = into.data();
  for (std::size_t left = length; left > 0;) {
    const std::size_t within = WithinPage(offset);
    const std::size_t count = std::min(left, kPageBytes - within);
    const Bytes stored = StoredBytes(offset / kPageBytes);
    const std::size_t copied = stored.size() > within ? std::min(count, stored.size() - within) : 0;
    if (copied > 0) std::memcpy(to, stored.data() + within, copied);
    if (copied < count) std::memset(to + copied, 0, count - copied);
    to += count;
    offset += count;
    left -= count;
  }
  return length;
}

void PagedBytes::Write(std::uint64_t offset, Bytes from) {
  if (from.empty()) return;
  const std::uint64_t end = CheckedEnd(offset, from.size());
  while (!from.empty()) {
    const std::size_t within = WithinPage(offset);
    const std::size_t count = std::min(from.size(), kPageBytes - within);
    WriteInPage(offset / kPageBytes, within, from.first(count));
    from = from.subspan(count);
    offset += count;
  }
  size_bytes_ = std::max(size_bytes_, end);
}

void PagedBytes::NoteStart(Index page, std::size_t within, Bytes from, bool fresh) {
  if (page == 0 || zero_start_ != 0) return;  // the first page is always looked at
  if (within >= kStartBytes) {
    zero_start_ = fresh ? 1U : 0U;
    return;
  }
  std::uint64_t start = 0;
  std::memcpy(&start, from.data(), std::min(from.size(), kStartBytes));
  zero_start_ = within > 0 || start == 0 ? 1U : 0U;
}

void PagedBytes::DropZeroPages() {
  if (HasPage(0) && AllZeros(StoredBytes(0))) ErasePages(0, 0);
  if (zero_start_ == 0) return;
  for (auto next = pages_.NextAtOrAfter(1); next.has_value();
       next = pages_.NextAtOrAfter(next->key + 1)) {
    if (AllZeros(StoredBytes(next->key))) ErasePages(next->key, next->key);
  }
}

void PagedBytes::WriteInPage(Index page, std::size_t within, Bytes from) {
  if (page == 0 && WriteInSmallPage(within, from)) return;
  PageRef& slot = pages_.FindOrInsert(page);
  NoteStart(page, within, from, !slot);
  if (slot && slot.exclusive()) [[likely]] {
    std::memcpy(slot.mutable_bytes() + within, from.data(), from.size());
    return;
  }
  PageRef fresh = PageRef::New(PageFill::kUndefined);
  std::byte* bytes = fresh.mutable_bytes();
  const std::size_t end = within + from.size();
  if (slot) {
    std::memcpy(bytes, slot.bytes(), within);
    std::memcpy(bytes + end, slot.bytes() + end, kPageBytes - end);
  } else {
    std::memset(bytes, 0, within);
    std::memset(bytes + end, 0, kPageBytes - end);
  }
  std::memcpy(bytes + within, from.data(), from.size());
  slot = std::move(fresh);
}

bool PagedBytes::WriteInSmallPage(std::size_t within, Bytes from) {
  const std::size_t end = within + from.size();
  if (end > SmallPage::kMaxBytes) {
    if (small_page_ != nullptr) GrowSmallPage();
    return false;
  }
  if (small_page_ == nullptr) {
    if (pages_.Find(0) != nullptr) return false;
    small_page_ = SmallPage::New({}, end);
  } else if (end > small_page_->capacity() || !small_page_->exclusive()) {
    const std::size_t capacity = small_page_->capacity();
    const std::size_t needed = end > capacity ? std::max(end, 2 * capacity) : capacity;
    SmallPage* larger = SmallPage::New(std::as_const(*small_page_).bytes(), needed);
    std::exchange(small_page_, larger)->Release();
  }
  std::memcpy(small_page_->data() + within, from.data(), from.size());
  return true;
}

void PagedBytes::GrowSmallPage() {
  PageRef page = PageRef::New(PageFill::kZeros);
  const Bytes stored = std::as_const(*small_page_).bytes();
  std::memcpy(page.mutable_bytes(), stored.data(), stored.size());
  std::exchange(small_page_, nullptr)->Release();
  pages_.Set(0, std::move(page));
}

void PagedBytes::ZeroInPage(Index page, std::size_t from, std::size_t to) {
  if (from >= to) return;
  if (page == 0 && small_page_ != nullptr) {
    const std::size_t capacity = small_page_->capacity();
    if (!small_page_->exclusive()) {
      SmallPage* copy = SmallPage::New(std::as_const(*small_page_).bytes(), capacity);
      std::exchange(small_page_, copy)->Release();
    }
    if (from < capacity) std::memset(small_page_->data() + from, 0, std::min(to, capacity) - from);
    return;
  }
  PageRef* slot = pages_.FindForWrite(page);
  if (slot == nullptr) return;
  if (from < kStartBytes) zero_start_ = 1;
  if (!slot->exclusive()) {
    PageRef copy = PageRef::New(PageFill::kUndefined);
    std::memcpy(copy.mutable_bytes(), slot->bytes(), kPageBytes);
    *slot = std::move(copy);
  }
  std::memset(slot->mutable_bytes() + from, 0, to - from);
}

std::uint64_t PagedBytes::PagesMissing(std::uint64_t offset, std::uint64_t length) const {
  if (length == 0) return 0;
  const Index first = offset / kPageBytes;
  const Index last = (CheckedEnd(offset, length) - 1) / kPageBytes;
  return last - first + 1 - CountPagesIn(first, last);
}

void PagedBytes::Resize(std::uint64_t size_bytes) {
  LAMINA_CHECK(size_bytes <= kMaxSizeBytes);
  const std::uint64_t before = size_bytes_;
  size_bytes_ = size_bytes;
  if (size_bytes > before) return;
  const std::size_t within = WithinPage(size_bytes);
  const Index page = size_bytes / kPageBytes;
  ErasePages(within == 0 ? page : page + 1, kLastPage);
  // Bytes behind the old size are zeros already.
  const std::uint64_t written = before - (size_bytes - within);
  if (within > 0) {
    ZeroInPage(page, within,
               static_cast<std::size_t>(std::min<std::uint64_t>(written, kPageBytes)));
  }
}

void PagedBytes::PunchHole(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return;
  const std::uint64_t end = CheckedEnd(offset, length);
  const Index first = offset / kPageBytes;
  const Index last = end / kPageBytes;  // of the page that `end` lies in
  if (first == last) {
    ZeroInPage(first, WithinPage(offset), WithinPage(end));
    return;
  }
  const bool starts_inside = WithinPage(offset) != 0;
  if (starts_inside) ZeroInPage(first, WithinPage(offset), kPageBytes);
  const Index first_whole = starts_inside ? first + 1 : first;
  if (first_whole < last) ErasePages(first_whole, last - 1);
  ZeroInPage(last, 0, WithinPage(end));
}

void PagedBytes::Provision(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return;
  const Index last = (CheckedEnd(offset, length) - 1) / kPageBytes;
  for (Index page = offset / kPageBytes; page <= last; ++page) {
    if (page == 0 && small_page_ != nullptr) continue;
    const std::optional<Index> hole = pages_.NextAbsent(page);
    if (!hole.has_value() || *hole > last) return;
    page = *hole;
    zero_start_ = 1;
    pages_.Set(page, PageRef::New(PageFill::kZeros));
  }
}

void PagedBytes::SharePages(std::uint64_t offset, const PagedBytes& source,
                            std::uint64_t source_offset, std::uint64_t length) {
  LAMINA_CHECK(this != &source);
  LAMINA_CHECK(WithinPage(offset) == 0);
  LAMINA_CHECK(WithinPage(source_offset) == 0);
  LAMINA_CHECK(WithinPage(length) == 0);
  if (length == 0) return;
  const std::uint64_t end = CheckedEnd(offset, length);
  PunchHole(offset, length);
  if (source.zero_start_ != 0 || source.HasPage(0)) zero_start_ = 1;
  const Index first = source_offset / kPageBytes;
  const Index last = (CheckedEnd(source_offset, length) - 1) / kPageBytes;
  if (first == 0 && source.small_page_ != nullptr) Write(offset, source.StoredBytes(0));
  for (auto next = source.pages_.NextAtOrAfter(first); next.has_value() && next->key <= last;
       next = source.pages_.NextAtOrAfter(next->key + 1)) {
    pages_.Set(offset / kPageBytes + (next->key - first), *next->value);
  }
  size_bytes_ = std::max(size_bytes_, end);
}

void PagedBytes::SharePagesWithin(std::uint64_t offset, std::uint64_t source_offset,
                                  std::uint64_t length) {
  LAMINA_CHECK((WithinPage(offset) | WithinPage(source_offset) | WithinPage(length)) == 0);
  if (length == 0) return;
  const std::uint64_t end = CheckedEnd(offset, length);
  const std::uint64_t source_end = CheckedEnd(source_offset, length);
  LAMINA_CHECK(end <= source_offset || source_end <= offset);
  Index to = offset / kPageBytes;
  Index from = source_offset / kPageBytes;
  if (from == 0 && small_page_ != nullptr) {
    ErasePages(to, to);
    Write(offset, StoredBytes(0));
    ++from, ++to;
  } else if (to == 0 && small_page_ != nullptr) {
    ErasePages(0, 0);
  }
  zero_start_ = zero_start_ || (source_offset == 0 && HasPage(0));
  pages_.CopyRange(to, from, source_end / kPageBytes - from);
  size_bytes_ = std::max(size_bytes_, end);
}

std::optional<std::uint64_t> PagedBytes::NextData(std::uint64_t from) const {
  if (from >= size_bytes_) return std::nullopt;
  const Index page = from / kPageBytes;
  if (HasPage(page)) return from;
  const auto next = pages_.NextAtOrAfter(page);
  if (!next.has_value() || next->key * kPageBytes >= size_bytes_) return std::nullopt;
  return next->key * kPageBytes;
}

std::optional<std::uint64_t> PagedBytes::NextHole(std::uint64_t from) const {
  if (from >= size_bytes_) return std::nullopt;
  const Index page = from / kPageBytes;
  const Index start = page == 0 && small_page_ != nullptr ? 1 : page;
  const std::optional<Index> absent = pages_.NextAbsent(start);
  LAMINA_CHECK(absent.has_value());  // keys end at kLastPage
  return std::min(std::max(from, *absent * kPageBytes), size_bytes_);
}

PageCounts PagedBytes::CountPages() const {
  PageCounts counts;
  counts.pages = page_count();
  pages_.ForEachInExclusiveNodes([&counts](Index, const PageRef& page) {
    if (page.exclusive()) ++counts.exclusive;
  });
  if (small_page_ != nullptr && small_page_->exclusive()) ++counts.exclusive;
  counts.shared = counts.pages - counts.exclusive;
  return counts;
}

bool PagedBytes::EqualContent(const PagedBytes& other) const {
  if (size_bytes_ != other.size_bytes_) return false;
  if (!EqualStored(StoredBytes(0), other.StoredBytes(0))) return false;
  return RadixMap<PageRef>::ForEachDifference(
      pages_, other.pages_, [](Index page, const PageRef* mine, const PageRef* theirs) {
        return page == 0 || EqualStored(BytesOf(mine), BytesOf(theirs));
      });
}

}  // namespace lamina
