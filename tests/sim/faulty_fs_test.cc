#include "lamina/sim/faulty_fs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/store/paged_bytes.h"

namespace lamina::sim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Credentials& Root() {
  static const Credentials root = RootCredentials();
  return root;
}

// A process on a MemFs with a FaultyFs in between.
class FaultyFsTest : public testing::Test {
 protected:
  FaultyFsTest() {
    process_.set_umask(0);
    Put("/f", "0123456789");
  }

  void Put(std::string_view path, std::string_view content) {
    Result<Process::Fd> fd = process_.Open(path, {.access = Access::kWrite, .create = true}, 0644);
    ASSERT_TRUE(fd.ok());
    ASSERT_TRUE(process_.Pwrite(*fd, AsBytes(content), 0).ok());
    ASSERT_TRUE(process_.Close(*fd).ok());
  }
  Result<std::size_t> Write(std::string_view path, std::string_view content) {
    Result<Process::Fd> fd = process_.Open(path, {.access = Access::kWrite}, 0);
    if (!fd.ok()) return fd.error();
    Result<std::size_t> wrote = process_.Pwrite(*fd, AsBytes(content), 0);
    EXPECT_TRUE(process_.Close(*fd).ok());
    return wrote;
  }
  OpContext Op_() const { return {Root(), clock_.now(), Probe()}; }

  Clock clock_;
  MemFs fs_;
  FaultPlan plan_{{.clock = &clock_}};
  FaultyFs faulty_{fs_, plan_, {FaultSite::Kind::kBranch, "disk"}, fs_.root()};
  Process process_{faulty_, faulty_.root(), {.clock = &clock_}};
};

// ── Which calls ────────────────────────────────────────────────────────────────────────────────

TEST_F(FaultyFsTest, WithoutFaultsPassesEverythingOn) {
  EXPECT_EQ(*process_.ReadFile("/f"), "0123456789");
  EXPECT_THAT(plan_.fired(), IsEmpty());
}

TEST_F(FaultyFsTest, AfterLetsCallsPassAndTimesEndsIt) {
  plan_.Add(Fault::On(Op::kChmod).After(1).Times(2).Fail(EDQUOT));
  EXPECT_TRUE(process_.Chmod("/f", 0600).ok());
  EXPECT_EQ(process_.Chmod("/f", 0601).error(), Errno::kDQuot);
  EXPECT_EQ(process_.Chmod("/f", 0602).error(), Errno::kDQuot);
  EXPECT_EQ(process_.GetStat("/f", LastLink::kKeep)->mode, 0600);
  EXPECT_TRUE(process_.Chmod("/f", 0603).ok());
}

TEST_F(FaultyFsTest, WithoutTimesGoesOnForEver) {
  plan_.Add(Fault::On(Op::kUnlink).Fail(Errno::kIo));
  EXPECT_EQ(process_.Unlink("/f").error(), Errno::kIo);
  EXPECT_EQ(process_.Unlink("/f").error(), Errno::kIo);
}

TEST_F(FaultyFsTest, APathIsAPatternThatStopsAtSlashes) {
  ASSERT_TRUE(process_.Mkdir("/d", 0755).ok());
  Put("/d/a", "");
  plan_.Add(Fault::On(Op::kChmod).Path("/*").Fail(EIO));
  EXPECT_EQ(process_.Chmod("/f", 0600).error(), Errno::kIo);
  EXPECT_TRUE(process_.Chmod("/d/a", 0600).ok());
  plan_.Add(Fault::On(Op::kChmod).Path("/d/[ab]").Fail(ENOSPC));
  EXPECT_EQ(process_.Chmod("/d/a", 0600).error(), Errno::kNoSpc);
}

TEST_F(FaultyFsTest, APathFollowsARename) {
  ASSERT_TRUE(process_.Mkdir("/d", 0755).ok());
  Put("/d/a", "");
  Result<Process::Fd> fd = process_.Open("/d/a", {}, 0);
  ASSERT_TRUE(process_.Rename("/d", "/e", RenameMode::kReplace).ok());
  plan_.Add(Fault::On(Op::kChmod).Path("/e/a").Fail(EIO));
  EXPECT_EQ(process_.Fchmod(*fd, 0600).error(), Errno::kIo);
  EXPECT_EQ(plan_.fired().front().ToString(), "chmod of /e/a at disk");
}

