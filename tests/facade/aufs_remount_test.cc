// What happens to an AUFS while it is mounted: branches that come and go, options, time.
#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr UnionDialect kAufs = UnionDialect::kAufs;

FsPtr Small(std::string_view text = "") {
  return Stack()
      .Push(NamedLayer("base").File("/a", "base").File("/b", "base"))
      .Push(NamedLayer("app").File("/a", "app"))
      .MountOrDie({.dialect = kAufs, .aufs_text = std::string(text)});
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(Remount, AddsALayerWhereItIsTold) {
  FsPtr fs = Small();
  const NamedLayer patch = NamedLayer("patch").File("/a", "patch").Whiteout("/b");
  ASSERT_THAT(fs->Remount("add:1:patch=ro+wh", {patch}), IsOk());
  EXPECT_THAT(fs->LayerNames(), ElementsAre("upper", "patch", "app", "base"));
  EXPECT_THAT(*fs, Shows("/a \"patch\""));
  EXPECT_THAT(fs->calls(), ::testing::SizeIs(1));
  EXPECT_EQ(fs->calls().front().text, "Remount(\"add:1:patch=ro+wh\")");
}

TEST(Remount, TakesALayerAwayAndBack) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Remount("del:app"), IsOk());
  EXPECT_THAT(fs->LayerNames(), ElementsAre("upper", "base"));
  EXPECT_THAT(*fs, HasFile("/a", "base"));
  EXPECT_THAT(fs->Layer("app"), HasFile("/a", "app"));  // its content is untouched
  ASSERT_THAT(fs->Remount("append:app"), IsOk());
  EXPECT_THAT(fs->LayerNames(), ElementsAre("upper", "base", "app"));
  EXPECT_THAT(*fs, HasFile("/a", "base"));
}

TEST(Remount, GoesFromLeftToRightAndKeepsWhatWasDone) {
  FsPtr fs = Small();
  EXPECT_THAT(fs->Remount("del:app,add:7:app=ro,del:base"), HasErrno(EDOM));
  EXPECT_THAT(fs->LayerNames(), ElementsAre("upper", "base"));
}

TEST(Remount, ANewWritableLayerTakesTheWrites) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->WriteFile("/old", "1"), IsOk());
  ASSERT_THAT(fs->Remount("prepend:fresh,mod:upper=ro+wh", {NamedLayer("fresh")}), IsOk());
  ASSERT_THAT(fs->WriteFile("/new", "2"), IsOk());
  ASSERT_THAT(fs->Unlink("/old"), IsOk());
  EXPECT_THAT(*fs, BranchHolds("fresh", "/new \"2\"\n/old whiteout"));
  EXPECT_THAT(fs->Layer("upper").AllPaths(), IsOkAndHolds(ElementsAre("/old")));
  EXPECT_THAT(fs->Diff(), HasChanges(Added("/new"), Deleted("/old")));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

TEST(Remount, SetsOptions) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Remount("create=mfs:5,dirwh=9"), IsOk());
  EXPECT_EQ(FormatAufsOptions(AufsOptionsOf(fs->union_fs())), "create=mfs:5,dirwh=9");
  ASSERT_THAT(fs->Remount("ro"), IsOk());
  EXPECT_THAT(fs->WriteFile("/x", ""), HasErrno(EROFS));
  EXPECT_THAT(fs->Remount("rw"), StatusIs(absl::StatusCode::kUnimplemented));
}

TEST(Remount, ABusyLayerStays) {
  FsPtr fs = Small();
  absl::StatusOr<Fd> open = fs->Open("/a", O_RDONLY);
  const absl::Status refused = fs->Remount("del:app");
  EXPECT_THAT(refused, HasErrno(EBUSY));
  EXPECT_EQ(Message(refused),
            "remount(\"del:app\"): Device or resource busy [EBUSY]: an open file "
            "is in the layer, or it is the last one");
  ASSERT_THAT(open->Close(), IsOk());
  EXPECT_THAT(fs->Remount("del:app"), IsOk());
}

TEST(Remount, SaysWhatItDoesNotKnow) {
  FsPtr fs = Small();
  EXPECT_THAT(Message(fs->Remount("add:1:none=ro")),
              HasSubstr("[EINVAL]: there is no layer \"none\""));
  EXPECT_THAT(Message(fs->Remount("del:none,bogus")), HasSubstr("\"bogus\" is no option"));
  EXPECT_THAT(Message(fs->Remount("mod:app=rw")),
              HasSubstr("a layer that was made to be read cannot be rw"));
  EXPECT_THAT(fs->Remount("add:9:app=ro"), IsOk());  // it is a branch already: nothing is done
}

TEST(Remount, ChecksNewLayers) {
  FsPtr fs = Small();
  EXPECT_THAT(
      fs->Remount("append:app", {NamedLayer("app")}),
      StatusIs(absl::StatusCode::kInvalidArgument, "the mount has a layer \"app\" already"));
  EXPECT_THAT(fs->Remount("append:x", {NamedLayer("x").Dir("relative")}), HasErrno(EINVAL));
  EXPECT_THAT(fs->Remount("append:x", {NamedLayer("x").Dir("/d")}), IsOk());
  EXPECT_THAT(*fs, HasDir("/d"));
}

