#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

MountOptions AufsWith(std::string_view text) {
  return {.dialect = UnionDialect::kAufs, .aufs_text = std::string(text)};
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

std::string MountError(const MountOptions& options) {
  const absl::StatusOr<FsPtr> fs = Stack().Push(NamedLayer("base")).Mount(options);
  return fs.ok() ? "mounted" : Message(fs.status());
}

// ── What the course text says about AUFS ───────────────────────────────────────────────────────

TEST(CourseText, A1_ReadingFindsTheFirstOneFromTheTopDownwards) {
  FsPtr fs = Aufs({.lower = {Tree(R"(
                       /top     "1"
                       /middle  "1"
                   )"),
                             Tree(R"(
                       /top     "2"
                       /middle  "2"
                       /bottom  "2"
                   )")},
                   .upper = Tree("/top \"upper\"")});
  EXPECT_THAT(fs->ReadFile("/top"), IsOkAndHolds("upper"));
  EXPECT_THAT(fs->ReadFile("/middle"), IsOkAndHolds("1"));
  EXPECT_THAT(fs->ReadFile("/bottom"), IsOkAndHolds("2"));
  EXPECT_THAT(fs->ReadFile("/nowhere"), HasErrno(ENOENT));
}

TEST(CourseText, A2_WritingWhatIsAbsentCreatesItInTheReadWriteLayer) {
  FsPtr fs = Aufs({.lower = {Tree("/etc/hosts \"image\"")}});
  ASSERT_THAT(fs->WriteFile("/A", "new"), IsOk());
  EXPECT_THAT(*fs, ComesFrom("/A", "upper"));
  EXPECT_THAT(*fs, BranchHolds("upper", "/A \"new\""));
}

TEST(CourseText, A3_WritingWhatIsBelowCopiesItUpAndChangesTheCopy) {
  FsPtr fs = Aufs({.lower = {Tree("/A \"hello\""), Tree("/A \"other\"")}});
  ASSERT_THAT(fs->AppendFile("/A", "!"), IsOk());
  EXPECT_THAT(*fs, IsCopiedUp("/A"));
  EXPECT_EQ(fs->counters().copy_ups, 1u);
  EXPECT_THAT(*fs, BranchHolds("upper", "/A \"hello!\""));
  EXPECT_THAT(*fs, BranchHolds("lower1", "/A \"hello\""));
  EXPECT_THAT(*(*Reopen(fs->Crash())), HasFile("/A", "hello!"));
}

TEST(CourseText, A4_DeletingWhatIsOnlyInTheReadWriteLayerReallyDeletesIt) {
  FsPtr fs = Aufs({.lower = {Tree("/B \"image\"")}, .upper = Tree("/A \"own\"")});
  ASSERT_THAT(fs->Unlink("/A"), IsOk());
  EXPECT_THAT(*fs, BranchHolds("upper", ""));
  EXPECT_THAT(fs->Layer("upper"), HasNoEntry("/.wh.A"));
}

TEST(CourseText, A5_DeletingWhatIsBelowLeavesAWhiteoutAndTheFileBelow) {
  FsPtr fs = Aufs({.lower = {Tree("/A \"image\"")}, .upper = Tree("/A \"own\"")});
  ASSERT_THAT(fs->Unlink("/A"), IsOk());
  EXPECT_THAT(*fs, HasNoEntry("/A"));
  EXPECT_THAT(fs->Layer("upper"), IsWhiteout("/A"));
  EXPECT_THAT(fs->Layer("upper"), HasFile("/.wh.A", ""));
  EXPECT_THAT(fs->Layer("lower"), HasFile("/A", "image"));
}

TEST(CourseText, A6_CreatingOverAWhiteoutRemovesIt) {
  FsPtr fs = Aufs({.lower = {Tree("/A \"image\"")}, .upper = Tree("/A whiteout")});
  ASSERT_THAT(fs->WriteFile("/A", "new"), IsOk());
  EXPECT_THAT(*fs, BranchHolds("upper", "/A \"new\""));
  EXPECT_THAT(*fs, HasFile("/A", "new"));
}

TEST(CourseText, A7_CreatingOtherwiseIsDirectlyInTheReadWriteLayer) {
  FsPtr fs = Aufs({.lower = {Tree("/B \"image\"")}});
  ASSERT_THAT(fs->Mkdir("/A"), IsOk());
  EXPECT_THAT(*fs, BranchHolds("upper", "/A/"));
}

TEST(CourseText, A8_TheReadOnlyLayersAreTheImageAndTheWritableOneIsTheContainer) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("image/1").File("/bin/sh", "#!"))
                 .Push(NamedLayer("image/2").File("/srv/app", "v1"))
                 .MountOrDie({.dialect = UnionDialect::kAufs});
  ASSERT_THAT(fs->WriteFile("/srv/app", "v2"), IsOk());
  EXPECT_THAT(fs->LayerNames(), ElementsAre("upper", "image/2", "image/1"));
  EXPECT_THAT(fs->Layer("image/2"), HasFile("/srv/app", "v1"));
  EXPECT_EQ(FormatAufsMode(AufsModeOf(fs->union_fs(), 0)), "rw");
  EXPECT_EQ(FormatAufsMode(AufsModeOf(fs->union_fs(), 2)), "ro+wh");
}

