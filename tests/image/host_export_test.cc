// Trees written to directories of the host, on real files in a temporary directory.
#include "lamina/image/host_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_format.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/image/host_dir.h"
#include "tests/image/tree_text.h"

namespace lamina {
namespace {

using test::TreeDetail;
using testing::HasSubstr;

class HostExport : public testing::Test {
 protected:
  HostExport() : process_(fs_, fs_.root(), {.clock = &clock_}) {
    process_.set_umask(0);
    std::string pattern = testing::TempDir() + "/lamina_export_XXXXXX";
    top_ = ::mkdtemp(pattern.data());
  }
  ~HostExport() override { std::filesystem::remove_all(top_); }

  std::string At(std::string_view path) const { return absl::StrFormat("%s/%s", top_, path); }

  void File(std::string_view path, std::string_view body, std::uint16_t mode = 0644) {
    const Result<Process::Fd> fd =
        process_.Open(path, {.access = Access::kWrite, .create = true}, mode);
    ASSERT_TRUE(fd.ok());
    ASSERT_TRUE(process_.Write(*fd, AsBytes(body)).ok());
    ASSERT_TRUE(process_.Close(*fd).ok());
  }
  void SetTimes(std::string_view path, Instant atime, Instant mtime) {
    const TimeChange a{TimeChange::Kind::kAt, atime};
    const TimeChange m{TimeChange::Kind::kAt, mtime};
    ASSERT_TRUE(process_.Utimens(path, a, m, LastLink::kKeep).ok());
  }
  absl::StatusOr<HostExportReport> Write(std::string_view to = "out") {
    const Credentials root = RootCredentials();
    const OpContext op{root, clock_.now(), Probe()};
    return WriteHostDirectory(op, fs_, fs_.root(), At(to), options_);
  }
  // The directory read back, as text.
  std::string ReadBack(std::string_view from = "out", TreeDetail detail = TreeDetail::kBrief) {
    MemFs back;
    const absl::StatusOr<HostDirectoryReport> read = ReadHostDirectory(At(from), back, back.root());
    if (!read.ok()) return std::string(read.status().message());
    return test::TreeText(back, back.root(), detail);
  }
  struct stat HostStat(std::string_view path) const {
    struct stat stat {};
    EXPECT_EQ(::lstat(At(path).c_str(), &stat), 0) << path;
    return stat;
  }

