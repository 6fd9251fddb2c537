// Copy-up of a body: holes, slow storage, big files written in pages. Numbers are those of the
// table in README.md.
#include "lamina/testing/matchers.h"
#include "tests/union/overlay_stack.h"

namespace lamina::testing {
namespace {

// Storage that gives at most `chunk` bytes a read and shares no memory, so that a copy-up has to
// read.
class SlowFs final : public ForwardingFileSystem {
 public:
  SlowFs(FileSystem& target, std::size_t chunk) : ForwardingFileSystem(target), chunk_(chunk) {}
  std::size_t reads = 0;

  Result<std::size_t> Read(const OpContext& op, HandleId handle, std::uint64_t offset,
                           MutableBytes into) override {
    ++reads;
    return ForwardingFileSystem::Read(op, handle, offset,
                                      into.first(std::min(into.size(), chunk_)));
  }
  Result<std::shared_ptr<const PagedBytes>> ShareContent(const OpContext&, HandleId) override {
    return Errno::kOpNotSupp;
  }

 private:
  std::size_t chunk_;
};

// A union of one lower, which is `lower`.
std::unique_ptr<UnionFs> MountOn(OverlayStack& stack, FileSystem& lower) {
  OverlayMount request = stack.Request();
  request.lowers[0].fs = &lower;
  Result<std::unique_ptr<UnionFs>> fs = stack.TryMount(request);
  EXPECT_THAT(fs, IsOk());
  return *std::move(fs);
}

std::string ReadSome(Process& process, std::string_view path, std::uint64_t at,
                     std::size_t length) {
  const Process::Fd fd = *process.Open(path, {}, 0);
  std::string bytes(length, '?');
  const Result<std::size_t> got = process.Pread(fd, std::as_writable_bytes(std::span(bytes)), at);
  EXPECT_THAT(got, IsOk());
  EXPECT_THAT(process.Close(fd), IsOk());
  return bytes.substr(0, *got);
}

// A file of 64 MiB with a few words in it.
void PutSparse(Process& process) {
  const Process::Fd fd = *process.Open("/f", {.access = Access::kWrite, .create = true}, 0644);
  ASSERT_THAT(process.Ftruncate(fd, 64 << 20), IsOk());
  ASSERT_THAT(process.Pwrite(fd, AsBytes("begin"), 0), IsOk());
  ASSERT_THAT(process.Pwrite(fd, AsBytes("across"), (5 << 20) - 3), IsOk());
  ASSERT_THAT(process.Pwrite(fd, AsBytes("middle"), (33 << 20) + 17), IsOk());
  ASSERT_THAT(process.Pwrite(fd, AsBytes("end"), (64 << 20) - 3), IsOk());
  ASSERT_THAT(process.Close(fd), IsOk());
}

void ExpectHolesAreKept(OverlayStack& stack, FileSystem& lower) {
  const std::unique_ptr<UnionFs> fs = MountOn(stack, lower);
  Process process(*fs, fs->root(), {.clock = &stack.clock()});
  const std::uint64_t before = process.GetStat("/f", LastLink::kKeep)->allocated_sectors;
  EXPECT_EQ(before, 5 * 8u);  // five pages
  ASSERT_THAT(process.Chmod("/f", 0600), IsOk());
  const Result<Stat> after = process.GetStat("/f", LastLink::kKeep);
  EXPECT_EQ(after->allocated_sectors, before);
  EXPECT_EQ(after->size_bytes, std::uint64_t{64} << 20);
  EXPECT_EQ(ReadSome(process, "/f", 0, 6), std::string("begin\0", 6));
  EXPECT_EQ(ReadSome(process, "/f", (5 << 20) - 4, 8), std::string("\0across\0", 8));
  EXPECT_EQ(ReadSome(process, "/f", (33 << 20) + 17, 6), "middle");
  EXPECT_EQ(ReadSome(process, "/f", (64 << 20) - 4, 9), std::string("\0end", 4));
}

// 7: holes were written out as zeros.
TEST(OverlayHistory, K_overlay_066_HolesOfALowerFileStayHoles) {
  OverlayStack stack(1);
  PutSparse(*stack.OnLower(0));
  ExpectHolesAreKept(stack, stack.lower(0));
}

// 7: the same where no memory can be shared.
TEST(OverlayHistory, K_overlay_066_HolesStayHolesWhenTheBytesAreRead) {
  OverlayStack stack(1);
  PutSparse(*stack.OnLower(0));
  SlowFs slow(stack.lower(0), 100'000);
  ExpectHolesAreKept(stack, slow);
}

// 9: a read of fewer bytes than asked was asked again for the same bytes, for ever.
TEST(OverlayHistory, F_f6262ed_ShortReadsEndACopyUpWithAllBytes) {
  OverlayStack stack(1);
  const std::string content = PatternBytes(10'000);
  PutFile(*stack.OnLower(0), "/f", content);
  SlowFs slow(stack.lower(0), 1);
  const std::unique_ptr<UnionFs> fs = MountOn(stack, slow);
  Process process(*fs, fs->root(), {.clock = &stack.clock()});
  ASSERT_THAT(process.Chmod("/f", 0600), IsOk());
  EXPECT_EQ(slow.reads, content.size());
  EXPECT_EQ(*stack.OnHome()->ReadFile("/upper/f"), content);
}

// 9: so was a read of nothing. The rest of the file is a hole then.
TEST(OverlayHistory, F_f6262ed_AReadOfNothingEndsACopyUp) {
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/f", "bytes");
  SlowFs empty(stack.lower(0), 0);
  const std::unique_ptr<UnionFs> fs = MountOn(stack, empty);
  Process process(*fs, fs->root(), {.clock = &stack.clock()});
  ASSERT_THAT(process.Chmod("/f", 0600), IsOk());
  EXPECT_LE(empty.reads, 2u);
  EXPECT_EQ(*stack.OnHome()->ReadFile("/upper/f"), std::string(5, '\0'));
  EXPECT_EQ(*stack.OnLower(0)->ReadFile("/f"), "bytes");
}

// A database: pages of 4096 bytes, rewritten at random, checked against a plain string.
class Database {
 public:
  static constexpr std::size_t kPages = 5000;
  static constexpr std::size_t kPageBytes = 4096;

  Database() : bytes_(kPages * kPageBytes, '\0') {
    for (std::size_t page = 0; page < kPages; ++page) Stamp(page, page);
  }
  const std::string& bytes() const { return bytes_; }

  // Rewrites `count` pages through `fd`, with a sync now and then.
  void RewritePages(Process& process, Process::Fd fd, int count) {
    for (int i = 0; i < count; ++i) {
      random_ = random_ * 6364136223846793005U + 1442695040888963407U;
      const std::size_t page = (random_ >> 33) % (bytes_.size() / kPageBytes);
      Stamp(page, random_);
      const std::string_view changed =
          std::string_view(bytes_).substr(page * kPageBytes, kPageBytes);
      ASSERT_THAT(process.Pwrite(fd, AsBytes(changed), page * kPageBytes),
                  IsOkAndHolds(kPageBytes));
      const bool sync = i % 100 == 0;
      ASSERT_THAT(sync ? process.Fsync(fd, SyncMode::kData) : Result<void>(), IsOk());
    }
  }
  void Resize(Process& process, Process::Fd fd, std::size_t pages) {
    bytes_.resize(pages * kPageBytes, '\0');
    ASSERT_THAT(process.Ftruncate(fd, bytes_.size()), IsOk());
  }

 private:
  void Stamp(std::size_t page, std::uint64_t value) {
    const std::string word = std::to_string(value) + ';';
    for (std::size_t at = 0; at + word.size() <= kPageBytes; at += 512) {
      bytes_.replace(page * kPageBytes + at, word.size(), word);
    }
  }

  std::string bytes_;
  std::uint64_t random_ = 475;
};

// 14: pages of a database that was copied up were lost. The original had 90 MB; this has 20.
TEST(OverlayHistory, F_475_ADatabaseRewrittenInPagesIsWhatWasWritten) {
  Database database;
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/db", database.bytes());
  const std::string original = database.bytes();
  stack.Mount();
  {
    Process& process = stack.process();
    const Process::Fd reader = *process.Open("/db", {}, 0);
    const Process::Fd fd = *process.Open("/db", {.access = Access::kReadWrite}, 0);
    database.RewritePages(process, fd, 1500);
    database.Resize(process, fd, 3000);
    database.RewritePages(process, fd, 500);
    database.Resize(process, fd, 4000);
    database.RewritePages(process, fd, 500);
    EXPECT_TRUE(*process.ReadFile("/db") == database.bytes());
    EXPECT_EQ(process.Fstat(reader)->size_bytes, database.bytes().size());
    ASSERT_THAT(process.Close(fd), IsOk());
    ASSERT_THAT(process.Close(reader), IsOk());
  }
  stack.Mount();
  Process& process = stack.process();
  const Process::Fd fd = *process.Open("/db", {}, 0);
  const Result<Mapping> mapping =
      process.Mmap(fd, database.bytes().size(), MapSharing::kShared, false);
  ASSERT_THAT(mapping, IsOk());
  const Result<std::string> mapped = process.ReadMapping(*mapping, 0, database.bytes().size());
  ASSERT_THAT(mapped, IsOk());
  EXPECT_TRUE(*mapped == database.bytes());
  EXPECT_TRUE(*stack.OnHome()->ReadFile("/upper/db") == database.bytes());
  EXPECT_TRUE(*stack.OnLower(0)->ReadFile("/db") == original);
}

}  // namespace
}  // namespace lamina::testing