// ── Mounting ───────────────────────────────────────────────────────────────────────────────────

TEST(AufsMounting, MakesTheBaseEntriesAndShowsThemInTheLayerOnly) {
  FsPtr fs = Aufs({});
  EXPECT_EQ(fs->dialect(), UnionDialect::kAufs);
  EXPECT_THAT(fs->ReadDir("/"), IsOkAndHolds(ElementsAre()));
  EXPECT_THAT(fs->Layer("upper").AllPaths(),
              IsOkAndHolds(ElementsAre("/.wh..wh.aufs", "/.wh..wh.orph", "/.wh..wh.plnk")));
  EXPECT_THAT(fs->Diff(), HasChanges());
  EXPECT_THAT(*fs, BranchHolds("upper", ""));
}

TEST(AufsMounting, TakesOptionsAsAValueAndAsText) {
  MountOptions options = AufsWith("dirwh=7,create=mfs:60");
  options.aufs.plink = false;
  FsPtr fs = Aufs({.options = options});
  EXPECT_EQ(FormatAufsOptions(AufsOptionsOf(fs->union_fs())), "create=mfs:60,dirwh=7,noplink");
  EXPECT_THAT(fs->Layer("upper"), HasNoEntry("/.wh..wh.plnk"));
}

TEST(AufsMounting, TakesTheModesOfLayers) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/f", "1"))
                 .Push(NamedLayer("app").Whiteout("/f"))
                 .MountOrDie({.dialect = UnionDialect::kAufs,
                              .aufs_modes = {{"app", "ro"}, {"upper", "rw+nolwh"}}});
  EXPECT_THAT(*fs, HasFile("/f", "1"));  // plain ro: its whiteouts do not count
  EXPECT_THAT(fs->Layer("upper"), HasNoEntry("/.wh..wh.aufs"));
  EXPECT_EQ(FormatAufsMode(AufsModeOf(fs->union_fs(), 1)), "ro");
}

TEST(AufsMounting, SeveralLayersMayBeWritable) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/d/f", "1"))
                 .Push(NamedLayer("spare").Dir("/d"))
                 .MountOrDie({.dialect = UnionDialect::kAufs,
                              .aufs = {.copy_up = AufsCopyUp::kBottomUp},
                              .aufs_modes = {{"spare", "rw"}}});
  ASSERT_THAT(fs->AppendFile("/d/f", "2"), IsOk());
  EXPECT_THAT(*fs, ComesFrom("/d/f", "spare"));
  EXPECT_THAT(*fs, IsCopiedUp("/d/f"));
  EXPECT_THAT(*fs, BranchHolds("upper", ""));
  EXPECT_THAT(*fs, BranchHolds("spare", "/d/\n  f \"12\""));
  EXPECT_THAT(fs->Diff(), HasChanges(Changed("/d"), Changed("/d/f")));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

TEST(AufsMounting, ARoundRobinTakesTurns) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("spare"))
                 .MountOrDie({.dialect = UnionDialect::kAufs,
                              .aufs_text = "create=rr",
                              .aufs_modes = {{"spare", "rw"}}});
  for (const std::string_view name : {"/1", "/2", "/3", "/4"}) {
    ASSERT_THAT(fs->WriteFile(name, ""), IsOk());
  }
  EXPECT_THAT(fs->Layer("upper"), ::testing::AnyOf(HasFile("/1"), HasFile("/2")));
  EXPECT_THAT(fs->Layer("spare"), ::testing::AnyOf(HasFile("/1"), HasFile("/2")));
  EXPECT_THAT(fs->Layer("upper"), ::testing::AnyOf(HasFile("/3"), HasFile("/4")));
  EXPECT_THAT(fs->Layer("spare"), ::testing::AnyOf(HasFile("/3"), HasFile("/4")));
}

