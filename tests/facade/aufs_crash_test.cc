// Faults and crashes of an AUFS, and what its invariants find.
#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"

namespace lamina::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr UnionDialect kAufs = UnionDialect::kAufs;

FsPtr Small() {
  return Stack()
      .Push(NamedLayer("base").File("/d/a", "1").File("/d/b", "2").Dir("/e").File("/w/x", "4"))
      .Push(NamedLayer("app").FileOfSize("/big", 1 << 20))
      .Upper(NamedLayer("upper").File("/d/a", "11").Dir("/e").Whiteout("/w"))
      .MountOrDie({.dialect = kAufs});
}

absl::Status Broken(std::string_view what) {
  return absl::InternalError(absl::string_view(what.data(), what.size()));
}

// ── Faults ─────────────────────────────────────────────────────────────────────────────────────

TEST(AufsFaults, AStepThatFailsIsTakenBack) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kUnlink).AtBranch("upper").Path("/d/a").Times(1).Fail(EDQUOT));
  EXPECT_THAT(fs->Unlink("/d/a"), HasErrno(EDQUOT));  // after the whiteout was made
  EXPECT_THAT(*fs, HasFile("/d/a", "11"));
  EXPECT_THAT(fs->Layer("upper"), HasNoEntry("/d/.wh.a"));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
  EXPECT_THAT(fs->Unlink("/d/a"), IsOk());
}

TEST(AufsFaults, ACopyUpWithoutSpaceLeavesNoTrace) {
  FsPtr fs = Small();
  // The copy-up is part of the write: at the mount there is but one.
  fs->Inject(Fault::On(Op::kPwrite).AtBranch("upper").Path("/big").After(3).Times(1).Fail(ENOSPC));
  EXPECT_THAT(fs->AppendFile("/big", "x"), HasErrno(ENOSPC));
  EXPECT_THAT(*fs, ComesFrom("/big", "app"));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
  EXPECT_THAT(fs->AppendFile("/big", "x"), IsOk());
  EXPECT_THAT(fs->VerifyAllFaultsFired(), IsOk());
}

TEST(AufsFaults, AtALowerLayerFailItsReading) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kPread).AtBranch("base").Fail(EIO));
  EXPECT_THAT(fs->ReadFile("/d/b"), HasErrno(EIO));
  EXPECT_THAT(*fs, HasFile("/d/b", "2"));  // looking meets no fault
}

TEST(AufsFaults, AtAWritableLayerBelow) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("spare").Dir("/d"))
                 .MountOrDie({.dialect = kAufs, .aufs_modes = {{"spare", "rw"}}});
  fs->Inject(Fault::On(Op::kCreate).AtBranch("spare").Times(1).Fail(ENOSPC));
  EXPECT_THAT(fs->WriteFile("/d/f", "1"), HasErrno(ENOSPC));
  EXPECT_THAT(fs->WriteFile("/d/f", "1"), IsOk());
}

// ── Crashes ────────────────────────────────────────────────────────────────────────────────────

TEST(AufsCrash, BetweenTheWhiteoutAndTheUnlinkLeavesBoth) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kUnlink).AtBranch("upper").Crash());
  EXPECT_THAT(fs->Unlink("/d/a"), HasErrno(EIO));
  EXPECT_TRUE(fs->crashed());
  FsPtr next = *Reopen(fs->Crash());
  EXPECT_THAT(next->Lstat("/d/a"), HasErrno(EIO));
  EXPECT_THAT(*next, BranchHolds("upper", R"(
      /d/
        a      "11"
        .wh.a  ""
      /e/
      /w       whiteout
  )"));
  EXPECT_EQ(next->CheckInvariants(),
            Broken("whiteout \"/d/.wh.a\" stands beside \"/d/a\" in layer \"upper\" (b0 rw): "
                   "looking it up gives EIO"));
  EXPECT_THAT(next->ReadFile("/d/b"), IsOkAndHolds("2"));
}

TEST(AufsCrash, BetweenACreateAndItsWhiteoutLeavesBoth) {
  FsPtr fs = Aufs({.lower = {Tree("/f \"1\"")}, .upper = Tree("/f whiteout")});
  fs->Inject(Fault::On(Op::kUnlink).AtBranch("upper").Crash());
  EXPECT_THAT(fs->WriteFile("/f", "2"), HasErrno(EIO));
  FsPtr next = *Reopen(fs->Crash());
  EXPECT_THAT(next->Lstat("/f"), HasErrno(EIO));
  EXPECT_THAT(next->CheckInvariants(),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("\"/.wh.f\" stands beside \"/f\"")));
}

