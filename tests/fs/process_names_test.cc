#include "tests/fs/process_fixture.h"

namespace lamina {
namespace {

using testing::Eq;
using testing::ValuesIn;

std::string Long() { return std::string(300, 'x'); }

class NamesAsRoot : public ProcessCallTest {};
TEST_P(NamesAsRoot, SaysWhatLinuxSays) { Check(); }

const CallCase kAsRoot[] = {
    {"mkdir_dot", [](Process& p) { return Said(p.Mkdir(".", 0755)); }, "EEXIST"},
    {"mkdir_root", [](Process& p) { return Said(p.Mkdir("/", 0755)); }, "EEXIST"},
    {"mkdir_file_slash", [](Process& p) { return Said(p.Mkdir("/f/", 0755)); }, "EEXIST"},
    {"mkdir_link_slash", [](Process& p) { return Said(p.Mkdir("/lf/", 0755)); }, "EEXIST"},
    {"mkdir_dangling_slash", [](Process& p) { return Said(p.Mkdir("/lm/", 0755)); }, "EEXIST"},
    {"mkdir_new_slash", [](Process& p) { return Said(p.Mkdir("/new/", 0755)); }, "OK"},
    {"mkdir_empty_path", [](Process& p) { return Said(p.Mkdir("", 0755)); }, "ENOENT"},
    {"mkdir_long_name", [](Process& p) { return Said(p.Mkdir(Long(), 0755)); }, "ENAMETOOLONG"},
    {"mkdir_below_file", [](Process& p) { return Said(p.Mkdir("/f/a", 0755)); }, "ENOTDIR"},
    {"mkdir_below_nothing", [](Process& p) { return Said(p.Mkdir("/n/a", 0755)); }, "ENOENT"},
    {"mknod_new_slash", [](Process& p) { return Said(p.Mknod("/new/", FileType::kFifo, 0600, 0)); },
     "ENOENT"},
    {"mknod_directory",
     [](Process& p) { return Said(p.Mknod("/f", FileType::kDirectory, 0600, 0)); }, "EPERM"},
    {"mknod_link_type", [](Process& p) { return Said(p.Mknod("/f", FileType::kSymlink, 0600, 0)); },
     "EINVAL"},
    {"symlink_new_slash", [](Process& p) { return Said(p.Symlink("x", "/new/")); }, "ENOENT"},
    {"symlink_file_slash", [](Process& p) { return Said(p.Symlink("x", "/f/")); }, "EEXIST"},
    {"symlink_empty", [](Process& p) { return Said(p.Symlink("", "/new")); }, "ENOENT"},
    {"link_directory", [](Process& p) { return Said(p.Link("/d", "/dd", LastLink::kKeep)); },
     "EPERM"},
    {"link_link_slash", [](Process& p) { return Said(p.Link("/lf/", "/g", LastLink::kKeep)); },
     "ENOTDIR"},
    {"link_to_slash", [](Process& p) { return Said(p.Link("/f", "/new/", LastLink::kKeep)); },
     "ENOENT"},
    {"link_dangling_itself",
     [](Process& p) { return Said(p.Link("/dangling", "/g", LastLink::kKeep)); }, "OK"},
    {"link_dangling_followed",
     [](Process& p) { return Said(p.Link("/dangling", "/g", LastLink::kFollow)); }, "ENOENT"},
    {"unlink_directory_slash", [](Process& p) { return Said(p.Unlink("/d/")); }, "EISDIR"},
    {"unlink_directory", [](Process& p) { return Said(p.Unlink("/d")); }, "EISDIR"},
    {"unlink_file_slash", [](Process& p) { return Said(p.Unlink("/f/")); }, "ENOTDIR"},
    {"unlink_link_slash", [](Process& p) { return Said(p.Unlink("/ld/")); }, "ENOTDIR"},
    {"unlink_dot", [](Process& p) { return Said(p.Unlink(".")); }, "EISDIR"},
    {"unlink_dotdot", [](Process& p) { return Said(p.Unlink("..")); }, "EISDIR"},
    {"unlink_root", [](Process& p) { return Said(p.Unlink("/")); }, "EISDIR"},
    {"unlink_missing_slash", [](Process& p) { return Said(p.Unlink("/nope/")); }, "ENOENT"},
    {"rmdir_dot", [](Process& p) { return Said(p.Rmdir(".")); }, "EINVAL"},
    {"rmdir_dotdot", [](Process& p) { return Said(p.Rmdir("/d/..")); }, "ENOTEMPTY"},
    {"rmdir_root", [](Process& p) { return Said(p.Rmdir("/")); }, "EBUSY"},
    {"rmdir_link_slash", [](Process& p) { return Said(p.Rmdir("/ld/")); }, "ENOTDIR"},
    {"rmdir_file", [](Process& p) { return Said(p.Rmdir("/f")); }, "ENOTDIR"},
    {"rmdir_full", [](Process& p) { return Said(p.Rmdir("/d")); }, "ENOTEMPTY"},
    {"rmdir_empty_slash", [](Process& p) { return Said(p.Rmdir("/d/e/x/")); }, "OK"},
    {"readlink_file", [](Process& p) { return Said(p.Readlink("/f")); }, "EINVAL"},
    {"readlink_slash_follows", [](Process& p) { return Said(p.Readlink("/ld/")); }, "EINVAL"},
    {"readlink_loop", [](Process& p) { return Said(p.Readlink("/loop")); }, "OK"},
    {"chdir_file", [](Process& p) { return Said(p.Chdir("/f")); }, "ENOTDIR"},
    {"chdir_link", [](Process& p) { return Said(p.Chdir("/ld")); }, "OK"},
};
INSTANTIATE_TEST_SUITE_P(All, NamesAsRoot, ValuesIn(kAsRoot), CallName);

std::string Rename(Process& p, std::string_view from, std::string_view to,
                   RenameMode mode = RenameMode::kReplace) {
  return Said(p.Rename(from, to, mode));
}

class RenameAsRoot : public ProcessCallTest {};
TEST_P(RenameAsRoot, SaysWhatLinuxSays) { Check(); }

const CallCase kRename[] = {
    {"file_slash", [](Process& p) { return Rename(p, "/f/", "/g"); }, "ENOTDIR"},
    {"file_to_slash", [](Process& p) { return Rename(p, "/f", "/g/"); }, "ENOTDIR"},
    {"link_slash", [](Process& p) { return Rename(p, "/ld/", "/g"); }, "ENOTDIR"},
    {"directory_slash", [](Process& p) { return Rename(p, "/d/", "/g/"); }, "OK"},
    {"into_own_subtree", [](Process& p) { return Rename(p, "/d", "/d/e/y"); }, "EINVAL"},
    {"onto_ancestor", [](Process& p) { return Rename(p, "/d/e", "/d"); }, "ENOTEMPTY"},
    {"exchange_with_ancestor",
     [](Process& p) { return Rename(p, "/d/e", "/d", RenameMode::kExchange); }, "EINVAL"},
    {"no_replace_itself", [](Process& p) { return Rename(p, "/f", "/f", RenameMode::kNoReplace); },
     "EEXIST"},
    {"itself", [](Process& p) { return Rename(p, "/f", "/f"); }, "OK"},
    {"file_slash_onto_ancestor", [](Process& p) { return Rename(p, "/d/e/file/", "/d"); },
     "ENOTDIR"},
    {"dot", [](Process& p) { return Rename(p, ".", "/x"); }, "EBUSY"},
    {"to_dot", [](Process& p) { return Rename(p, "/f", "."); }, "EBUSY"},
    {"to_dot_no_replace", [](Process& p) { return Rename(p, "/f", ".", RenameMode::kNoReplace); },
     "EEXIST"},
    {"missing", [](Process& p) { return Rename(p, "/nope", "/x"); }, "ENOENT"},
    {"exchange_missing", [](Process& p) { return Rename(p, "/f", "/x", RenameMode::kExchange); },
     "ENOENT"},
    {"file_over_directory", [](Process& p) { return Rename(p, "/f", "/d/e/x"); }, "EISDIR"},
    {"directory_over_file", [](Process& p) { return Rename(p, "/d/e/x", "/f"); }, "ENOTDIR"},
    {"over_full_directory", [](Process& p) { return Rename(p, "/open", "/d"); }, "ENOTEMPTY"},
    {"long_target", [](Process& p) { return Rename(p, "/f", Long()); }, "ENAMETOOLONG"},
};
INSTANTIATE_TEST_SUITE_P(All, RenameAsRoot, ValuesIn(kRename), CallName);

class NamesAsUser : public ProcessCallTest {};
TEST_P(NamesAsUser, SaysWhatLinuxSays) {
  fixture_.BecomeUser();
  Check();
}

const CallCase kAsUser[] = {
    {"mknod_whiteout",
     [](Process& p) { return Said(p.Mknod("/w", FileType::kCharDevice, 0600, 0)); }, "OK"},
    {"mknod_device",
     [](Process& p) { return Said(p.Mknod("/w", FileType::kCharDevice, 0600, MakeDevice(1, 3))); },
     "EPERM"},
    {"rename_leaving_whiteout",
     [](Process& p) { return Rename(p, "/mine", "/mine2", RenameMode::kLeaveWhiteout); }, "OK"},
    {"link_of_a_foreign_file", [](Process& p) { return Said(p.Link("/f", "/h", LastLink::kKeep)); },
     "EPERM"},
    {"link_of_own_file", [](Process& p) { return Said(p.Link("/mine", "/h", LastLink::kKeep)); },
     "OK"},
    {"link_into_closed_directory",
     [](Process& p) { return Said(p.Link("/mine", "/d/new", LastLink::kKeep)); }, "EACCES"},
    {"rename_sticky", [](Process& p) { return Rename(p, "/f", "/ff"); }, "EPERM"},
    {"unlink_sticky", [](Process& p) { return Said(p.Unlink("/f")); }, "EPERM"},
    {"unlink_sticky_before_type", [](Process& p) { return Said(p.Unlink("/d")); }, "EPERM"},
    {"rmdir_sticky_before_type", [](Process& p) { return Said(p.Rmdir("/f")); }, "EPERM"},
    {"unlink_slash_before_sticky", [](Process& p) { return Said(p.Unlink("/f/")); }, "ENOTDIR"},
    {"unlink_closed_directory", [](Process& p) { return Said(p.Unlink("/d/e/file")); }, "EACCES"},
    {"mkdir_closed_directory", [](Process& p) { return Said(p.Mkdir("/d/new", 0755)); }, "EACCES"},
    {"mkdir_existing_first", [](Process& p) { return Said(p.Mkdir("/d/e", 0755)); }, "EEXIST"},
    {"unlink_without_search", [](Process& p) { return Said(p.Unlink("/shut/f")); }, "EACCES"},
    {"stat_dot_without_search",
     [](Process& p) { return Said(p.GetStat("/shut/.", LastLink::kFollow)); }, "EACCES"},
    {"long_name_without_search",
     [](Process& p) { return Said(p.GetStat("/shut/" + Long(), LastLink::kFollow)); }, "EACCES"},
    {"chdir_without_search", [](Process& p) { return Said(p.Chdir("/shut")); }, "EACCES"},
    {"move_own_directory", [](Process& p) { return Rename(p, "/open/user", "/user"); }, "OK"},
    {"rename_unreachable_target", [](Process& p) { return Rename(p, "/mine", "/shut/m"); },
     "EACCES"},
};
INSTANTIATE_TEST_SUITE_P(All, NamesAsUser, ValuesIn(kAsUser), CallName);

class NamesReadOnly : public ProcessCallTest {};
TEST_P(NamesReadOnly, SaysWhatLinuxSays) {
  fixture_.fs.Freeze();
  Check();
}

const CallCase kReadOnly[] = {
    {"mkdir_existing_first", [](Process& p) { return Said(p.Mkdir("/d", 0755)); }, "EEXIST"},
    {"mkdir", [](Process& p) { return Said(p.Mkdir("/new", 0755)); }, "EROFS"},
    {"mkdir_long_name_first", [](Process& p) { return Said(p.Mkdir(Long(), 0755)); },
     "ENAMETOOLONG"},
    {"mknod_slash_first",
     [](Process& p) { return Said(p.Mknod("/new/", FileType::kFifo, 0600, 0)); }, "ENOENT"},
    {"unlink_before_missing", [](Process& p) { return Said(p.Unlink("/nope")); }, "EROFS"},
    {"unlink_before_long_name", [](Process& p) { return Said(p.Unlink(Long())); }, "EROFS"},
    {"unlink_dot_first", [](Process& p) { return Said(p.Unlink(".")); }, "EISDIR"},
    {"rmdir_before_missing", [](Process& p) { return Said(p.Rmdir("/nope")); }, "EROFS"},
    {"rename_before_missing", [](Process& p) { return Rename(p, "/nope", "/x"); }, "EROFS"},
    {"rename_dot_first", [](Process& p) { return Rename(p, ".", "/x"); }, "EBUSY"},
    {"link_missing_first", [](Process& p) { return Said(p.Link("/no", "/x", LastLink::kKeep)); },
     "ENOENT"},
    {"link_existing_first", [](Process& p) { return Said(p.Link("/f", "/d", LastLink::kKeep)); },
     "EEXIST"},
    {"link", [](Process& p) { return Said(p.Link("/f", "/x", LastLink::kKeep)); }, "EROFS"},
};
INSTANTIATE_TEST_SUITE_P(All, NamesReadOnly, ValuesIn(kReadOnly), CallName);

class ProcessNames : public testing::Test, protected ProcessFixture {};

TEST_F(ProcessNames, UmaskAppliesToNewNodes) {
  process.set_umask(027);
  Must(process.Mkdir("/new", 0777));
  EXPECT_THAT(process.GetStat("/new", LastLink::kKeep)->mode, Eq(0750));
}

TEST_F(ProcessNames, MkdirDropsSetIdBits) {
  Must(process.Mkdir("/new", 07777));
  EXPECT_THAT(process.GetStat("/new", LastLink::kKeep)->mode, Eq(01777));
}

TEST_F(ProcessNames, ForeignSetGidDirectoryDropsSetGidOfNewPrograms) {
  Must(process.Mkdir("/group", 0777));
  Must(process.Chmod("/group", 02777));
  BecomeUser();
  Put("/group/run", "", 02755);
  Put("/group/keep", "", 02644);
  EXPECT_THAT(process.GetStat("/group/run", LastLink::kKeep)->mode, Eq(0755));
  EXPECT_THAT(process.GetStat("/group/keep", LastLink::kKeep)->mode, Eq(02644));
}

TEST_F(ProcessNames, MovingADirectoryNeedsToWriteIt) {
  Must(process.Mkdir("/open/user/sealed", 0555));
  Must(process.Chown("/open/user/sealed", 1000, 1000, LastLink::kKeep));
  BecomeUser();
  EXPECT_THAT(Rename(process, "/open/user/sealed", "/sealed"), Eq("EACCES"));
  EXPECT_THAT(Rename(process, "/open/user/sealed", "/open/user/other"), Eq("OK"));
}

TEST_F(ProcessNames, RelativePathsBeginAtTheWorkingDirectory) {
  Must(process.Chdir("/d/e"));
  EXPECT_THAT(Content("file"), Eq("file"));
  EXPECT_THAT(Content("../../f"), Eq("hi"));
}

TEST_F(ProcessNames, WorkingDirectoryFollowsItsRename) {
  Must(process.Chdir("/d/e/x"));
  Must(process.Rename("/d/e", "/open/moved", RenameMode::kReplace));
  EXPECT_THAT(Said(process.GetStat("../../user", LastLink::kKeep)), Eq("OK"));
}

TEST_F(ProcessNames, RemovedWorkingDirectoryHasNoNames) {
  Must(process.Chdir("/d/e/x"));
  Must(process.Rmdir("/d/e/x"));
  EXPECT_THAT(Said(process.GetStat(".", LastLink::kKeep)), Eq("OK"));
  EXPECT_THAT(Said(process.Mkdir("new", 0755)), Eq("ENOENT"));
}

}  // namespace
}  // namespace lamina