TEST(AufsMounting, EveryWritableLayerHasTheCapacity) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("spare"))
                 .MountOrDie({.dialect = UnionDialect::kAufs,
                              .capacity = 1 << 20,
                              .aufs_text = "create=mfs:0",
                              .aufs_modes = {{"spare", "rw"}}});
  ASSERT_THAT(fs->WriteFile("/a", std::string(900 << 10, 'a')), IsOk());
  ASSERT_THAT(fs->WriteFile("/b", std::string(600 << 10, 'b')), IsOk());
  EXPECT_THAT(*fs, ComesFrom("/a", "spare"));  // as much is free: the lower branch
  EXPECT_THAT(*fs, ComesFrom("/b", "upper"));
  EXPECT_THAT(fs->WriteFile("/c", std::string(600 << 10, 'c')),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("each writable layer holds at most 1048576 bytes")));
}

TEST(AufsMounting, RefusesWhatCannotBeMeant) {
  EXPECT_EQ(MountError({.aufs_text = "create=rr"}),
            "options of AUFS for an overlay; set dialect to UnionDialect::kAufs");
  EXPECT_EQ(MountError({.aufs = {.sum = true}}),
            "options of AUFS for an overlay; set dialect to UnionDialect::kAufs");
  EXPECT_EQ(MountError({.dialect = UnionDialect::kAufs, .overlay = {.userxattr = true}}),
            "options of an overlay for AUFS");
  EXPECT_EQ(MountError(AufsWith("create=rr,index=on")),
            "mount: Invalid argument [EINVAL]: \"index=on\" is no option, or has no such value");
  EXPECT_EQ(MountError(AufsWith("br:upper=rw")),
            "aufs_text names a branch; the branches are the layers of the stack, and their modes "
            "are in aufs_modes");
  EXPECT_EQ(MountError({.dialect = UnionDialect::kAufs, .aufs_modes = {{"app", "ro"}}}),
            "aufs_modes names \"app\", which is no layer of the stack");
  EXPECT_EQ(MountError({.dialect = UnionDialect::kAufs, .aufs = {.rdcache_seconds = 4000}}),
            "AufsOptions: rdcache=4000 is out of range");
}

TEST(AufsMounting, MoreBranchesThanThereCanBeAreRefused) {
  Stack stack;
  for (int i = 0; i < 127; ++i) stack.Push(NamedLayer("layer" + std::to_string(i)));
  const absl::StatusOr<FsPtr> fs = stack.Mount({.dialect = UnionDialect::kAufs});
  EXPECT_THAT(fs, HasErrno(ENOSPC));
  EXPECT_THAT(Message(fs.status()), HasSubstr("128 branches; AUFS takes 127 (max_branches)"));
  EXPECT_THAT(stack.Mount(AufsWith("x-lamina.max-branches=511")), IsOk());
}

TEST(AufsMounting, AReadOnlyMountSaysWhyItRefuses) {
  FsPtr fs = Aufs({.lower = {Tree("/a \"1\"")}, .options = {.read_only = true}});
  EXPECT_THAT(fs->Unlink("/a"), HasErrno(EROFS));
  EXPECT_THAT(Message(fs->WriteFile("/a", "2")), HasSubstr("the mount is read-only"));
}

// ── Marks of layers ────────────────────────────────────────────────────────────────────────────

TEST(AufsMarks, OfLayersHaveTheFormOfAufs) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/a", "1").File("/d/x", "2"))
                 .Push(NamedLayer("top").Whiteout("/a").Opaque("/d").File("/d/y", "3"))
                 .MountOrDie({.dialect = UnionDialect::kAufs});
  EXPECT_THAT(*fs, Shows("/d/\n  y \"3\""));
  EXPECT_THAT(fs->Layer("top"), IsWhiteout("/a"));
  EXPECT_THAT(fs->Layer("top"), IsOpaqueDir("/d"));
  EXPECT_THAT(fs->Layer("top"), HasMode("/.wh.a", 0444));
  EXPECT_THAT(fs->Layer("top"), HasFile("/d/.wh..wh..opq", ""));
  EXPECT_THAT(*fs, BranchHolds("top", R"(
      /a    whiteout
      /d/   opaque
        y   "3"
  )"));
}

