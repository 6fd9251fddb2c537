// The snippets of the API guide, as they are printed there.
#include "lamina/lamina.h"
#include "lamina/testing/matchers.h"
using namespace lamina;
using namespace lamina::testing;

TEST(Hosts, DeletionIsAWhiteout) {
  FsPtr fs = Stack()  // first pushed = bottom
                 .Push(NamedLayer("base")
                           .File("/etc/hosts", "127.0.0.1 localhost\n")
                           .File("/bin/sh", "#!", 0755))
                 .Push(NamedLayer("app").File("/srv/app.conf", "port=80\n"))
                 .MountOrDie();  // adds an empty writable "upper"
  ASSERT_THAT(fs->Unlink("/etc/hosts"), IsOk());
  EXPECT_THAT(*fs, HasNoEntry("/etc/hosts"));
  EXPECT_THAT(fs->Layer("upper"), IsWhiteout("/etc/hosts"));
  EXPECT_THAT(fs->Layer("base"), HasFile("/etc/hosts", "127.0.0.1 localhost\n"));
  EXPECT_THAT(fs->ReadFile("/etc/hosts"), HasErrno(ENOENT));
  EXPECT_THAT(fs->Diff(), HasChanges(Changed("/etc"), Deleted("/etc/hosts")));
}

TEST(Drawing, AnOpaqueDirectoryHidesWhatIsBelow) {
  FsPtr fs = Overlay({.lower = {Tree(R"(/etc/
                                        hosts  "old"
                                        motd   "hi" )")},
                      .upper = Tree(R"(/etc/  opaque
                                        hosts  "new" )")});
  EXPECT_THAT(*fs, Shows(R"(/etc/
                            hosts  "new" )"));
}

TEST(CopyUp, OneSmallWriteCopiesTheWholeFile) {
  FsPtr fs = Stack().Push(NamedLayer("image").FileOfSize("/srv/app.db", 192 << 10)).MountOrDie();
  absl::StatusOr<Fd> fd = fs->Open("/srv/app.db", O_RDWR);  // Fd closes itself
  ASSERT_THAT(fd, IsOk());
  EXPECT_THAT(fs->Pwrite(*fd, std::string(4096, 'x'), 65536), IsOkAndHolds(4096u));
  EXPECT_THAT(*fs, ComesFrom("/srv/app.db", "upper"));
  EXPECT_EQ(fs->counters().copy_ups, 1u);
  EXPECT_DOUBLE_EQ(fs->counters().WriteAmplification(), 49.0);  // (192+4)/4
}

TEST(Rename, OfALowerDirectoryIsRefusedAndExplained) {
  FsPtr fs = Stack().Push(NamedLayer("image").File("/srv/a/f", "x")).MountOrDie();
  EXPECT_THAT(fs->Rename("/srv/a", "/srv/b"), HasErrno(EXDEV)) << fs->Explain("/srv/a")->ToString();
}

TEST(Faults, CopyUpThatRunsOutOfSpaceLeavesNoTrace) {
  FsPtr fs = Stack().Push(NamedLayer("image").FileOfSize("/big", 1 << 20)).MountOrDie();
  fs->Inject(Fault::On(Op::kPwrite).Path("/big").After(3).Times(1).Fail(ENOSPC));
  EXPECT_THAT(fs->AppendFile("/big", "x"), HasErrno(ENOSPC));
  EXPECT_THAT(*fs, ComesFrom("/big", "image"));  // copy-up rolled back
  EXPECT_THAT(fs->CheckInvariants(), IsOk());
  EXPECT_THAT(fs->AppendFile("/big", "x"), IsOk());  // the rule is used up
}

TEST(Aufs, DeletesAsOverlayDoesAndStoresItAsFiles) {
  const StackDrawing drawing = {.lower = {Tree(R"(/etc/
                                                    hosts  "old"
                                                    motd   "hi" )")}};
  FsPtr overlay = Overlay(drawing);
  FsPtr aufs = Aufs(drawing);
  ASSERT_THAT(overlay->Unlink("/etc/motd"), IsOk());
  ASSERT_THAT(aufs->Unlink("/etc/motd"), IsOk());
  EXPECT_THAT(*aufs, SameTreeAs(*overlay));
  EXPECT_EQ(overlay->Layer("upper").Lstat("/etc/motd")->type, FileType::kCharDevice);
  EXPECT_THAT(aufs->Layer("upper"), HasFile("/etc/.wh.motd", ""));
  EXPECT_THAT(*aufs, BranchHolds("upper", R"(/etc/
                                               motd  whiteout )"));
}
