#include "tests/fs/process_fixture.h"

namespace lamina {
namespace {

using testing::Eq;
using testing::ValuesIn;

struct Flags {
  bool create = false;
  bool exclusive = false;
  bool truncate = false;
  bool directory = false;
  bool no_follow = false;
  bool unnamed = false;
};

constexpr Flags kCreate{true, false, false, false, false, false};
constexpr Flags kExclusive{true, true, false, false, false, false};
constexpr Flags kTruncate{false, false, true, false, false, false};
constexpr Flags kDirectory{false, false, false, true, false, false};
constexpr Flags kNoFollow{false, false, false, false, true, false};
constexpr Flags kUnnamed{false, false, false, false, false, true};

std::string Open(Process& p, std::string_view path, Access access, const Flags& flags = {}) {
  OpenHow how = How(access);
  how.create = flags.create;
  how.exclusive = flags.exclusive;
  how.truncate = flags.truncate;
  how.directory = flags.directory;
  how.no_follow = flags.no_follow;
  how.unnamed = flags.unnamed;
  return Said(p.Open(path, how, 0644));
}

constexpr Access kRead = Access::kRead;
constexpr Access kWrite = Access::kWrite;
constexpr Access kReadWrite = Access::kReadWrite;

class OpenAsRoot : public ProcessCallTest {};
TEST_P(OpenAsRoot, SaysWhatLinuxSays) { Check(); }

const CallCase kAsRoot[] = {
    {"create_file_slash", [](Process& p) { return Open(p, "/f/", kRead, kCreate); }, "EISDIR"},
    {"create_link_to_missing_slash", [](Process& p) { return Open(p, "/lm", kWrite, kCreate); },
     "EISDIR"},
    {"create_link_to_file_slash", [](Process& p) { return Open(p, "/lfs", kWrite, kCreate); },
     "EISDIR"},
    {"create_directory", [](Process& p) { return Open(p, "/d", kRead, kCreate); }, "EISDIR"},
    {"create_dot", [](Process& p) { return Open(p, "/d/.", kRead, kCreate); }, "EISDIR"},
    {"exclusive_dot", [](Process& p) { return Open(p, "/d/.", kRead, kExclusive); }, "EEXIST"},
    {"exclusive_file_slash", [](Process& p) { return Open(p, "/f/", kRead, kExclusive); },
     "EISDIR"},
    {"exclusive_file", [](Process& p) { return Open(p, "/f", kRead, kExclusive); }, "EEXIST"},
    {"exclusive_dangling", [](Process& p) { return Open(p, "/dangling", kWrite, kExclusive); },
     "EEXIST"},
    {"create_below_missing_slash", [](Process& p) { return Open(p, "/n/a/", kWrite, kCreate); },
     "ENOENT"},
    {"create_and_directory",
     [](Process& p) {
       return Open(p, "/zz", kRead, Flags{true, false, false, true, false, false});
     },
     "EINVAL"},
    {"missing", [](Process& p) { return Open(p, "/nope", kRead); }, "ENOENT"},
    {"missing_slash", [](Process& p) { return Open(p, "/nope/", kRead); }, "ENOENT"},
    {"dangling", [](Process& p) { return Open(p, "/dangling", kRead); }, "ENOENT"},
    {"loop", [](Process& p) { return Open(p, "/loop", kRead); }, "ELOOP"},
    {"file_slash", [](Process& p) { return Open(p, "/f/", kRead); }, "ENOTDIR"},
    {"directory_of_file", [](Process& p) { return Open(p, "/f", kWrite, kDirectory); }, "ENOTDIR"},
    {"no_follow", [](Process& p) { return Open(p, "/lf", kRead, kNoFollow); }, "ELOOP"},
    {"no_follow_directory",
     [](Process& p) {
       return Open(p, "/lf", kRead, Flags{false, false, false, true, true, false});
     },
     "ENOTDIR"},
    {"no_follow_slash_follows", [](Process& p) { return Open(p, "/ld/", kRead, kNoFollow); }, "OK"},
    {"no_follow_path", [](Process& p) { return Open(p, "/lf", Access::kPath, kNoFollow); }, "OK"},
    {"directory_to_write", [](Process& p) { return Open(p, "/d", kWrite); }, "EISDIR"},
    {"directory_truncated", [](Process& p) { return Open(p, "/d", kRead, kTruncate); }, "EISDIR"},
    {"device", [](Process& p) { return Open(p, "/null", kRead); }, "ENXIO"},
    {"fifo_to_write_alone", [](Process& p) { return Open(p, "/p", kWrite); }, "ENXIO"},
    {"fifo_to_read", [](Process& p) { return Open(p, "/p", kRead); }, "OK"},
    {"fifo_to_read_and_write", [](Process& p) { return Open(p, "/p", kReadWrite, kTruncate); },
     "OK"},
    {"unnamed_to_read", [](Process& p) { return Open(p, "/", kRead, kUnnamed); }, "EINVAL"},
    {"unnamed_in_file", [](Process& p) { return Open(p, "/f", kWrite, kUnnamed); }, "ENOTDIR"},
    {"unnamed", [](Process& p) { return Open(p, "/d", kWrite, kUnnamed); }, "OK"},
};
INSTANTIATE_TEST_SUITE_P(All, OpenAsRoot, ValuesIn(kAsRoot), CallName);

class OpenAsUser : public ProcessCallTest {};
TEST_P(OpenAsUser, SaysWhatLinuxSays) {
  fixture_.BecomeUser();
  Check();
}

const CallCase kAsUser[] = {
    {"foreign_file_to_read", [](Process& p) { return Open(p, "/f", kRead); }, "OK"},
    {"foreign_file_to_write", [](Process& p) { return Open(p, "/f", kWrite); }, "EACCES"},
    {"foreign_file_truncated", [](Process& p) { return Open(p, "/f", kRead, kTruncate); },
     "EACCES"},
    {"closed_directory", [](Process& p) { return Open(p, "/shut", kRead); }, "EACCES"},
    {"closed_directory_as_path", [](Process& p) { return Open(p, "/shut", Access::kPath); }, "OK"},
    {"create_in_foreign_directory", [](Process& p) { return Open(p, "/d/new", kWrite, kCreate); },
     "EACCES"},
    {"unnamed_in_foreign_directory", [](Process& p) { return Open(p, "/d", kWrite, kUnnamed); },
     "EACCES"},
    {"device", [](Process& p) { return Open(p, "/null", kRead); }, "ENXIO"},
};
INSTANTIATE_TEST_SUITE_P(All, OpenAsUser, ValuesIn(kAsUser), CallName);

class OpenReadOnly : public ProcessCallTest {};
TEST_P(OpenReadOnly, SaysWhatLinuxSays) {
  fixture_.fs.Freeze();
  Check();
}

const CallCase kReadOnly[] = {
    {"to_write", [](Process& p) { return Open(p, "/f", kWrite); }, "EROFS"},
    {"truncated", [](Process& p) { return Open(p, "/f", kRead, kTruncate); }, "EROFS"},
    {"create_existing_to_read", [](Process& p) { return Open(p, "/f", kRead, kCreate); }, "OK"},
    {"create_missing", [](Process& p) { return Open(p, "/nope", kRead, kCreate); }, "EROFS"},
    {"missing", [](Process& p) { return Open(p, "/nope", kWrite); }, "ENOENT"},
    {"exclusive_existing", [](Process& p) { return Open(p, "/f", kWrite, kExclusive); }, "EEXIST"},
    {"fifo_to_write", [](Process& p) { return Open(p, "/p", kReadWrite); }, "OK"},
    {"unnamed", [](Process& p) { return Open(p, "/", kWrite, kUnnamed); }, "EROFS"},
    {"directory_truncated", [](Process& p) { return Open(p, "/d", kRead, kTruncate); }, "EISDIR"},
};
INSTANTIATE_TEST_SUITE_P(All, OpenReadOnly, ValuesIn(kReadOnly), CallName);

class ProcessOpen : public testing::Test, protected ProcessFixture {};

TEST_F(ProcessOpen, CreateFollowsADanglingLink) {
  MustOpen("/dangling", Creating());
  EXPECT_THAT(Said(process.GetStat("/nothing", LastLink::kKeep)), Eq("OK"));
}

TEST_F(ProcessOpen, TruncateEmptiesEvenAFileOpenedToRead) {
  OpenHow how = How(Access::kRead);
  how.truncate = true;
  MustOpen("/f", how);
  EXPECT_THAT(Content("/f"), Eq(""));
}

TEST_F(ProcessOpen, NewFileIsWritableWhateverItsMode) {
  const Fd fd = MustOpen("/new", Creating(), 0444);
  EXPECT_THAT(Said(process.Pwrite(fd, AsBytes("x"), 0)), Eq("OK"));
}

TEST_F(ProcessOpen, LowestFreeDescriptorIsTaken) {
  const Fd first = MustOpen("/f", How(kRead));
  const Fd second = MustOpen("/f", How(kRead));
  Must(process.Close(first));
  EXPECT_THAT(MustOpen("/f", How(kRead)), Eq(first));
  EXPECT_THAT(second, Eq(Fd{1}));
  EXPECT_THAT(process.open_count(), Eq(2U));
}

TEST_F(ProcessOpen, CreateOpensNoForeignLinkInAStickyDirectory) {
  Must(process.Chown("/lf", 1000, 1000, LastLink::kKeep));
  OpenHow how = Creating();
  how.no_follow = true;
  BecomeUser(1001);
  EXPECT_THAT(Said(process.Open("/lf", how, 0644)), Eq("EACCES"));
  EXPECT_THAT(Said(process.Open("/ld", how, 0644)), Eq("ELOOP"));
}

TEST_F(ProcessOpen, NodevMountRefusesDevices) {
  Process nodev(fs, fs.root(), {.clock = &clock, .no_device_open = true});
  EXPECT_THAT(Open(nodev, "/null", kRead), Eq("EACCES"));
}

TEST_F(ProcessOpen, UnnamedFileGetsAName) {
  OpenHow how = How(Access::kWrite);
  how.unnamed = true;
  const Fd fd = MustOpen("/d", how);
  Must(process.LinkOpenFile(fd, "/named"));
  EXPECT_THAT(process.GetStat("/named", LastLink::kKeep)->nlink, Eq(1U));
}

TEST_F(ProcessOpen, ExclusiveUnnamedFileGetsNone) {
  OpenHow how = How(Access::kWrite);
  how.unnamed = true;
  how.exclusive = true;
  EXPECT_THAT(Said(process.LinkOpenFile(MustOpen("/d", how), "/named")), Eq("ENOENT"));
}

TEST_F(ProcessOpen, UnlinkedFileGetsNoNewName) {
  const Fd fd = MustOpen("/f", How(kRead));
  Must(process.Unlink("/f"));
  EXPECT_THAT(Said(process.LinkOpenFile(fd, "/named")), Eq("ENOENT"));
}

TEST_F(ProcessOpen, OnlyTheOpenerMayNameAnOpenFile) {
  const Fd fd = MustOpen("/mine", How(kRead));
  BecomeUser();
  EXPECT_THAT(Said(process.LinkOpenFile(fd, "/named")), Eq("ENOENT"));
  EXPECT_THAT(Said(process.LinkOpenFile(MustOpen("/mine", How(kRead)), "/named")), Eq("OK"));
}

TEST_F(ProcessOpen, LeaseKeepsOthersFromOpening) {
  const Fd fd = MustOpen("/f", How(kRead));
  Must(process.SetLease(fd, LeaseKind::kRead));
  EXPECT_THAT(Open(process, "/f", kWrite), Eq("EAGAIN"));
  EXPECT_THAT(Open(process, "/f", kRead), Eq("OK"));
}

TEST_F(ProcessOpen, LeaseRules) {
  const Fd fd = MustOpen("/f", How(kRead));
  const Fd directory = MustOpen("/d", How(kRead));
  EXPECT_THAT(Said(process.SetLease(fd, LeaseKind::kUnlock)), Eq("EAGAIN"));
  EXPECT_THAT(Said(process.SetLease(fd, LeaseKind::kWrite)), Eq("OK"));
  EXPECT_THAT(Said(process.SetLease(directory, LeaseKind::kRead)), Eq("EINVAL"));
  BecomeUser();
  EXPECT_THAT(Said(process.SetLease(directory, LeaseKind::kRead)), Eq("EACCES"));
  EXPECT_THAT(Said(process.SetLease(fd, LeaseKind::kRead)), Eq("EACCES"));
}

}  // namespace
}  // namespace lamina