TEST(AufsMarks, ANameCannotBeWhitedOutAndMade) {
  const auto error = [](const NamedLayer& layer) {
    return Message(Stack().Push(layer).Mount({.dialect = UnionDialect::kAufs}).status());
  };
  EXPECT_EQ(error(NamedLayer("l").File("/a", "1").Whiteout("/a")),
            "layer \"l\": Whiteout(\"/a\"): File exists [EEXIST]");
  EXPECT_EQ(error(NamedLayer("l").Whiteout("/a").File("/a", "1")),
            "layer \"l\": File(\"/a\"): File exists [EEXIST]");
  EXPECT_EQ(error(NamedLayer("l").Whiteout("/a").File("/a/b", "1")),
            "layer \"l\": File(\"/a/b\"): Not a directory [ENOTDIR]");
}

TEST(AufsMarks, ADirectoryMadeAgainIsOpaque) {
  FsPtr fs = Aufs({.lower = {Tree("/d/x \"1\"")}});
  ASSERT_THAT(fs->RemoveAll("/d"), IsOk());
  EXPECT_THAT(*fs, BranchHolds("upper", "/d whiteout"));
  ASSERT_THAT(fs->Mkdir("/d"), IsOk());
  ASSERT_THAT(fs->WriteFile("/d/y", "2"), IsOk());
  EXPECT_THAT(*fs, BranchHolds("upper", "/d/ opaque\n  y \"2\""));
  EXPECT_THAT(*fs, Shows("/d/\n  y \"2\""));
}

TEST(AufsMarks, AnEntryBesideItsWhiteoutIsDrawnAsTheFilesThatTheyAre) {
  FsPtr fs = Aufs({.lower = {Tree("/f \"1\"")}, .upper = Tree("/f \"2\"\n/.wh.f \"\"")});
  EXPECT_THAT(*fs, BranchHolds("upper", "/f \"2\"\n/.wh.f \"\""));
  EXPECT_THAT(*fs, ::testing::Not(BranchHolds("upper", "/f \"2\"")));
  EXPECT_THAT(fs->Lstat("/f"), HasErrno(EIO));
}

TEST(AufsMarks, OfATarStayAsTheyStandThere) {
  // A ustar header for an empty file ".wh.f", and the end of the tar.
  std::string header(512, '\0');
  header.replace(0, 5, ".wh.f");
  header.replace(100, 7, "0000644");
  header.replace(108, 7, "0000000");
  header.replace(116, 7, "0000000");
  header.replace(124, 11, "00000000000");
  header.replace(136, 11, "00000000000");
  header.replace(148, 8, "        ");
  header[156] = '0';
  header.replace(257, 5, "ustar");
  header.replace(263, 2, "00");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  std::string digits = "000000";
  for (std::size_t i = 6; i-- > 0; sum /= 8) digits[i] = static_cast<char>('0' + sum % 8);
  header.replace(148, 6, digits);
  header[154] = '\0';
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/f", "1"))
                 .Push(LayerFromTar(header + std::string(1024, '\0'), "image"))
                 .MountOrDie({.dialect = UnionDialect::kAufs});
  EXPECT_THAT(*fs, HasNoEntry("/f"));
  EXPECT_THAT(fs->Layer("image"), HasFile("/.wh.f", ""));
}