TEST_F(FaultyFsTest, OneAttributeCallCanBeSeveralOps) {
  plan_.Add(Fault::On(Op::kUtimens).Fail(EIO));
  const Result<NodeId> node = fs_.Lookup(Op_(), {fs_.root(), "f"});
  const AttrChange change{.mode = 0600, .mtime = Instant{5}};
  EXPECT_EQ(faulty_.SetAttr(Op_(), *node, change).error(), Errno::kIo);
  EXPECT_EQ(plan_.fired().front().ops.ToString(), "chmod+utimens");
  EXPECT_TRUE(faulty_.SetAttr(Op_(), *node, {.mode = 0600}).ok());
}

TEST_F(FaultyFsTest, CountsEveryChangeAndNoReading) {
  const std::uint64_t before = faulty_.changes();
  plan_.Add(Fault::On(Op::kAnyChange).After(2).Fail(EIO));
  ASSERT_TRUE(process_.ReadFile("/f").ok());
  ASSERT_TRUE(process_.Mkdir("/d", 0755).ok());
  ASSERT_TRUE(process_.Setxattr("/d", "user.k", "v", XattrMode::kSet, LastLink::kKeep).ok());
  EXPECT_EQ(process_.Rmdir("/d").error(), Errno::kIo);
  EXPECT_EQ(faulty_.changes(), before + 3);
}

TEST_F(FaultyFsTest, KnowsWhichOpsChangeSomething) {
  EXPECT_TRUE(OpSet({Op::kReflink}).changes());
  EXPECT_TRUE(OpSet({Op::kCreate}).changes());
  EXPECT_FALSE(OpSet({Op::kFsync, Op::kOpen, Op::kLookup}).changes());
  EXPECT_TRUE(OpSet({Op::kOpen, Op::kTruncate}).Has(Op::kAnyChange));
  EXPECT_FALSE(OpSet({Op::kOpen}).Has(Op::kAnyChange));
  EXPECT_FALSE(OpSet({}).Has(Op::kAny));
}

// ── Effects ────────────────────────────────────────────────────────────────────────────────────

TEST_F(FaultyFsTest, AShortWriteWritesItsBeginning) {
  plan_.Add(Fault::On(Op::kPwrite).Path("/f").Times(1).ShortWrite(3));
  EXPECT_EQ(*Write("/f", "abcdef"), 3u);
  EXPECT_EQ(*process_.ReadFile("/f"), "abc3456789");
  EXPECT_EQ(*Write("/f", "abcdef"), 6u);
}

TEST_F(FaultyFsTest, ADelayMovesTheClock) {
  plan_.Add(Fault::On(Op::kFsync).Delay(Duration{7'000'000}));
  Result<Process::Fd> fd = process_.Open("/f", {}, 0);
  const Instant before = clock_.now();
  ASSERT_TRUE(process_.Fsync(*fd, SyncMode::kAll).ok());
  EXPECT_EQ(clock_.now().virtual_ns - before.virtual_ns, 7'001'000);  // and a tick for the call
}

TEST_F(FaultyFsTest, ADroppedCallSaysItWasDone) {
  plan_.Add(Fault::On(Op::kUnlink).Times(1).Drop());
  plan_.Add(Fault::On(Op::kPwrite).Times(1).Drop());
  EXPECT_TRUE(process_.Unlink("/f").ok());
  EXPECT_EQ(*Write("/f", "lost"), 4u);
  EXPECT_EQ(*process_.ReadFile("/f"), "0123456789");
}

TEST_F(FaultyFsTest, ACallThatGivesSomethingBackIsNotDropped) {
  plan_.Add(Fault::On(Op::kAnyChange).Drop());
  EXPECT_TRUE(process_.Mkdir("/d", 0755).ok());
  EXPECT_TRUE(process_.GetStat("/d", LastLink::kKeep).ok());
  EXPECT_THAT(plan_.fired(), IsEmpty());
}

TEST_F(FaultyFsTest, ACrashEndsEveryChange) {
  plan_.Add(Fault::On(Op::kMkdir).Crash());
  EXPECT_EQ(process_.Mkdir("/d", 0755).error(), Errno::kIo);
  EXPECT_TRUE(plan_.crashed());
  EXPECT_EQ(process_.Chmod("/f", 0600).error(), Errno::kIo);
  EXPECT_EQ(Write("/f", "x").error(), Errno::kIo);
  plan_.Clear();
  EXPECT_EQ(process_.Unlink("/f").error(), Errno::kIo);
  EXPECT_EQ(*process_.ReadFile("/f"), "0123456789");
  EXPECT_EQ(process_.GetStat("/f", LastLink::kKeep)->mode, 0644);
}