TEST(AufsCrash, InTheMiddleOfACopyUpLeavesATemporary) {
  FsPtr fs = Small();
  fs->Inject(Fault::On(Op::kRename).AtBranch("upper").Crash());
  EXPECT_THAT(fs->AppendFile("/big", "x"), HasErrno(EIO));
  FsPtr next = *Reopen(fs->Crash());
  EXPECT_THAT(*next, ComesFrom("/big", "app"));
  EXPECT_THAT(next->ReadDir("/"), IsOkAndHolds(::testing::SizeIs(3)));
  EXPECT_THAT(next->CheckInvariants(),
              StatusIs(absl::StatusCode::kInternal,
                       AllOf(HasSubstr("temporary \"/.wh..wh.big."),
                             HasSubstr("is left over in layer \"upper\" (b0 rw)"))));
}

TEST(AufsCrash, LeavesPseudoLinksThatTheNextMountDoesNotKnow) {
  FsPtr fs = Aufs({.lower = {Tree("/a \"1\"\n/b hardlink /a")}});
  ASSERT_THAT(fs->AppendFile("/a", "2"), IsOk());
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
  FsPtr next = *Reopen(fs->Crash());
  EXPECT_THAT(*next, HasFile("/b", "1"));
  EXPECT_THAT(next->CheckInvariants(),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("pseudo-link \"/.wh..wh.plnk/")));
  ASSERT_THAT(next->FlushPseudoLinks(), IsOk());
  EXPECT_THAT(next->CheckInvariants(), IsOk());
}

TEST(AufsCrash, KeepsEveryWritableLayer) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("spare").Dir("/d"))
                 .MountOrDie({.dialect = kAufs, .aufs_modes = {{"spare", "rw"}}});
  ASSERT_THAT(fs->WriteFile("/d/f", "kept"), IsOk());
  ASSERT_THAT(fs->WriteFile("/g", "kept"), IsOk());
  const CrashImage image = fs->Crash();
  EXPECT_THAT(fs->WriteFile("/d/f", "lost"), HasErrno(EIO));
  FsPtr one = *Reopen(image);
  FsPtr two = *Reopen(image);
  ASSERT_THAT(one->WriteFile("/d/f", "one"), IsOk());
  EXPECT_THAT(one->Layer("spare"), HasFile("/d/f", "one"));
  EXPECT_THAT(two->Layer("spare"), HasFile("/d/f", "kept"));
  EXPECT_THAT(*two, HasFile("/g", "kept"));
  fs.reset();
  one.reset();
  two.reset();
  EXPECT_THAT(*(*Reopen(image)), HasFile("/d/f", "kept"));
}

// What a crash before each step of a call may leave: the tree before, the tree after, or a name
// that is both and answers EIO, which the invariants then tell. The machine is repaired by deleting
// either of the two.
struct CrashCase {
  std::string name;
  std::function<absl::Status(LayeredFs&)> call;
  std::vector<std::string> touched;  // names that may answer EIO
};

void PrintTo(const CrashCase& param, std::ostream* os) { *os << param.name; }

class AufsCrashes : public ::testing::TestWithParam<CrashCase> {
 protected:
  struct State {
    bool known_tree = false;  // before or after
    std::vector<std::string> broken;
    std::string invariants;
  };

  static FsPtr Start() { return Small(); }

  static std::map<std::string, std::string> TreeOf(const LayeredFs& fs) {
    std::map<std::string, std::string> tree;
    const absl::StatusOr<std::vector<std::string>> paths = fs.Merged().AllPaths();
    for (const std::string& path : *paths) {
      const absl::StatusOr<Stat> stat = fs.Merged().Lstat(path);
      tree[path] = stat.ok() && stat->type == FileType::kRegular
                       ? fs.Merged().ReadFile(path).value_or("?")
                       : std::string();
    }
    return tree;
  }

  // Every state that a crash of the call leaves, the whole call last.
  static std::vector<State> States(const CrashCase& param) {
    const CrashImage start = Start()->Crash();
    FsPtr before = *Reopen(start);
    FsPtr after = *Reopen(start);
    EXPECT_THAT(param.call(*after), IsOk());
    std::vector<State> states;
    for (std::uint64_t k = 0; k == states.size(); ++k) {
      FsPtr fs = *Reopen(start);
      fs->Inject(Fault::On(Op::kAnyChange).AtBranch("upper").After(k).Crash());
      const absl::Status done = param.call(*fs);
      if (done.ok()) break;
      FsPtr next = *Reopen(fs->Crash());
      State& state = states.emplace_back();
      const auto tree = TreeOf(*next);
      state.known_tree = tree == TreeOf(*before) || tree == TreeOf(*after);
      for (const std::string& path : param.touched) {
        if (ErrnoOf(next->Lstat(path).status()) == EIO) state.broken.push_back(path);
      }
      state.invariants = std::string(next->CheckInvariants().message());
    }
    return states;
  }
};