// The same drawing and the same calls in both dialects: what is shown is the same, what is stored
// is drawn alike.
TEST(AufsMarks, DeletionsLookAlikeInBothDialects) {
  const auto act = [](LayeredFs& fs) {
    EXPECT_THAT(fs.Unlink("/etc/hosts"), IsOk());
    EXPECT_THAT(fs.RemoveAll("/srv"), IsOk());
    EXPECT_THAT(fs.Mkdir("/srv"), IsOk());
  };
  const StackDrawing drawing = {.lower = {Tree(R"(
      /etc/
        hosts  "1"
        motd   "2"
      /srv/
        app    "3"
  )")}};
  FsPtr overlay = Overlay(drawing);
  FsPtr aufs = Aufs(drawing);
  act(*overlay);
  act(*aufs);
  EXPECT_THAT(*aufs, SameTreeAs(*overlay));
  constexpr std::string_view kUpper = R"(
      /etc/
        hosts  whiteout
      /srv/    opaque
  )";
  EXPECT_THAT(*overlay, BranchHolds("upper", kUpper));
  EXPECT_THAT(*aufs, BranchHolds("upper", kUpper));
  EXPECT_EQ(overlay->Diff().value(), aufs->Diff().value());
}

// ── Calls ──────────────────────────────────────────────────────────────────────────────────────

TEST(AufsCalls, RefuseTheNamesOfAufs) {
  FsPtr fs = Aufs({});
  EXPECT_THAT(fs->WriteFile("/.wh.x", ""), HasErrno(EPERM));
  EXPECT_THAT(Message(fs->Mkdir("/.wh.")), HasSubstr("names that begin with .wh. are those of"));
  EXPECT_THAT(Message(fs->Lstat("/.wh..wh.aufs").status()), HasSubstr("/.wh..wh.aufs: names that"));
}

TEST(AufsCalls, RefuseNamesThatAreTooLongForAWhiteout) {
  FsPtr fs = Aufs({});
  EXPECT_THAT(fs->WriteFile('/' + std::string(242, 'n'), ""), IsOk());
  const absl::Status made = fs->WriteFile('/' + std::string(243, 'n'), "");
  EXPECT_THAT(made, HasErrno(ENAMETOOLONG));
  EXPECT_THAT(Message(made), HasSubstr("a name of 243 bytes; AUFS takes 242"));
}

TEST(AufsCalls, ARenameOfALowerDirectoryIsExplained) {
  FsPtr fs = Stack().Push(NamedLayer("image").File("/srv/a/f", "x")).MountOrDie(AufsWith(""));
  EXPECT_EQ(Message(fs->Rename("/srv/a", "/srv/b")),
            "rename(\"/srv/a\", \"/srv/b\"): Invalid cross-device link [EXDEV]: /srv/a is a "
            "directory from layer \"image\" (b1 ro+wh); AUFS moves none that shows a lower branch");
  EXPECT_THAT(Message(fs->Rename("/srv/a/f", "/f", RENAME_WHITEOUT)),
              HasSubstr("[EINVAL]: AUFS has no RENAME_WHITEOUT"));
}

TEST(AufsCalls, WithDirrenTheyMove) {
  FsPtr fs = Stack().Push(NamedLayer("image").File("/a/f", "x")).MountOrDie(AufsWith("dirren"));
  ASSERT_THAT(fs->Rename("/a", "/b"), IsOk());
  EXPECT_THAT(*fs, Shows("/b/\n  f \"x\""));
  EXPECT_THAT(*fs, BranchHolds("upper", "/a whiteout\n/b/"));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
  FsPtr next = *Reopen(fs->Crash());
  EXPECT_THAT(*next, Shows("/b/\n  f \"x\""));
}

TEST(AufsCalls, AWriteNeedsAWritableBranchAbove) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("spare"))
                 .Push(NamedLayer("base").File("/d/f", "1"))
                 .MountOrDie({.dialect = UnionDialect::kAufs,
                              .aufs_modes = {{"upper", "ro"}, {"spare", "rw"}}});
  EXPECT_THAT(fs->WriteFile("/new", ""), HasErrno(EROFS));
  EXPECT_THAT(Message(fs->AppendFile("/d/f", "2")),
              HasSubstr("neither layer \"base\" (b1 ro+wh) nor a branch above it is rw"));
}

TEST(AufsCalls, ADirectoryIsOpenToWhomEveryBranchLetsIn) {
  const StackDrawing drawing = {.lower = {Tree("/d/ 0700\n  f \"1\"")}, .upper = Tree("/d/")};
  FsPtr fs = Aufs(drawing);
  LayeredFs user = fs->As(UserCredentials(1000, 1000));
  const absl::Status listed = user.ReadDir("/d").status();
  EXPECT_THAT(listed, HasErrno(EACCES));
  EXPECT_THAT(Message(listed), HasSubstr("/d is 0700 0:0 in layer \"lower\" (b1 ro+wh); every "
                                         "branch must allow it (dirperm1: the topmost)"));
  StackDrawing relaxed = drawing;
  relaxed.options.aufs.dirperm1 = true;
  FsPtr open = Aufs(relaxed);
  EXPECT_THAT(open->As(UserCredentials(1000, 1000)).ReadDir("/d"), IsOk());
}

TEST(AufsCalls, DirectIoNeedsAnOption) {
  FsPtr fs = Aufs({.lower = {Tree("/f \"1\"")}});
  EXPECT_THAT(Message(fs->Open("/f", O_RDONLY | O_DIRECT).status()),
              HasSubstr("[EINVAL]: direct I/O needs AUFS's option dio"));
  FsPtr allowed = Aufs({.lower = {Tree("/f \"1\"")}, .options = AufsWith("dio")});
  EXPECT_THAT(allowed->Open("/f", O_RDONLY | O_DIRECT), IsOk());
}