TEST_F(FaultyFsTest, TheImageIsTakenBeforeAnybodyNoticesTheCrash) {
  MemFs::Image image;
  int captures = 0;
  plan_.OnCrash([&] {
    image = fs_.Capture();
    ++captures;
  });
  ASSERT_TRUE(process_.Chmod("/f", 0600).ok());
  plan_.Add(Fault::On(Op::kUnlink).Crash());
  EXPECT_FALSE(process_.Unlink("/f").ok());
  plan_.Crash();
  EXPECT_EQ(captures, 1);
  ASSERT_TRUE(fs_.Remove(Op_(), {fs_.root(), "f"}, FileType::kRegular).ok());
  fs_.Restore(image);
  Process after(fs_, fs_.root(), {.clock = &clock_});
  EXPECT_EQ(after.GetStat("/f", LastLink::kKeep)->mode, 0600);
}

TEST_F(FaultyFsTest, TheFirstFaultThatEndsTheCallDecides) {
  plan_.Add(Fault::On(Op::kPwrite).Fail(ENOSPC));
  plan_.Add(Fault::On(Op::kPwrite).Fail(EIO));
  EXPECT_EQ(Write("/f", "x").error(), Errno::kNoSpc);
  EXPECT_THAT(plan_.Unfired(), ElementsAre("pwrite: fails with EIO"));
}

class Events final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    if (event.kind == EventKind::kFaultInjected) errors.push_back(event.detail);
  }
  std::vector<std::uint64_t> errors;
};

TEST_F(FaultyFsTest, AFaultIsAnEvent) {
  Events events;
  process_.set_sink(&events);
  plan_.Add(Fault::On(Op::kChmod).Fail(ENOSPC));
  EXPECT_FALSE(process_.Chmod("/f", 0600).ok());
  EXPECT_THAT(events.errors, ElementsAre(static_cast<std::uint64_t>(ENOSPC)));
}

// ── Bodies that are adopted ────────────────────────────────────────────────────────────────────

class AdoptedBody : public FaultyFsTest {
 protected:
  // Data in the first and the last page, a hole in between.
  std::shared_ptr<const PagedBytes> Content(std::uint64_t first_bytes, std::uint64_t hole_bytes) {
    PagedBytes content;
    content.Write(0, AsBytes(std::string(first_bytes, 'x')));
    content.Resize(first_bytes + hole_bytes);
    content.Write(first_bytes + hole_bytes, AsBytes("y"));
    return std::make_shared<const PagedBytes>(std::move(content));
  }
  Result<void> Adopt(const std::shared_ptr<const PagedBytes>& content) {
    Result<Opened> file =
        faulty_.CreateUnnamed(Op_(), fs_.root(), {.mode = 0600}, {.access = Access::kReadWrite});
    EXPECT_TRUE(file.ok());
    Result<void> adopted = faulty_.AdoptContent(Op_(), file->handle, content);
    faulty_.Close(file->handle);
    return adopted;
  }
};

TEST_F(AdoptedBody, CountsOneWriteForEachPipeful) {
  const std::uint64_t before = faulty_.changes();
  ASSERT_TRUE(Adopt(Content(3 * kCopyPieceBytes, 1 << 20)).ok());
  EXPECT_EQ(faulty_.changes() - before, 1u + 3u + 1u);  // the file, its data, the last page
}

TEST_F(AdoptedBody, FailsAtAnyPiece) {
  plan_.Add(Fault::On(Op::kPwrite).After(3).Times(1).Fail(ENOSPC));
  EXPECT_EQ(Adopt(Content(3 * kCopyPieceBytes, 1 << 20)).error(), Errno::kNoSpc);
  EXPECT_TRUE(Adopt(Content(3 * kCopyPieceBytes, 1 << 20)).ok());
}

TEST_F(AdoptedBody, WithoutDataIsOneWrite) {
  plan_.Add(Fault::On(Op::kPwrite).Fail(ENOSPC));
  auto empty = std::make_shared<PagedBytes>();
  empty->Resize(1 << 30);
  EXPECT_EQ(Adopt(empty).error(), Errno::kNoSpc);
}

// ── Two places ─────────────────────────────────────────────────────────────────────────────────

// The same plan above a mount and below it; here the mount is the file system itself.
class TwoPlaces : public testing::Test {
 protected:
  TwoPlaces() { process_.set_umask(0); }
  void MakeFile() {
    Result<Process::Fd> fd = process_.Open("/f", {.access = Access::kWrite, .create = true}, 0644);
    ASSERT_TRUE(fd.ok());
    ASSERT_TRUE(process_.Close(*fd).ok());
  }

