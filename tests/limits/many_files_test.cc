// Directories of 100,000 entries, and a million files. With a sanitizer the million is 100,000,
// which the output says.
#include <malloc.h>

#include <cstdio>

#include "tests/union/overlay_stack.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LAMINA_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LAMINA_SANITIZED 1
#endif
#endif
#ifdef LAMINA_SANITIZED
// sanitizer/allocator_interface.h, which g++ 12 of Debian comes without.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace lamina {
namespace {

using testing::AllOf;
using testing::Gt;
using testing::Lt;
using testing::SizeIs;

#ifdef LAMINA_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// Makes `count` empty files "<first>", "<first + 1>", … in a directory.
void MakeFiles(FileSystem& fs, const OpContext& op, NodeId dir, int first, int count) {
  int failed = 0;
  for (int i = first; i < first + count; ++i) {
    const std::string name = std::to_string(i);
    failed += fs.Create(op, {dir, name}, {FileType::kRegular, 0644, 0, {}}).ok() ? 0 : 1;
  }
  ASSERT_EQ(failed, 0);
}

NodeId MakeDirectory(FileSystem& fs, const OpContext& op, NodeId dir, std::string_view name) {
  const Result<NodeId> made = fs.Create(op, {dir, name}, {FileType::kDirectory, 0755, 0, {}});
  EXPECT_TRUE(made.ok());
  return *made;
}

// ── 100,000 entries ────────────────────────────────────────────────────────────────────────────

constexpr int kEntries = 100'000;

// /d has the names 0 … 99,999: the lower half and 10,000 more from one lower, the upper half from
// another.
class HundredThousandEntries : public testing::Test {
 protected:
  HundredThousandEntries() : stack_(2) {
    const OpContext op = stack_.Op();
    MemFs& top = stack_.lower(0);
    MemFs& bottom = stack_.lower(1);
    MakeFiles(top, op, MakeDirectory(top, op, top.root(), "d"), 0, 60'000);
    MakeFiles(bottom, op, MakeDirectory(bottom, op, bottom.root(), "d"), 50'000, 50'000);
    stack_.Mount();
  }
  Process& process() { return stack_.process(); }
  bool Has(int number) {
    return process().GetStat("/d/" + std::to_string(number), LastLink::kKeep).ok();
  }

  OverlayStack stack_;
};

TEST_F(HundredThousandEntries, AreListedOnceAndFound) {
  const std::vector<std::string> names = NamesIn(process(), "/d");
  EXPECT_THAT(names, SizeIs(kEntries));
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_TRUE(Has(0));
  EXPECT_TRUE(Has(55'555));
  EXPECT_TRUE(Has(99'999));
  EXPECT_FALSE(Has(100'000));
}

TEST_F(HundredThousandEntries, AreChangedMovedAndWhitedOut) {
  const std::uint64_t before = stack_.OnLower(0)->GetStat("/d", LastLink::kKeep)->change;
  ASSERT_TRUE(process().Chmod("/d/99999", 0600).ok());
  ASSERT_TRUE(process().Rename("/d/0", "/d/moved", RenameMode::kReplace).ok());
  int failed = 0;
  for (int i = 1; i < kEntries - 1; i += 10) {
    failed += process().Unlink("/d/" + std::to_string(i)).ok() ? 0 : 1;
  }
  EXPECT_EQ(failed, 0);
  stack_.Mount();
  EXPECT_THAT(NamesIn(process(), "/d"), SizeIs(kEntries - 10'000));
  EXPECT_FALSE(Has(0));
  EXPECT_FALSE(Has(1));
  EXPECT_TRUE(Has(2));
  EXPECT_FALSE(Has(99'991));
  EXPECT_EQ(process().GetStat("/d/99999", LastLink::kKeep)->mode, 0600);
  EXPECT_TRUE(process().GetStat("/d/moved", LastLink::kKeep).ok());
  // 10,000 whiteouts, that of 0, and two copies.
  EXPECT_THAT(NamesIn(*stack_.OnHome(), "/upper/d"), SizeIs(10'003));
  EXPECT_EQ(stack_.OnLower(0)->GetStat("/d", LastLink::kKeep)->change, before);
}

TEST_F(HundredThousandEntries, AreAllRemovedWithTheirDirectory) {
  int failed = 0;
  for (int i = 0; i < kEntries; ++i) {
    failed += process().Unlink("/d/" + std::to_string(i)).ok() ? 0 : 1;
  }
  EXPECT_EQ(failed, 0);
  EXPECT_THAT(NamesIn(process(), "/d"), SizeIs(0));
  ASSERT_TRUE(process().Rmdir("/d").ok());
  EXPECT_THAT(NamesIn(*stack_.OnHome(), "/upper"), testing::ElementsAre("d"));  // the whiteout
  EXPECT_THAT(NamesIn(*stack_.OnHome(), "/work/work"), SizeIs(0));
  stack_.Mount();
  EXPECT_THAT(NamesIn(process(), "/"), SizeIs(0));
}

// ── A million files ────────────────────────────────────────────────────────────────────────────

constexpr int kFilesOfADirectory = 1000;
constexpr int kDirectories = kSanitized ? 100 : 1000;
constexpr int kFiles = kDirectories * kFilesOfADirectory;

// Bytes that this process has asked the heap for; without a sanitizer with what malloc adds.
std::uint64_t MemoryInUse() {
#ifdef LAMINA_SANITIZED
  return __sanitizer_get_current_allocated_bytes();
#else
  const struct mallinfo2 use = mallinfo2();
  return use.uordblks + use.hblkhd;
#endif
}

// Prints what each of the files takes, and gives it back.
double BytesEach(std::string_view what, std::uint64_t before) {
  const double bytes = static_cast<double>(MemoryInUse() - before) / kFiles;
  std::printf("[  MEMORY  ] %d files%s: %.0f bytes each %.*s\n", kFiles,
              kSanitized ? " (fewer, with a sanitizer)" : "", bytes, static_cast<int>(what.size()),
              what.data());
  return bytes;
}

// The files that a union shows: each directory is listed and each name looked up.
int CountFiles(UnionFs& fs, const OpContext& op) {
  int count = 0;
  for (int d = 0; d < kDirectories; ++d) {
    const std::string name = "d" + std::to_string(d);
    const Result<NodeId> dir = fs.Lookup(op, {fs.root(), name});
    if (!dir.ok()) return -1;
    std::vector<std::string> names;
    const HandleId handle = *fs.Open(op, *dir, {});
    const Result<DirCookie> end = fs.ReadDir(op, handle, DirCookie{}, [&](const DirEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    });
    fs.Close(handle);
    if (!end.ok()) return -1;
    for (const std::string& each : names) count += fs.Lookup(op, {*dir, each}).ok() ? 1 : 0;
  }
  return count;
}

TEST(MillionFiles, AreMadeFoundAndChanged) {
  OverlayStack stack(1);
  const OpContext op = stack.Op();
  MemFs& lower = stack.lower(0);
  const std::uint64_t empty = MemoryInUse();
  for (int d = 0; d < kDirectories; ++d) {
    const std::string name = "d" + std::to_string(d);
    MakeFiles(lower, op, MakeDirectory(lower, op, lower.root(), name), 0, kFilesOfADirectory);
  }
  EXPECT_THAT(BytesEach("in a layer", empty), AllOf(Gt(50), Lt(500)));

  stack.Mount();
  const std::uint64_t mounted = MemoryInUse();
  EXPECT_EQ(CountFiles(stack.fs(), op), kFiles);
  EXPECT_THAT(BytesEach("more, once all were looked up in a union", mounted),
              AllOf(Gt(100), Lt(800)));

  Process& process = stack.process();
  const std::string last = "/d" + std::to_string(kDirectories - 1);
  ASSERT_TRUE(process.Chmod(last + "/999", 0600).ok());
  ASSERT_TRUE(process.Unlink(last + "/0").ok());
  ASSERT_TRUE(process.Rename("/d0/7", last + "/moved", RenameMode::kReplace).ok());
  EXPECT_EQ(CountFiles(stack.fs(), op), kFiles - 1);
  stack.Mount();
  EXPECT_EQ(CountFiles(stack.fs(), op), kFiles - 1);
  EXPECT_EQ(stack.process().GetStat(last + "/999", LastLink::kKeep)->mode, 0600);
  EXPECT_EQ(stack.OnLower(0)->GetStat(last + "/999", LastLink::kKeep)->mode, 0644);
}

}  // namespace
}  // namespace lamina
