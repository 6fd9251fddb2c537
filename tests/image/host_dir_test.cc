// Host directories as layers, on real files in a temporary directory.
#include "lamina/image/host_dir.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "lamina/image/layer_tar.h"
#include "tests/image/tar_builder.h"
#include "tests/image/tree_text.h"

namespace lamina {
namespace {

using test::StatOf;
using test::TreeDetail;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HostDirectory : public testing::Test {
 protected:
  HostDirectory() {
    std::string pattern = testing::TempDir() + "/lamina_host_XXXXXX";
    top_ = ::mkdtemp(pattern.data());
    options_.on_message = [this](std::string_view message) { messages_.emplace_back(message); };
  }
  ~HostDirectory() override { std::filesystem::remove_all(top_); }

  std::string At(std::string_view path) const { return absl::StrFormat("%s/%s", top_, path); }
  void Dir(std::string_view path) { ASSERT_EQ(::mkdir(At(path).c_str(), 0755), 0); }
  void File(std::string_view path, std::string_view body) {
    std::ofstream(At(path), std::ios::binary) << body;
  }
  void SetMtime(std::string_view path, time_t seconds, long nanoseconds) {
    const timespec times[2] = {{seconds - 10, nanoseconds}, {seconds, nanoseconds}};
    ASSERT_EQ(::utimensat(AT_FDCWD, At(path).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  absl::StatusOr<HostDirectoryReport> Read() {
    return ReadHostDirectory(top_, fs_, fs_.root(), options_);
  }
  std::string Show() { return test::TreeText(fs_, fs_.root(), TreeDetail::kBrief); }
  Result<std::string> Body(std::string_view path) {
    return test::ContentOf(fs_, test::Find(fs_, fs_.root(), path));
  }

  std::string top_;
  MemFs fs_;
  HostDirectoryOptions options_;
  std::vector<std::string> messages_;
};

TEST_F(HostDirectory, ReadsNamesTypesAndBodies) {
  Dir("a");
  Dir("a/b");
  File("a/b/f", "text");
  ASSERT_EQ(::symlink("../nowhere", At("a/l").c_str()), 0);
  ASSERT_EQ(::mkfifo(At("p").c_str(), 0600), 0);
  File(".wh.x", "a name like any other");
  const absl::StatusOr<HostDirectoryReport> report = Read();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Show(),
            "f .wh.x \"a name like any other\"\n"
            "d a\n"
            "d a/b\n"
            "f a/b/f \"text\"\n"
            "l a/l -> ../nowhere\n"
            "p p\n");
  EXPECT_EQ(report->entries, 6U);
  EXPECT_EQ(report->files, 2U);
  EXPECT_EQ(report->directories, 2U);
  EXPECT_EQ(report->symlinks, 1U);
  EXPECT_EQ(report->special, 1U);
  EXPECT_EQ(report->bytes, 25U);
  EXPECT_THAT(report->unreadable_directories, IsEmpty());
  EXPECT_THAT(messages_, IsEmpty());
}

TEST_F(HostDirectory, ReadsASocket) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  At("s").copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ::close(fd);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(Show(), "s s\n");
}

TEST_F(HostDirectory, KeepsModeOwnerAndTimes) {
  Dir("d");
  File("d/f", "x");
  ASSERT_EQ(::chmod(At("d/f").c_str(), 06755), 0);
  ASSERT_EQ(::chmod(At("d").c_str(), 03770), 0);
  SetMtime("d/f", 1'500'000'000, 123'456'789);
  SetMtime("d", -5, 7);
  struct stat host {};
  ASSERT_EQ(::lstat(At("d/f").c_str(), &host), 0);
  ASSERT_TRUE(Read().ok());
  const Stat file = StatOf(fs_, fs_.root(), "d/f");
  EXPECT_EQ(file.mode, 06755);
  EXPECT_EQ(file.uid, ::getuid());
  EXPECT_EQ(file.mtime, InstantFromSeconds(1'500'000'000, 123'456'789));
  EXPECT_EQ(file.atime, InstantFromSeconds(1'499'999'990, 123'456'789));
  EXPECT_EQ(file.ctime, InstantFromSeconds(host.st_ctim.tv_sec, host.st_ctim.tv_nsec));
  const Stat dir = StatOf(fs_, fs_.root(), "d");
  EXPECT_EQ(dir.mode, 03770);
  EXPECT_EQ(dir.mtime, InstantFromSeconds(-5, 7));
}

TEST_F(HostDirectory, TargetGetsTheAttributesOfTheDirectoryItself) {
  File("f", "");
  ASSERT_EQ(::chmod(top_.c_str(), 0711), 0);
  SetMtime("", 1000, 5);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(StatOf(fs_, fs_.root(), "").mode, 0711);
  EXPECT_EQ(StatOf(fs_, fs_.root(), "").mtime, InstantFromSeconds(1000, 5));
}

TEST_F(HostDirectory, NamesOfOneFileAreOneNode) {
  Dir("d");
  File("a", "x");
  ASSERT_EQ(::link(At("a").c_str(), At("d/b").c_str()), 0);
  const absl::StatusOr<HostDirectoryReport> report = Read();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(StatOf(fs_, fs_.root(), "a").node, StatOf(fs_, fs_.root(), "d/b").node);
  EXPECT_EQ(StatOf(fs_, fs_.root(), "a").nlink, 2U);
  EXPECT_EQ(report->hard_links, 1U);
  EXPECT_EQ(report->bytes, 1U);
}

TEST_F(HostDirectory, ReadsUserXattrs) {
  File("f", "");
  const std::string value("a\0b", 3);
  if (::setxattr(At("f").c_str(), "user.k", value.data(), value.size(), 0) != 0) {
    GTEST_SKIP() << "the host's file system has no user xattrs";
  }
  ASSERT_EQ(::setxattr(At("f").c_str(), "user.empty", "", 0, 0), 0);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(Show(), "f f \"\" [user.empty=] [user.k=a\\000b]\n");
}

TEST_F(HostDirectory, LeavesXattrsOutWhenAsked) {
  File("f", "");
  if (::setxattr(At("f").c_str(), "user.k", "v", 1, 0) != 0) {
    GTEST_SKIP() << "the host's file system has no user xattrs";
  }
  options_.xattrs = false;
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(Show(), "f f \"\"\n");
}

TEST_F(HostDirectory, UpperOfARealOverlayIsReadAsItIs) {
  Dir("d");
  if (::mknod(At("d/gone").c_str(), S_IFCHR, ::makedev(0, 0)) != 0 ||
      ::setxattr(At("d").c_str(), "trusted.overlay.opaque", "y", 1, 0) != 0) {
    GTEST_SKIP() << "needs root and a file system with trusted xattrs";
  }
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(Show(), "d d [trusted.overlay.opaque=y]\nc d/gone 0:0\n");
}

TEST_F(HostDirectory, HolesStayHoles) {
  File("f", "head");
  ASSERT_EQ(::truncate(At("f").c_str(), 1 << 20), 0);
  ASSERT_TRUE(Read().ok());
  const Result<std::string> body = Body("f");
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(*body, "head" + std::string((1 << 20) - 4, '\0'));
  EXPECT_LE(StatOf(fs_, fs_.root(), "f").allocated_sectors, 8U);
}

TEST_F(HostDirectory, ExampleOfTheReadme) {
  const std::string host_path = top_;
  const std::string tar_path = At("layer.tar");
  File("layer.tar", test::TarBuilder().File("f", "from the tar").Done());
  MemFs base;
  absl::StatusOr<LayerTarReport> tar = ReadLayerTarFile(tar_path, base, base.root());
  MemFs upper;
  absl::StatusOr<HostDirectoryReport> dir = ReadHostDirectory(host_path, upper, upper.root());
  ASSERT_TRUE(tar.ok()) << tar.status();
  EXPECT_EQ(test::TreeText(base, base.root(), TreeDetail::kBrief), "f f \"from the tar\"\n");
  ASSERT_TRUE(dir.ok()) << dir.status();
  EXPECT_EQ(dir->files, 1U);
}

// ── Bodies are read later ──────────────────────────────────────────────────────────────────────

TEST_F(HostDirectory, BodyIsReadAtTheFirstReadAndKept) {
  File("f", "text");
  ASSERT_TRUE(Read().ok());
  ASSERT_EQ(*Body("f"), "text");
  std::filesystem::remove(At("f"));
  EXPECT_EQ(*Body("f"), "text");
}

TEST_F(HostDirectory, FileThatGrewSinceIsAnError) {
  File("f", "text");
  ASSERT_TRUE(Read().ok());
  File("f", "text and more");
  EXPECT_EQ(Body("f").error(), Errno::kIo);
  EXPECT_THAT(messages_, ElementsAre(AllOf(HasSubstr(At("f")), HasSubstr("4 bytes then, 13 now"))));
}

TEST_F(HostDirectory, FileThatChangedInPlaceSinceIsAnErrorForEver) {
  File("f", "text");
  SetMtime("f", 100, 0);
  ASSERT_TRUE(Read().ok());
  File("f", "TEXT");
  EXPECT_EQ(Body("f").error(), Errno::kIo);
  EXPECT_THAT(messages_, ElementsAre(HasSubstr("its mtime is another one")));
  SetMtime("f", 100, 0);
  EXPECT_EQ(Body("f").error(), Errno::kIo);
}

TEST_F(HostDirectory, FileThatWasReplacedSinceIsAnError) {
  File("f", "text");
  SetMtime("f", 100, 0);
  ASSERT_TRUE(Read().ok());
  File("g", "text");
  SetMtime("g", 100, 0);
  std::filesystem::rename(At("g"), At("f"));
  EXPECT_EQ(Body("f").error(), Errno::kIo);
  EXPECT_THAT(messages_, ElementsAre(HasSubstr("is another file")));
}

TEST_F(HostDirectory, FileThatIsGoneIsAnError) {
  File("f", "text");
  ASSERT_TRUE(Read().ok());
  std::filesystem::remove(At("f"));
  EXPECT_EQ(Body("f").error(), Errno::kIo);
  EXPECT_THAT(messages_, ElementsAre(HasSubstr("No such file")));
}

TEST_F(HostDirectory, SymlinkInPlaceOfTheFileIsNotFollowed) {
  File("f", "text");
  ASSERT_TRUE(Read().ok());
  std::filesystem::rename(At("f"), At("real"));
  ASSERT_EQ(::symlink("real", At("f").c_str()), 0);
  EXPECT_EQ(Body("f").error(), Errno::kIo);
  EXPECT_THAT(messages_, ElementsAre(HasSubstr("cannot be opened any more")));
}

TEST_F(HostDirectory, SymlinkInPlaceOfADirectoryIsNotFollowed) {
  Dir("d");
  File("d/f", "text");
  ASSERT_TRUE(Read().ok());
  std::filesystem::rename(At("d"), At("real"));
  ASSERT_EQ(::symlink("real", At("d").c_str()), 0);
  EXPECT_EQ(Body("d/f").error(), Errno::kIo);
  EXPECT_THAT(messages_, ElementsAre(AllOf(HasSubstr(At("d/f")), HasSubstr("Not a directory"))));
}

TEST_F(HostDirectory, FifoInPlaceOfTheFileDoesNotBlock) {
  File("f", "text");
  ASSERT_TRUE(Read().ok());
  std::filesystem::remove(At("f"));
  ASSERT_EQ(::mkfifo(At("f").c_str(), 0600), 0);
  EXPECT_EQ(Body("f").error(), Errno::kIo);
}

TEST_F(HostDirectory, BodiesSurviveARenameOfTheWholeDirectory) {
  Dir("d");
  File("d/f", "text");
  ASSERT_TRUE(Read().ok());
  const std::string moved = top_ + "_moved";
  std::filesystem::rename(top_, moved);
  EXPECT_EQ(*Body("d/f"), "text");
  std::filesystem::rename(moved, top_);
}

TEST_F(HostDirectory, NothingOnTheHostChanges) {
  File("f", "text");
  SetMtime("f", 2'000'000'000, 0);
  struct stat before {};
  ASSERT_EQ(::stat(At("f").c_str(), &before), 0);
  ASSERT_TRUE(Read().ok());
  ASSERT_EQ(*Body("f"), "text");
  struct stat after {};
  ASSERT_EQ(::stat(At("f").c_str(), &after), 0);
  EXPECT_EQ(after.st_atim.tv_sec, before.st_atim.tv_sec);
  EXPECT_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
}

// ── Trouble while reading ──────────────────────────────────────────────────────────────────────

TEST_F(HostDirectory, SymlinksAreNeverEntered) {
  Dir("d");
  ASSERT_EQ(::symlink("/", At("d/root").c_str()), 0);
  ASSERT_EQ(::symlink(".", At("d/self").c_str()), 0);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(Show(), "d d\nl d/root -> /\nl d/self -> .\n");
}

TEST_F(HostDirectory, DeeperThanTheNumberOfDescriptors) {
  std::string path = top_;
  int dir = ::open(top_.c_str(), O_PATH | O_DIRECTORY);
  for (int depth = 0; depth < 3000; ++depth) {
    ASSERT_EQ(::mkdirat(dir, "d", 0755), 0);
    const int next = ::openat(dir, "d", O_PATH | O_DIRECTORY);
    ::close(dir);
    dir = next;
  }
  ::close(dir);
  const absl::StatusOr<HostDirectoryReport> report = Read();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->directories, 3000U);
}

// Gives the file-system rights of root away for a while.
class AsNobody {
 public:
  AsNobody() : changed_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  ~AsNobody() {
    if (changed_) changed_ = ::seteuid(0) != 0;
  }

 private:
  bool changed_;
};

TEST_F(HostDirectory, UnreadableDirectoryIsAnErrorThatNamesIt) {
  Dir("d");
  ASSERT_EQ(::chmod(top_.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(At("d").c_str(), 0), 0);
  File("f", "");
  const AsNobody nobody;
  const absl::StatusOr<HostDirectoryReport> report = Read();
  EXPECT_EQ(report.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr(At("d")));
  EXPECT_EQ(Show(), "");
}

TEST_F(HostDirectory, UnreadableDirectoryIsSkippedAndReportedWhenAsked) {
  Dir("d");
  ASSERT_EQ(::chmod(top_.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(At("d").c_str(), 0), 0);
  File("f", "");
  ASSERT_EQ(::chmod(At("f").c_str(), 0644), 0);
  options_.unreadable = UnreadableDirectory::kSkip;
  const AsNobody nobody;
  const absl::StatusOr<HostDirectoryReport> report = Read();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->unreadable_directories, ElementsAre(At("d")));
  EXPECT_EQ(Show(), "d d\nf f \"\"\n");
  EXPECT_EQ(StatOf(fs_, fs_.root(), "d").mode, 0);
}

TEST_F(HostDirectory, FilesWithoutReadPermissionFailWhenTheyAreRead) {
  File("f", "secret");
  ASSERT_EQ(::chmod(top_.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(At("f").c_str(), 0), 0);
  const AsNobody nobody;
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(Body("f").error(), Errno::kIo);
  EXPECT_THAT(messages_, ElementsAre(HasSubstr("Permission denied")));
}

TEST_F(HostDirectory, ReadsAKernelFileSystemOrNamesWhatIsGone) {
  const std::string self = absl::StrFormat("/proc/%d/fdinfo", ::getpid());
  const absl::StatusOr<HostDirectoryReport> report =
      ReadHostDirectory(self, fs_, fs_.root(), options_);
  // The descriptor that lists the directory is listed itself, and gone when we look.
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr(self + "/"));
}

TEST_F(HostDirectory, MissingPathAndFileInPlaceOfADirectory) {
  File("f", "");
  EXPECT_EQ(ReadHostDirectory(At("none"), fs_, fs_.root()).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadHostDirectory(At("f"), fs_, fs_.root()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(HostDirectory, OverTheLimitOfEntriesNothingIsRead) {
  File("a", "");
  File("b", "");
  options_.max_entries = 1;
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Show(), "");
}

TEST_F(HostDirectory, NameThatIsThereAlreadyIsAnError) {
  Dir("a");
  File("b", "");
  ASSERT_TRUE(Read().ok());
  const std::string before = test::TreeText(fs_, fs_.root(), TreeDetail::kBrief);
  const absl::StatusOr<HostDirectoryReport> again = Read();
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(again.status().message()), HasSubstr(At("a")));
  EXPECT_EQ(test::TreeText(fs_, fs_.root(), TreeDetail::kBrief), before);
}

}  // namespace
}  // namespace lamina
