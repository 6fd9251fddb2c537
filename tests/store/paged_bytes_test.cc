#include "lamina/store/paged_bytes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "lamina/store/page.h"
#include "tests/store/split_mix.h"

namespace lamina {
namespace {

constexpr std::uint64_t kPage = kPageBytes;

PagedBytes Holding(std::string_view text) {
  PagedBytes bytes;
  bytes.Write(0, AsBytes(text));
  return bytes;
}

// `count` pages of data, each byte of page i is 'a' + i % 26.
PagedBytes Pages(std::uint64_t count) {
  PagedBytes bytes;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string page(kPage, static_cast<char>('a' + i % 26));
    bytes.Write(i * kPage, AsBytes(page));
  }
  return bytes;
}

std::string TextAt(const PagedBytes& bytes, std::uint64_t offset, std::size_t length) {
  std::string text(length, '?');
  const std::size_t got = bytes.Read(offset, std::as_writable_bytes(std::span<char>(text)));
  text.resize(got);
  return text;
}

std::string Zeros(std::size_t count) { return std::string(count, '\0'); }

TEST(PagedBytes, IsThreeWords) { EXPECT_LE(sizeof(PagedBytes), 24U); }

TEST(PagedBytes, IsEmptyAtFirst) {
  const PagedBytes bytes;
  EXPECT_EQ(bytes.size_bytes(), 0U);
  EXPECT_EQ(bytes.page_count(), 0U);
  EXPECT_EQ(TextAt(bytes, 0, 10), "");
}

TEST(PagedBytes, ReadsWhatWasWritten) {
  EXPECT_EQ(TextAt(Holding("hello"), 0, 100), "hello");
  EXPECT_EQ(TextAt(Holding("hello"), 3, 100), "lo");
}

TEST(PagedBytes, ReadAtOrPastTheEndGivesNothing) {
  EXPECT_EQ(TextAt(Holding("hello"), 5, 10), "");
  EXPECT_EQ(TextAt(Holding("hello"), PagedBytes::kMaxSizeBytes, 10), "");
}

TEST(PagedBytes, WriteAcrossAPageBorderReadsBack) {
  PagedBytes bytes;
  bytes.Write(kPage - 2, AsBytes("abcd"));
  EXPECT_EQ(bytes.size_bytes(), kPage + 2);
  EXPECT_EQ(bytes.page_count(), 2U);
  EXPECT_EQ(TextAt(bytes, kPage - 4, 10), Zeros(2) + "abcd");
}

TEST(PagedBytes, EmptyWriteChangesNothing) {
  PagedBytes bytes;
  bytes.Write(100, Bytes());
  EXPECT_EQ(bytes.size_bytes(), 0U);
}

TEST(PagedBytes, AWriteInTheMiddleKeepsTheSize) {
  PagedBytes bytes = Holding("hello");
  bytes.Write(1, AsBytes("a"));
  EXPECT_EQ(TextAt(bytes, 0, 10), "hallo");
}

TEST(PagedBytes, ASmallFileGrowsThroughEverySize) {
  PagedBytes bytes;
  std::string expected;
  for (int i = 0; i < 900; ++i) {
    const std::string piece = std::to_string(i * 7919) + ",";
    bytes.Write(bytes.size_bytes(), AsBytes(piece));
    expected += piece;
  }
  EXPECT_EQ(TextAt(bytes, 0, 10000), expected);
  EXPECT_EQ(bytes.page_count(), (expected.size() + kPage - 1) / kPage);
}

TEST(PagedBytes, ASmallFileUsesNoPageOfThePool) {
  const std::uint64_t before = PagesLive();
  const PagedBytes bytes = Holding("sixteen bytes...");
  EXPECT_EQ(PagesLive(), before);
  EXPECT_EQ(bytes.page_count(), 1U);
}

TEST(PagedBytes, LongerResizeAddsAHole) {
  PagedBytes bytes = Holding("ab");
  bytes.Resize(5);
  EXPECT_EQ(TextAt(bytes, 0, 10), "ab" + Zeros(3));
  EXPECT_EQ(bytes.page_count(), 1U);
}

TEST(PagedBytes, ResizeOfAnEmptyFileIsAHole) {
  PagedBytes bytes;
  bytes.Resize(16);
  EXPECT_EQ(bytes.page_count(), 0U);
  EXPECT_EQ(bytes.NextData(0), std::nullopt);
  EXPECT_EQ(bytes.NextHole(0), 0U);
}

TEST(PagedBytes, ShorterResizeForgetsTheRestOfThePage) {
  PagedBytes bytes = Pages(2);
  bytes.Resize(kPage + 3);
  bytes.Resize(2 * kPage);
  EXPECT_EQ(TextAt(bytes, kPage, 6), "bbb" + Zeros(3));
}

TEST(PagedBytes, ShorterResizeForgetsTheRestOfASmallFile) {
  PagedBytes bytes = Holding("hello");
  bytes.Resize(2);
  bytes.Resize(5);
  EXPECT_EQ(TextAt(bytes, 0, 5), "he" + Zeros(3));
}

TEST(PagedBytes, ShorterResizeDropsPages) {
  PagedBytes bytes = Pages(10);
  bytes.Resize(3 * kPage);
  EXPECT_EQ(bytes.page_count(), 3U);
  bytes.Resize(0);
  EXPECT_EQ(bytes.page_count(), 0U);
}

TEST(PagedBytes, EqualResizeDropsPagesBehindTheEnd) {
  PagedBytes bytes = Holding("x");
  bytes.Provision(0, 4 * kPage);
  bytes.Resize(1);
  EXPECT_EQ(bytes.page_count(), 1U);
}

TEST(PagedBytes, PunchHoleDropsWholePagesAndZeroesParts) {
  PagedBytes bytes = Pages(4);
  bytes.PunchHole(kPage - 1, 2 * kPage + 2);
  EXPECT_EQ(bytes.page_count(), 2U);
  EXPECT_EQ(bytes.size_bytes(), 4 * kPage);
  EXPECT_EQ(TextAt(bytes, kPage - 2, 2), "a" + Zeros(1));
  EXPECT_EQ(TextAt(bytes, 3 * kPage, 2), Zeros(1) + "d");
}

TEST(PagedBytes, PunchHoleInsideOnePageKeepsIt) {
  PagedBytes bytes = Pages(1);
  bytes.PunchHole(1, 2);
  EXPECT_EQ(bytes.page_count(), 1U);
  EXPECT_EQ(TextAt(bytes, 0, 4), "a" + Zeros(2) + "a");
}

TEST(PagedBytes, PunchHoleOfAWholeSmallFileMakesAHole) {
  PagedBytes bytes = Holding("hello");
  bytes.PunchHole(0, kPage);
  EXPECT_EQ(bytes.page_count(), 0U);
  EXPECT_EQ(TextAt(bytes, 0, 5), Zeros(5));
}

TEST(PagedBytes, ProvisionFillsHolesWithZeros) {
  PagedBytes bytes;
  bytes.Write(kPage, AsBytes("x"));
  bytes.Provision(10, 3 * kPage);
  EXPECT_EQ(bytes.page_count(), 4U);
  EXPECT_EQ(bytes.size_bytes(), kPage + 1);
  EXPECT_EQ(TextAt(bytes, kPage, 10), "x");
}

TEST(PagedBytes, PagesMissingCountsHolesOfTheRange) {
  PagedBytes bytes;
  bytes.Write(kPage, AsBytes("x"));
  EXPECT_EQ(bytes.PagesMissing(0, 3 * kPage), 2U);
  EXPECT_EQ(bytes.PagesMissing(kPage, 1), 0U);
  EXPECT_EQ(bytes.PagesMissing(0, 0), 0U);
}

TEST(PagedBytes, NextDataAndNextHoleGoByPages) {
  PagedBytes bytes;
  bytes.Write(2 * kPage + 5, AsBytes("x"));
  bytes.Resize(5 * kPage);
  EXPECT_EQ(bytes.NextData(0), 2 * kPage);
  EXPECT_EQ(bytes.NextData(2 * kPage + 100), 2 * kPage + 100);
  EXPECT_EQ(bytes.NextData(3 * kPage), std::nullopt);
  EXPECT_EQ(bytes.NextHole(7), 7U);
  EXPECT_EQ(bytes.NextHole(2 * kPage), 3 * kPage);
}

TEST(PagedBytes, TheEndIsAHole) {
  const PagedBytes bytes = Holding("hello");
  EXPECT_EQ(bytes.NextHole(0), 5U);
  EXPECT_EQ(bytes.NextHole(5), std::nullopt);
  EXPECT_EQ(bytes.NextData(5), std::nullopt);
}

TEST(PagedBytes, PagesBehindTheEndAreNotShownAsData) {
  PagedBytes bytes;
  bytes.Resize(kPage);
  bytes.Provision(2 * kPage, kPage);
  EXPECT_EQ(bytes.NextData(0), std::nullopt);
}

TEST(PagedBytes, TheLastByteOfTheLargestFileCanBeWritten) {
  PagedBytes bytes;
  bytes.Write(PagedBytes::kMaxSizeBytes - 1, AsBytes("x"));
  EXPECT_EQ(bytes.size_bytes(), PagedBytes::kMaxSizeBytes);
  EXPECT_EQ(bytes.page_count(), 1U);
  EXPECT_EQ(TextAt(bytes, PagedBytes::kMaxSizeBytes - 2, 10), Zeros(1) + "x");
  EXPECT_EQ(bytes.NextData(1), (PagedBytes::kMaxSizeBytes - 1) / kPage * kPage);
}

TEST(PagedBytes, NothingOfTheLargestFileIsLeftAfterResizeToZero) {
  PagedBytes bytes;
  bytes.Write(PagedBytes::kMaxSizeBytes - 1, AsBytes("x"));
  bytes.Resize(0);
  EXPECT_EQ(bytes.page_count(), 0U);
}

TEST(PagedBytesDeathTest, AWritePastTheLargestSizeIsACallersMistake) {
  PagedBytes bytes;
  EXPECT_DEATH(bytes.Write(PagedBytes::kMaxSizeBytes, AsBytes("x")), "check failed");
}

TEST(PagedBytesClone, IsIndependentOfTheOriginal) {
  PagedBytes bytes = Pages(3);
  PagedBytes clone = bytes.Clone();
  bytes.Write(kPage, AsBytes("X"));
  clone.Write(2 * kPage, AsBytes("Y"));
  EXPECT_EQ(TextAt(bytes, kPage, 2), "Xb");
  EXPECT_EQ(TextAt(clone, kPage, 2), "bb");
  EXPECT_EQ(TextAt(bytes, 2 * kPage, 2), "cc");
}

TEST(PagedBytesClone, OfASmallFileIsIndependent) {
  PagedBytes bytes = Holding("hello");
  const PagedBytes clone = bytes.Clone();
  bytes.Write(0, AsBytes("J"));
  bytes.Resize(3);
  EXPECT_EQ(TextAt(clone, 0, 10), "hello");
}

TEST(PagedBytesClone, SharesEveryPage) {
  const PagedBytes bytes = Pages(100);
  const PagedBytes clone = bytes.Clone();
  EXPECT_EQ(clone.CountPages().shared, 100U);
  EXPECT_EQ(clone.CountPages().exclusive, 0U);
}

TEST(PagedBytesClone, OneWriteMakesOnePageExclusiveOnBothSides) {
  PagedBytes bytes = Pages(100);
  const PagedBytes clone = bytes.Clone();
  bytes.Write(50 * kPage, AsBytes("x"));
  EXPECT_EQ(bytes.CountPages().exclusive, 1U);
  EXPECT_EQ(clone.CountPages().exclusive, 1U);
  EXPECT_EQ(clone.CountPages().shared, 99U);
}

TEST(PagedBytesClone, ASmallPageIsSharedUntilItIsWritten) {
  PagedBytes bytes = Holding("hello");
  const PagedBytes clone = bytes.Clone();
  bytes.Write(5 * kPage, AsBytes("x"));
  EXPECT_EQ(bytes.CountPages().shared, 1U);
  bytes.Write(0, AsBytes("y"));
  EXPECT_EQ(bytes.CountPages().shared, 0U);
}

TEST(PagedBytesClone, CopiesNoPage) {
  const PagedBytes bytes = Pages(64);
  const std::uint64_t before = PagesLive();
  PagedBytes clone = bytes.Clone();
  EXPECT_EQ(PagesLive(), before);
  clone.Write(7, AsBytes("x"));
  EXPECT_EQ(PagesLive(), before + 1);
}

TEST(PagedBytesClone, AMovedFromFileIsEmpty) {
  PagedBytes bytes = Holding("hello");
  const PagedBytes moved = std::move(bytes);
  EXPECT_EQ(bytes.size_bytes(), 0U);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(bytes.page_count(), 0U);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(TextAt(moved, 0, 10), "hello");
}

// A file of `pages` pages, some of them holes, the first one perhaps small.
PagedBytes Patchy(SplitMix64& random, std::uint64_t pages) {
  PagedBytes bytes;
  for (std::uint64_t i = 0; i < pages; ++i) {
    if (random.Below(3) == 0) continue;
    const std::size_t length = i == 0 && random.Below(2) == 0 ? 100 : kPage;
    bytes.Write(i * kPage, AsBytes(std::string(length, static_cast<char>(random.Below(256)))));
  }
  bytes.Resize(pages * kPage);
  return bytes;
}

TEST(PagedBytesShareWithin, EqualsACopyOfTheBytes) {
  constexpr std::uint64_t kPages = 200;
  SplitMix64 random(5);
  for (int round = 0; round < 300; ++round) {
    PagedBytes bytes = Patchy(random, kPages);
    const PagedBytes before = bytes.Clone();
    const std::uint64_t count = random.Below(90);
    const std::uint64_t low = random.Below(kPages / 2 - count);
    const std::uint64_t high = kPages / 2 + random.Below(kPages / 2 - count);
    const bool up = random.Below(2) == 0;
    const std::uint64_t from = (up ? low : high) * kPage;
    const std::uint64_t to = (up ? high : low) * kPage;
    bytes.SharePagesWithin(to, from, count * kPage);
    std::string expected = TextAt(before, 0, kPages * kPage);
    expected.replace(to, count * kPage, expected.substr(from, count * kPage));
    ASSERT_EQ(TextAt(bytes, 0, kPages * kPage), expected) << "round " << round;
    ASSERT_EQ(bytes.size_bytes(), kPages * kPage);
  }
}

TEST(PagedBytesShareWithin, CopiesNoPageAndLeavesHoles) {
  PagedBytes bytes = Pages(40);
  bytes.PunchHole(3 * kPage, 2 * kPage);
  const std::uint64_t live = PagesLive();
  bytes.SharePagesWithin(100 * kPage, 0, 40 * kPage);
  EXPECT_EQ(PagesLive(), live);
  EXPECT_EQ(bytes.page_count(), 76U);
  EXPECT_EQ(bytes.size_bytes(), 140 * kPage);
  EXPECT_EQ(bytes.NextHole(100 * kPage), 103 * kPage);
}

TEST(PagedBytesEqual, AHoleEqualsAPageOfZeros) {
  PagedBytes hole;
  hole.Resize(3 * kPage);
  PagedBytes zeros = hole.Clone();
  zeros.Provision(0, 3 * kPage);
  EXPECT_TRUE(hole.EqualContent(zeros));
}

TEST(PagedBytesEqual, ASmallPageEqualsAWholePage) {
  const PagedBytes small = Holding("hello");
  PagedBytes whole;
  whole.Provision(0, kPage);
  whole.Write(0, AsBytes("hello"));
  EXPECT_TRUE(small.EqualContent(whole));
  EXPECT_TRUE(whole.EqualContent(small));
}

TEST(PagedBytesEqual, SizesAndBytesCount) {
  EXPECT_FALSE(Holding("a").EqualContent(Holding(Zeros(1))));
  EXPECT_FALSE(Holding("a").EqualContent(Holding("a" + Zeros(1))));
  EXPECT_FALSE(Pages(30).EqualContent(Pages(29)));
}

TEST(PagedBytesEqual, OneChangedByteIsSeen) {
  const PagedBytes bytes = Pages(1000);
  PagedBytes clone = bytes.Clone();
  clone.Write(999 * kPage + 4095, AsBytes("!"));
  EXPECT_FALSE(bytes.EqualContent(clone));
}

}  // namespace
}  // namespace lamina