  std::string top_;
  Clock clock_;
  MemFs fs_;
  Process process_;
  HostExportOptions options_;
};

TEST_F(HostExport, WritesNamesTypesAndBodies) {
  ASSERT_TRUE(process_.Mkdir("/a", 0755).ok());
  ASSERT_TRUE(process_.Mkdir("/a/b", 0755).ok());
  File("/a/b/f", "text");
  ASSERT_TRUE(process_.Symlink("../nowhere", "/a/l").ok());
  ASSERT_TRUE(process_.Mknod("/p", FileType::kFifo, 0600, 0).ok());
  ASSERT_TRUE(process_.Mknod("/s", FileType::kSocket, 0600, 0).ok());
  File("/empty", "");
  options_.unpermitted = Unpermitted::kLeaveOut;  // owners, where this is not run by root
  const absl::StatusOr<HostExportReport> report = Write();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(ReadBack(),
            "d a\n"
            "d a/b\n"
            "f a/b/f \"text\"\n"
            "l a/l -> ../nowhere\n"
            "f empty \"\"\n"
            "p p\n"
            "s s\n");
  EXPECT_EQ(report->entries, 7U);
  EXPECT_EQ(report->files, 2U);
  EXPECT_EQ(report->directories, 2U);
  EXPECT_EQ(report->symlinks, 1U);
  EXPECT_EQ(report->special, 2U);
  EXPECT_EQ(report->bytes, 4U);
  EXPECT_EQ(report->devices_left_out, 0U);
}

TEST_F(HostExport, WritesIntoAnEmptyDirectoryThatIsThere) {
  std::filesystem::create_directory(At("out"));
  File("/f", "text");
  ASSERT_TRUE(process_.Chmod("/", 0711).ok());
  options_.unpermitted = Unpermitted::kLeaveOut;
  ASSERT_TRUE(Write().ok());
  EXPECT_EQ(ReadBack(), "f f \"text\"\n");
  EXPECT_EQ(HostStat("out").st_mode & 07777U, 0711U);
}

TEST_F(HostExport, KeepsModesAndTimes) {
  ASSERT_TRUE(process_.Mkdir("/d", 01750).ok());
  File("/d/f", "x", 0604);
  ASSERT_TRUE(process_.Symlink("x", "/d/l").ok());
  SetTimes("/d/f", InstantFromSeconds(5, 6), InstantFromSeconds(1'500'000'000, 123'456'789));
  SetTimes("/d/l", InstantFromSeconds(7), InstantFromSeconds(8, 9));
  SetTimes("/d", InstantFromSeconds(10), InstantFromSeconds(-5, 7));
  options_.unpermitted = Unpermitted::kLeaveOut;
  ASSERT_TRUE(Write().ok());
  EXPECT_EQ(HostStat("out/d/f").st_mode & 07777U, 0604U);
  EXPECT_EQ(HostStat("out/d/f").st_atim.tv_sec, 5);
  EXPECT_EQ(HostStat("out/d/f").st_mtim.tv_sec, 1'500'000'000);
  EXPECT_EQ(HostStat("out/d/f").st_mtim.tv_nsec, 123'456'789);
  EXPECT_EQ(HostStat("out/d/l").st_mtim.tv_sec, 8);
  EXPECT_EQ(HostStat("out/d/l").st_mtim.tv_nsec, 9);
  EXPECT_EQ(HostStat("out/d").st_mode & 07777U, 01750U);
  EXPECT_EQ(HostStat("out/d").st_mtim.tv_sec, -5);
  EXPECT_EQ(HostStat("out/d").st_mtim.tv_nsec, 7);
}

TEST_F(HostExport, NamesOfOneFileAreOneFile) {
  ASSERT_TRUE(process_.Mkdir("/a", 0755).ok());
  ASSERT_TRUE(process_.Mkdir("/a/b", 0700).ok());
  ASSERT_TRUE(process_.Mkdir("/z", 0755).ok());
  File("/a/b/f", "text");
  ASSERT_TRUE(process_.Link("/a/b/f", "/z/g", LastLink::kKeep).ok());
  ASSERT_TRUE(process_.Link("/a/b/f", "/h", LastLink::kKeep).ok());
  options_.unpermitted = Unpermitted::kLeaveOut;
  const absl::StatusOr<HostExportReport> report = Write();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->hard_links, 2U);
  EXPECT_EQ(report->files, 1U);
  EXPECT_EQ(report->bytes, 4U);
  EXPECT_EQ(HostStat("out/h").st_nlink, 3U);
  EXPECT_EQ(HostStat("out/h").st_ino, HostStat("out/z/g").st_ino);
  EXPECT_EQ(HostStat("out/h").st_ino, HostStat("out/a/b/f").st_ino);
}

TEST_F(HostExport, HolesStayHoles) {
  File("/f", "head");
  ASSERT_TRUE(process_.Truncate("/f", 1 << 24).ok());
  options_.unpermitted = Unpermitted::kLeaveOut;
  ASSERT_TRUE(Write().ok());
  EXPECT_EQ(HostStat("out/f").st_size, 1 << 24);
  EXPECT_LE(HostStat("out/f").st_blocks, 2048);
  std::ifstream file(At("out/f"), std::ios::binary);
  std::string head(8, 'x');
  file.read(head.data(), 8);
  EXPECT_EQ(head, std::string("head\0\0\0\0", 8));
}

TEST_F(HostExport, LongBodyArrivesWhole) {
  std::string body;
  for (int line = 0; body.size() < 700'000; ++line) body += std::to_string(line);
  File("/f", body);
  options_.unpermitted = Unpermitted::kLeaveOut;
  ASSERT_TRUE(Write().ok());
  std::ifstream file(At("out/f"), std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), body);
}

TEST_F(HostExport, UpperOfAnOverlayIsWrittenAsItIs) {
  if (::geteuid() != 0) GTEST_SKIP() << "owners, devices and trusted xattrs need root";
  ASSERT_TRUE(process_.Mkdir("/d", 02770).ok());
  ASSERT_TRUE(process_.Chown("/d", 1000, 1001, LastLink::kKeep).ok());
  ASSERT_TRUE(process_.Chmod("/d", 02770).ok());
  const std::string opaque = "trusted.overlay.opaque";
  ASSERT_TRUE(process_.Setxattr("/d", opaque, "y", XattrMode::kSet, LastLink::kKeep).ok());
  ASSERT_TRUE(process_.Mknod("/d/gone", FileType::kCharDevice, 0, MakeDevice(0, 0)).ok());
  ASSERT_TRUE(process_.Mknod("/b", FileType::kBlockDevice, 0640, MakeDevice(200, 7)).ok());
  File("/f", "x", 0);
  ASSERT_TRUE(process_.Chown("/f", 1000, 1001, LastLink::kKeep).ok());
  ASSERT_TRUE(process_.Chmod("/f", 06751).ok());
  const std::string caps = std::string("\1\0\0\2", 4) + std::string(16, '\0');
  ASSERT_TRUE(
      process_.Setxattr("/f", "security.capability", caps, XattrMode::kSet, LastLink::kKeep).ok());
  const std::string probe = At("probe");
  std::ofstream(probe) << "x";
  if (::setxattr(probe.c_str(), "trusted.t", "1", 1, 0) != 0) {
    GTEST_SKIP() << "the temporary directory has no trusted xattrs";
  }
  const absl::StatusOr<HostExportReport> report = Write();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(ReadBack(), test::TreeText(fs_, fs_.root(), TreeDetail::kBrief));
  EXPECT_THAT(ReadBack(), HasSubstr("d d [trusted.overlay.opaque=y]\nc d/gone 0:0\nf f"));
  EXPECT_EQ(HostStat("out/f").st_mode & 07777U, 06751U);
  EXPECT_EQ(HostStat("out/f").st_uid, 1000U);
  EXPECT_EQ(HostStat("out/f").st_gid, 1001U);
  EXPECT_EQ(HostStat("out/d").st_mode & 07777U, 02770U);
}

// Few descriptors for a while.
class WithDescriptors {
 public:
  explicit WithDescriptors(rlim_t count) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{count, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~WithDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(HostExport, DeeperThanTheNumberOfDescriptors) {
  const Credentials root = RootCredentials();
  const OpContext op{root, clock_.now(), Probe()};
  NodeId dir = fs_.root();
  for (int depth = 0; depth < 300; ++depth) {
    const Result<NodeId> made = fs_.Create(op, {dir, "d"}, {FileType::kDirectory, 0755, 0, {}});
    ASSERT_TRUE(made.ok());
    dir = *made;
  }
  options_.unpermitted = Unpermitted::kLeaveOut;
  const WithDescriptors few(40);
  const absl::StatusOr<HostExportReport> report = Write();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->directories, 300U);
}

// ── What is refused ────────────────────────────────────────────────────────────────────────────

TEST_F(HostExport, DirectoryThatHoldsSomethingIsRefusedAndLeftAlone) {
  std::filesystem::create_directory(At("out"));
  std::ofstream(At("out/mine")) << "mine";
  File("/f", "text");
  const absl::StatusOr<HostExportReport> report = Write();
  EXPECT_EQ(report.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr(At("out") + ": the directory"));
  EXPECT_EQ(ReadBack(), "f mine \"mine\"\n");
}

TEST_F(HostExport, FileInPlaceOfTheDirectoryAndMissingParent) {
  std::ofstream(At("file")) << "mine";
  EXPECT_EQ(Write("file").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Write("none/out").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(HostExport, OnlyADirectoryCanBeWritten) {
  File("/f", "text");
  const Credentials root = RootCredentials();
  const OpContext op{root, clock_.now(), Probe()};
  const NodeId file = test::Find(fs_, fs_.root(), "f");
  EXPECT_EQ(WriteHostDirectory(op, fs_, file, At("out")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(At("out")));
}

class UnreadableContent : public LazyContent {
 public:
  Result<std::shared_ptr<const PagedBytes>> Load() override { return Errno::kIo; }
};

TEST_F(HostExport, BodyThatCannotBeReadIsAnErrorThatNamesIt) {
  const Credentials root = RootCredentials();
  const OpContext op{root, clock_.now(), Probe()};
  const NewNode node{FileType::kRegular, 0644, 0, {}};
  ASSERT_TRUE(
      fs_.CreateLazy(op, {fs_.root(), "f"}, node, 4, std::make_shared<UnreadableContent>()).ok());
  const absl::StatusOr<HostExportReport> report = Write();
  EXPECT_EQ(report.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr(At("out/f")));
}

// ── Without the rights of root ─────────────────────────────────────────────────────────────────

// Gives the rights of root away for a while.
class AsNobody {
 public:
  AsNobody() : changed_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  ~AsNobody() {
    if (changed_) changed_ = ::seteuid(0) != 0;
  }

 private:
  bool changed_;
};

TEST_F(HostExport, OwnerThatMayNotBeSetIsAnError) {
  ASSERT_EQ(::chmod(top_.c_str(), 0777), 0);
  File("/f", "text");
  const AsNobody nobody;
  const absl::StatusOr<HostExportReport> report = Write();
  EXPECT_EQ(report.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("its owner cannot be set"));
}

TEST_F(HostExport, WhatMayNotBeWrittenIsLeftOutAndCountedWhenAsked) {
  ASSERT_EQ(::chmod(top_.c_str(), 0777), 0);
  File("/f", "text", 0755);
  ASSERT_TRUE(process_.Chmod("/f", 06755).ok());
  ASSERT_TRUE(process_.Setxattr("/f", "trusted.t", "1", XattrMode::kSet, LastLink::kKeep).ok());
  ASSERT_TRUE(process_.Mknod("/b", FileType::kBlockDevice, 0600, MakeDevice(200, 7)).ok());
  options_.unpermitted = Unpermitted::kLeaveOut;
  const AsNobody nobody;
  const absl::StatusOr<HostExportReport> report = Write();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(ReadBack(), "f f \"text\"\n");
  EXPECT_EQ(report->owners_left_out, 2U);
  EXPECT_EQ(report->xattrs_left_out, 1U);
  EXPECT_EQ(report->devices_left_out, 1U);
  EXPECT_EQ(HostStat("out/f").st_mode & 07777U, 0755U);
}

}  // namespace
}  // namespace lamina
