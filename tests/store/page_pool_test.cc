#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "lamina/store/page.h"

namespace lamina {
namespace {

std::vector<PageRef> NewPages(std::size_t count) {
  std::vector<PageRef> pages;
  pages.reserve(count);
  for (std::size_t i = 0; i < count; ++i) pages.push_back(PageRef::New(PageFill::kUndefined));
  return pages;
}

std::set<const std::byte*> AddressesOf(const std::vector<PageRef>& pages) {
  std::set<const std::byte*> addresses;
  for (const PageRef& page : pages) addresses.insert(page.bytes());
  return addresses;
}

bool AllZeros(const PageRef& page) {
  return std::all_of(page.bytes(), page.bytes() + kPageBytes,
                     [](std::byte b) { return b == std::byte{0}; });
}

TEST(PagePool, CountsPagesInUse) {
  const std::uint64_t before = PagesLive();
  {
    const std::vector<PageRef> pages = NewPages(2000);
    EXPECT_EQ(PagesLive(), before + 2000);
  }
  EXPECT_EQ(PagesLive(), before);
}

TEST(PagePool, GivesEveryPageToOneOwner) {
  const std::vector<PageRef> pages = NewPages(3 * kPagesPerChunk);
  EXPECT_EQ(AddressesOf(pages).size(), 3 * kPagesPerChunk);
}

TEST(PagePool, PagesAreAligned) {
  const PageRef page = PageRef::New(PageFill::kZeros);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(page.bytes()) % kPageBytes, 0U);
}

TEST(PagePool, UsesFreedPagesAgain) {
  std::vector<PageRef> pages = NewPages(kPagesPerChunk);
  const std::set<const std::byte*> before = AddressesOf(pages);
  pages.clear();
  pages = NewPages(kPagesPerChunk);
  EXPECT_EQ(AddressesOf(pages), before);
}

TEST(PagePool, AReusedPageIsZeroedOnRequest) {
  PageRef page = PageRef::New(PageFill::kZeros);
  std::fill_n(page.mutable_bytes(), kPageBytes, std::byte{7});
  page = PageRef();
  const PageRef again = PageRef::New(PageFill::kZeros);
  EXPECT_TRUE(AllZeros(again));
}

TEST(PagePool, PrefaultedPagesAreNotInUse) {
  const std::uint64_t before = PagesLive();
  PrefaultPages(1000);
  EXPECT_EQ(PagesLive(), before);
}

TEST(PageRef, CopiesShareAPage) {
  const PageRef page = PageRef::New(PageFill::kZeros);
  EXPECT_TRUE(page.exclusive());
  {
    const PageRef copy = page;  // NOLINT(performance-unnecessary-copy-initialization)
    EXPECT_EQ(copy, page);
    EXPECT_FALSE(page.exclusive());
  }
  EXPECT_TRUE(page.exclusive());
}

TEST(PageRef, MoveLeavesNull) {
  PageRef page = PageRef::New(PageFill::kZeros);
  const PageRef moved = std::move(page);
  EXPECT_FALSE(page);  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(moved.exclusive());
}

#if defined(__SANITIZE_ADDRESS__)
TEST(PagePoolDeathTest, AddressSanitizerSeesAReadOfAFreedPage) {
  PageRef page = PageRef::New(PageFill::kZeros);
  const volatile std::byte* dangling = page.bytes();
  page = PageRef();
  EXPECT_DEATH(static_cast<void>(dangling[10]), "use-after-poison");
}
#endif

}  // namespace
}  // namespace lamina
