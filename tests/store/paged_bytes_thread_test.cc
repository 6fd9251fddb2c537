// Threads that share pages, nodes and the pool, but never one PagedBytes for writing.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "lamina/store/paged_bytes.h"
#include "tests/store/split_mix.h"

namespace lamina {
namespace {

constexpr std::uint64_t kPage = kPageBytes;
constexpr std::uint64_t kPageCount = 200;
constexpr int kThreads = 4;
constexpr int kRounds = 40;

PagedBytes Original() {
  PagedBytes bytes;
  bytes.Write(0, AsBytes("small first page"));
  for (std::uint64_t page = 1; page < kPageCount; ++page) {
    bytes.Write(page * kPage, AsBytes(std::string(kPage, 'o')));
  }
  return bytes;
}

char CharAt(const PagedBytes& bytes, std::uint64_t offset) {
  std::array<std::byte, 1> one{};
  bytes.Read(offset, one);
  return static_cast<char>(one[0]);
}

// Clones `original` again and again, overwrites pages of the clone with `mark`, and reads both.
// Returns how many bytes were not as they should be.
int CloneAndWrite(const PagedBytes& original, char mark) {
  int wrong = 0;
  SplitMix64 random(static_cast<std::uint64_t>(mark));
  const std::string page_of_marks(kPage, mark);
  for (int round = 0; round < kRounds; ++round) {
    PagedBytes clone = original.Clone();
    for (int write = 0; write < 20; ++write) {
      const std::uint64_t page = 1 + random.Below(kPageCount - 1);
      clone.Write(page * kPage, AsBytes(page_of_marks));
      if (CharAt(clone, page * kPage + 7) != mark) ++wrong;
      if (CharAt(original, page * kPage + 7) != 'o') ++wrong;
    }
    clone.Write(0, AsBytes(std::string(1, mark)));
    if (CharAt(original, 0) != 's') ++wrong;
    clone.Resize(random.Below(kPageCount * kPage));
  }
  return wrong;
}

// Runs work(thread) on kThreads threads and adds up what they return.
template <typename Work>
int SumOverThreads(Work work) {
  std::array<int, kThreads> results{};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back(
        [&results, &work, thread] { results[static_cast<std::size_t>(thread)] = work(thread); });
  }
  for (std::thread& thread : threads) thread.join();
  int sum = 0;
  for (const int result : results) sum += result;
  return sum;
}

TEST(PagedBytesThreads, ClonesOfOneOriginalAreWrittenByManyThreads) {
  const PagedBytes original = Original();
  EXPECT_EQ(SumOverThreads([&](int thread) {
              return CloneAndWrite(original, static_cast<char>('A' + thread));
            }),
            0);
  EXPECT_EQ(original.CountPages().exclusive, kPageCount);
}

TEST(PagedBytesThreads, EachThreadOwnsACloneAndTheOriginalIsDropped) {
  const std::uint64_t live_before = PagesLive();
  std::vector<PagedBytes> clones;
  {
    const PagedBytes original = Original();
    for (int thread = 0; thread < kThreads; ++thread) clones.push_back(original.Clone());
  }
  EXPECT_EQ(SumOverThreads([&](int thread) {
              PagedBytes& mine = clones[static_cast<std::size_t>(thread)];
              const char mark = static_cast<char>('A' + thread);
              int wrong = 0;
              for (std::uint64_t page = 0; page < kPageCount; ++page) {
                mine.Write(page * kPage, AsBytes(std::string(100, mark)));
                if (CharAt(mine, page * kPage + 99) != mark) ++wrong;
                if (page > 0 && CharAt(mine, page * kPage + 100) != 'o') ++wrong;
              }
              mine = PagedBytes();
              return wrong;
            }),
            0);
  EXPECT_EQ(PagesLive(), live_before);
}

TEST(PagedBytesThreads, PagesFreedByOneThreadAreUsedByAnother) {
  const std::uint64_t live_before = PagesLive();
  std::vector<PagedBytes> files(kThreads);
  SumOverThreads([&](int thread) {
    files[static_cast<std::size_t>(thread)] = Original();
    return 0;
  });
  EXPECT_EQ(PagesLive(), live_before + kThreads * (kPageCount - 1));
  SumOverThreads([&](int thread) {
    files[static_cast<std::size_t>((thread + 1) % kThreads)] = PagedBytes();
    return 0;
  });
  EXPECT_EQ(PagesLive(), live_before);
}

}  // namespace
}  // namespace lamina