TEST(Remount, AnOverlayHasNone) {
  FsPtr fs = Overlay({});
  EXPECT_THAT(fs->Remount("del:lower"), StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(fs->FlushPseudoLinks(), StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(fs->RunDeferred(), IsOk());
}

TEST(Remount, MeetsFaults) {
  FsPtr fs = Small();
  const std::vector<NamedLayer> fresh = {NamedLayer("fresh")};
  ASSERT_THAT(fs->Remount("append:app", fresh), IsOk());  // now it has a name
  fs->Inject(Fault::On(Op::kMkdir).AtBranch("upper").Fail(EIO));
  ASSERT_THAT(fs->Remount("mod:upper=ro"), IsOk());
  const absl::Status refused = fs->Remount("mod:upper=rw");
  EXPECT_THAT(refused, HasErrno(EINVAL));
  EXPECT_THAT(Message(refused), HasSubstr("an injected fault hit mkdir of /.wh..wh.plnk at upper"));
  EXPECT_THAT(fs->VerifyAllFaultsFired(), IsOk());
}

TEST(Remount, IsKeptOverACrash) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Remount("prepend:fresh=rw,del:app,dirwh=9", {NamedLayer("fresh")}), IsOk());
  ASSERT_THAT(fs->WriteFile("/new", "1"), IsOk());
  const CrashImage image = fs->Crash();
  EXPECT_THAT(fs->Remount("append:app"), HasErrno(EIO));
  FsPtr next = *Reopen(image);
  EXPECT_THAT(next->LayerNames(), ElementsAre("fresh", "upper", "base"));
  EXPECT_THAT(next->Layer("fresh"), HasFile("/new", "1"));
  EXPECT_EQ(AufsOptionsOf(next->union_fs()).dirwh, 9u);
  ASSERT_THAT(next->WriteFile("/new", "2"), IsOk());
  EXPECT_THAT(*fs, HasFile("/new", "1"));  // each mount has its layers for itself
  EXPECT_THAT(next->Remount("append:app=ro"), IsOk());
}

// ── Deferred removals, time ────────────────────────────────────────────────────────────────────

FsPtr WithFullDirectory() {
  return Aufs({.lower = {Tree(R"(
      /d/
        1 ""
        2 ""
        3 ""
        4 ""
  )")}});
}

TEST(Deferred, ADirectoryOfManyWhiteoutsIsEmptiedLater) {
  FsPtr fs = WithFullDirectory();
  ASSERT_THAT(fs->RemoveAll("/d"), IsOk());
  EXPECT_THAT(*fs, HasNoEntry("/d"));
  EXPECT_THAT(fs->Layer("upper").AllPaths(), IsOkAndHolds(::testing::SizeIs(9)));
  EXPECT_THAT(fs->Layer("upper"), IsWhiteout("/d"));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());  // it is still to be done
  ASSERT_THAT(fs->RunDeferred(), IsOk());
  EXPECT_THAT(*fs, BranchHolds("upper", "/d whiteout"));
}

TEST(Deferred, TimeDoesIt) {
  FsPtr fs = WithFullDirectory();
  ASSERT_THAT(fs->RemoveAll("/d"), IsOk());
  ASSERT_THAT(fs->Sleep(Duration{kNanosecondsPerSecond}), IsOk());
  EXPECT_THAT(*fs, BranchHolds("upper", "/d whiteout"));
}

TEST(Deferred, AFaultLeavesItAndTheInvariantsNameIt) {
  FsPtr fs = WithFullDirectory();
  ASSERT_THAT(fs->RemoveAll("/d"), IsOk());
  fs->Inject(Fault::On(Op::kUnlink).AtBranch("upper").After(2).Times(1).Fail(EIO));
  EXPECT_THAT(fs->RunDeferred(), HasErrno(EIO));
  EXPECT_THAT(fs->CheckInvariants(),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("temporary \"/.wh..wh.d.")));
  EXPECT_THAT(*fs, HasNoEntry("/d"));
}

TEST(Deferred, FiguresOfFreeSpaceAgeWithTime) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("spare"))
                 .MountOrDie({.dialect = kAufs,
                              .capacity = 10 << 20,
                              .aufs_text = "create=mfs:60",
                              .aufs_modes = {{"spare", "rw"}}});
  ASSERT_THAT(fs->WriteFile("/1", std::string(1 << 20, 'x')), IsOk());
  ASSERT_THAT(fs->WriteFile("/2", ""), IsOk());
  EXPECT_THAT(*fs, ComesFrom("/2", "spare"));  // still believed to be as free as the other
  ASSERT_THAT(fs->Sleep(Duration{61 * kNanosecondsPerSecond}), IsOk());
  ASSERT_THAT(fs->WriteFile("/3", ""), IsOk());
  EXPECT_THAT(*fs, ComesFrom("/3", "upper"));
}

}  // namespace
}  // namespace lamina::testing