TEST_P(AufsCrashes, LeaveATreeThatIsKnownOrANameThatIsToldToBeBroken) {
  const std::vector<State> states = States(GetParam());
  EXPECT_GE(states.size(), 1u);
  for (const State& state : states) {
    EXPECT_TRUE(state.known_tree || !state.broken.empty()) << state.invariants;
    for (const std::string& path : state.broken) {
      EXPECT_THAT(state.invariants, HasSubstr("stands beside " + Quoted(path)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Calls, AufsCrashes,
    ::testing::Values(
        CrashCase{"UnlinkBoth", [](LayeredFs& fs) { return fs.Unlink("/d/a"); }, {"/d/a"}},
        CrashCase{"UnlinkLower", [](LayeredFs& fs) { return fs.Unlink("/d/b"); }, {"/d/b"}},
        CrashCase{"Rename", [](LayeredFs& fs) { return fs.Rename("/d/b", "/d/c"); }, {"/d/b"}},
        CrashCase{"RenameOver", [](LayeredFs& fs) { return fs.Rename("/d/b", "/d/a"); }, {"/d/b"}},
        CrashCase{"Append", [](LayeredFs& fs) { return fs.AppendFile("/big", "x"); }, {}},
        CrashCase{"Chmod", [](LayeredFs& fs) { return fs.Chmod("/d/b", 0600); }, {}},
        CrashCase{"Rmdir", [](LayeredFs& fs) { return fs.Rmdir("/e"); }, {"/e"}},
        CrashCase{"Mkdir", [](LayeredFs& fs) { return fs.Mkdir("/w"); }, {"/w"}},
        CrashCase{"Create", [](LayeredFs& fs) { return fs.Symlink("a", "/w"); }, {"/w"}},
        CrashCase{"Link", [](LayeredFs& fs) { return fs.Link("/d/b", "/w"); }, {"/w"}}),
    [](const ::testing::TestParamInfo<CrashCase>& each) { return each.param.name; });

// ── Invariants ─────────────────────────────────────────────────────────────────────────────────

TEST(AufsInvariants, HoldAfterOrdinaryCalls) {
  FsPtr fs = Small();
  ASSERT_THAT(fs->Unlink("/d/a"), IsOk());
  ASSERT_THAT(fs->AppendFile("/d/b", "3"), IsOk());
  ASSERT_THAT(fs->Rename("/d/b", "/moved"), IsOk());
  ASSERT_THAT(fs->Rmdir("/e"), IsOk());
  ASSERT_THAT(fs->Mkdir("/w"), IsOk());
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

TEST(AufsInvariants, AWhiteoutMustHideSomething) {
  FsPtr fs = Aufs({.lower = {Tree("/a \"1\"")}, .upper = Tree("/b whiteout")});
  EXPECT_EQ(fs->CheckInvariants(), Broken("whiteout \"/.wh.b\" hides nothing"));
}

// b1/d is hidden below /d/x's own directory; the whiteout goes along when the directory moves.
TEST(AufsInvariants, ADirectoryThatMovesTakesItsWhiteoutsAlong) {
  FsPtr fs = Aufs({.lower = {Tree("/d/x \"1\"")}, .upper = Tree("/d/y \"2\"")});
  ASSERT_THAT(fs->Unlink("/d/x"), IsOk());
  ASSERT_THAT(fs->Rename("/d", "/e"), IsOk());
  EXPECT_THAT(*fs, BranchHolds("upper", R"(
      /d     whiteout
      /e/
        x    whiteout
        y    "2"
  )"));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

TEST(AufsInvariants, AWhiteoutOfALayerThatWentIsNoMistake) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File("/x", "0"))
                 .Push(NamedLayer("app").File("/a", "1"))
                 .MountOrDie({.dialect = kAufs});
  ASSERT_THAT(fs->Unlink("/a"), IsOk());
  ASSERT_THAT(fs->Remount("del:app"), IsOk());
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

TEST(AufsInvariants, NameEveryLeftover) {
  FsPtr fs = Aufs({.lower = {Tree("/a \"1\"")}, .upper = Tree(R"(
      /.wh..wh.a.00ff        "half"
      /.wh..wh.plnk/11.12    ""
      /.wh..wh.orph/x        ""
      /.wh.a/
  )")});
  EXPECT_EQ(fs->CheckInvariants(),
            Broken("temporary \"/.wh..wh.a.00ff\" is left over in layer \"upper\" (b0 rw)\n"
                   "orphan \"/.wh..wh.orph/x\" is left over in layer \"upper\" (b0 rw)\n"
                   "pseudo-link \"/.wh..wh.plnk/11.12\" is left over in layer \"upper\" (b0 rw)\n"
                   "whiteout \"/.wh.a\" in layer \"upper\" (b0 rw) is a directory"));
}

TEST(AufsInvariants, ALongNameOfALayerIsListedAndNotFound) {
  FsPtr fs = Stack()
                 .Push(NamedLayer("base").File('/' + std::string(250, 'n'), "1"))
                 .MountOrDie({.dialect = kAufs});
  EXPECT_THAT(fs->ReadDir("/"), IsOkAndHolds(::testing::SizeIs(1)));
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
}

}  // namespace
}  // namespace lamina::testing