TEST(AufsCalls, AnOpenFileFollowsTheCopyUp) {
  FsPtr fs = Aufs({.lower = {Tree("/f \"hello\"")}});
  absl::StatusOr<Fd> reader = fs->Open("/f", O_RDONLY);
  absl::StatusOr<Fd> writer = fs->Open("/f", O_RDWR);
  EXPECT_THAT(*fs, ComesFrom("/f", "lower"));  // not copied up by the open
  ASSERT_THAT(fs->Pwrite(*writer, "J", 0), IsOkAndHolds(1u));
  EXPECT_THAT(fs->Pread(*reader, 9, 0), IsOkAndHolds("Jello"));
  EXPECT_EQ(fs->counters().bytes_copied, 5u);
}

TEST(AufsCalls, AHardLinkIsAPseudoLinkUntilItIsFlushed) {
  FsPtr fs = Aufs({.lower = {Tree("/a \"1\"\n/b hardlink /a")}});
  ASSERT_THAT(fs->AppendFile("/a", "2"), IsOk());
  EXPECT_THAT(*fs, SameInode("/a", "/b"));
  EXPECT_THAT(*fs, HasFile("/b", "12"));
  EXPECT_THAT(fs->Layer("upper"), HasNoEntry("/b"));  // looking has made no link
  EXPECT_EQ(fs->Explain("/b")->layer(), "upper");
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
  ASSERT_THAT(fs->FlushPseudoLinks(), IsOk());
  EXPECT_THAT(fs->Layer("upper"), SameInode("/a", "/b"));
  FsPtr next = *Reopen(fs->Crash());
  EXPECT_THAT(*next, SameInode("/a", "/b"));
  EXPECT_THAT(next->CheckInvariants(), IsOk());
}

TEST(AufsCalls, LookingIsNoOpen) {
  FsPtr fs =
      Stack()
          .Push(NamedLayer("base").File("/f", "1"))
          .MountOrDie({.dialect = UnionDialect::kAufs, .aufs_modes = {{"base", "ro+coo_reg"}}});
  EXPECT_THAT(*fs, HasFile("/f", "1"));
  EXPECT_THAT(*fs, ComesFrom("/f", "base"));
  EXPECT_THAT(fs->ReadFile("/f"), IsOkAndHolds("1"));
  EXPECT_THAT(*fs, ComesFrom("/f", "upper"));
}

TEST(AufsCalls, ShwhShowsWhiteouts) {
  MountOptions options = AufsWith("ro,shwh");
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/f", "1").File("/h", "2"))
                 .Push(NamedLayer("app").Whiteout("/f"))
                 .MountOrDie(options);
  EXPECT_THAT(fs->Lstat("/.wh.f"), IsOk());
  EXPECT_THAT(*fs, Shows("/f whiteout\n/h \"2\""));
}

// ── Changes ────────────────────────────────────────────────────────────────────────────────────

TEST(AufsChanges, AreThoseOfDockerDiff) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/etc/hosts", "1").File("/etc/motd", "2"))
                 .Push(NamedLayer("app").File("/srv/app", "3").Whiteout("/etc/old"))
                 .MountOrDie(AufsWith(""));
  EXPECT_THAT(fs->Diff(), HasChanges());
  ASSERT_THAT(fs->Unlink("/etc/motd"), IsOk());
  ASSERT_THAT(fs->AppendFile("/etc/hosts", "x"), IsOk());
  ASSERT_THAT(fs->RemoveAll("/srv"), IsOk());
  ASSERT_THAT(fs->Mkdir("/srv"), IsOk());
  ASSERT_THAT(fs->WriteFile("/new", ""), IsOk());
  EXPECT_THAT(fs->Diff(), HasChanges(Changed("/etc"), Deleted("/etc/motd"), Changed("/etc/hosts"),
                                     Changed("/srv"), Deleted("/srv/app"), Added("/new")));
}

TEST(AufsChanges, WithoutAWritableBranchThereAreNone) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/a", "1"))
                 .MountOrDie({.dialect = UnionDialect::kAufs, .aufs_modes = {{"upper", "ro"}}});
  EXPECT_THAT(fs->Diff(), HasChanges());
}

}  // namespace
}  // namespace lamina::testing