  Clock clock_;
  MemFs fs_;
  FaultPlan plan_{{.clock = &clock_, .only_inside_mount_calls = true}};
  FaultyFs branch_{fs_, plan_, {FaultSite::Kind::kBranch, "disk"}, fs_.root()};
  FaultyFs mount_{branch_, plan_, {FaultSite::Kind::kMount, "mount"}, fs_.root()};
  Process process_{mount_, mount_.root(), {.clock = &clock_}};
};

TEST_F(TwoPlaces, ACallIsCountedAtTheOutermost) {
  MakeFile();
  plan_.Add(Fault::On(Op::kChmod).After(1).Fail(EIO));
  EXPECT_TRUE(process_.Chmod("/f", 0600).ok());
  EXPECT_EQ(process_.Chmod("/f", 0601).error(), Errno::kIo);
  EXPECT_EQ(plan_.fired().front().site.kind, FaultSite::Kind::kMount);
}

TEST_F(TwoPlaces, APlaceCanBeChosen) {
  MakeFile();
  plan_.Add(Fault::On(Op::kChmod).AtBranch("disk").Fail(ENOSPC));
  plan_.Add(Fault::On(Op::kChmod).AtBranch("other").Fail(EIO));
  plan_.Add(Fault::On(Op::kUnlink).AtMount().Fail(EIO));
  EXPECT_EQ(process_.Chmod("/f", 0600).error(), Errno::kNoSpc);
  EXPECT_EQ(process_.Unlink("/f").error(), Errno::kIo);
  EXPECT_EQ(plan_.fired().back().ToString(), "unlink of /f at the mount");
  EXPECT_THAT(plan_.Unfired(), ElementsAre("chmod at other: fails with EIO"));
}

TEST_F(TwoPlaces, WhatIsDoneOnBehalfOfAPathMatchesIt) {
  MakeFile();
  // Nothing of the branch call tells /f; the call on the mount around it does.
  plan_.Add(Fault::On(Op::kTmpfile).AtBranch("disk").Path("/dir").Fail(EIO));
  ASSERT_TRUE(process_.Mkdir("/dir", 0755).ok());
  const OpenHow how{.access = Access::kWrite, .unnamed = true};
  EXPECT_EQ(process_.Open("/dir", how, 0600).error(), Errno::kIo);
  EXPECT_TRUE(process_.Open("/", how, 0600).ok());
}

TEST_F(TwoPlaces, WhoReadsTheBranchDirectlyMeetsNoFault) {
  MakeFile();
  plan_.Add(Fault::On(Op::kLookup).Fail(EIO));
  const OpContext op{Root(), clock_.now(), Probe()};
  EXPECT_TRUE(branch_.Lookup(op, {fs_.root(), "f"}).ok());
  EXPECT_EQ(mount_.Lookup(op, {fs_.root(), "f"}).error(), Errno::kIo);
}

// ── Words ──────────────────────────────────────────────────────────────────────────────────────

TEST(FaultText, SaysTheWholeRule) {
  EXPECT_EQ(Fault::On(Op::kPwrite)
                .Path("/big")
                .AtBranch("upper")
                .After(3)
                .Times(1)
                .Fail(ENOSPC)
                .ToString(),
            "pwrite of /big at upper, after 3, 1 time: fails with ENOSPC");
  EXPECT_EQ(Fault::On(Op::kPwrite).Times(2).ShortWrite(9).ToString(),
            "pwrite, 2 times: writes 9 B at most");
  EXPECT_EQ(Fault::On(Op::kAnyChange).AtMount().Crash().ToString(),
            "any change at the mount: crashes");
  EXPECT_EQ(Fault::On(Op::kAny).Delay(Duration{5}).ToString(), "any call: takes 5 ns");
  EXPECT_EQ(Fault::On(Op::kFsync).Drop().ToString(), "fsync: is dropped");
}

TEST(FaultMistakes, AreFound) {
  EXPECT_EQ(Fault::On(Op::kPwrite).Fail(ENOSPC).Mistake(), std::nullopt);
  EXPECT_EQ(Fault::On(Op::kPwrite).Fail(9999).Mistake(), "9999 is no errno of lamina");
  EXPECT_EQ(Fault::On(Op::kChmod).ShortWrite(1).Mistake(), "a chmod cannot be cut short");
  EXPECT_EQ(Fault::On(Op::kPwrite).ShortWrite(0).Mistake(),
            "a short write writes at least one byte");
  EXPECT_EQ(Fault::On(Op::kMkdir).Drop().Mistake(),
            "a mkdir gives something back and cannot be dropped");
  EXPECT_EQ(Fault::On(Op::kMkdir).Times(0).Crash().Mistake(), "a fault of 0 times hits nothing");
}

}  // namespace
}  // namespace lamina::sim
