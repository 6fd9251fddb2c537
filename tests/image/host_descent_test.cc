// A walk through a directory of the host, while somebody else changes it.
#include "vfs/image/host_descent.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace lamina {
namespace {

using testing::HasSubstr;

class HostDescentTest : public testing::Test {
 protected:
  HostDescentTest() {
    std::string pattern = testing::TempDir() + "/lamina_descent_XXXXXX";
    top_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directories(top_ / "a/b/c");
    std::filesystem::create_directories(top_ / "other");
  }
  ~HostDescentTest() override { std::filesystem::remove_all(top_); }

  void Enter(HostDescent& at, const std::filesystem::path& path, std::vector<std::string> names) {
    HostFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat stat {};
    ASSERT_EQ(::fstat(fd.get(), &stat), 0);
    HostDescent::Directory directory;
    directory.dev = stat.st_dev;
    directory.ino = stat.st_ino;
    directory.names = std::move(names);
    at.Enter(std::move(directory), std::move(fd));
  }
  // At /a/b, which has the names c and d.
  void EnterTwo(HostDescent& at) {
    Enter(at, top_, {"a"});
    ASSERT_EQ(*at.Next(), "a");
    Enter(at, top_ / "a", {"b"});
    ASSERT_EQ(*at.Next(), "b");
    Enter(at, top_ / "a/b", {"c", "d"});
  }

  std::filesystem::path top_;
};

TEST_F(HostDescentTest, GoesThroughNamesAndBackUp) {
  HostDescent at(top_.string(), O_PATH);
  EnterTwo(at);
  EXPECT_EQ(*at.Next(), "c");
  EXPECT_EQ(at.path(), "a/b/c");
  EXPECT_EQ(*at.Next(), "d");
  EXPECT_EQ(at.FullPath(), top_.string() + "/a/b/d");
  EXPECT_EQ(at.Next(), nullptr);

  absl::StatusOr<HostDescent::Left> left = at.Leave();
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(at.path(), "a/b");
  EXPECT_NE(left->fd.get(), at.fd());
  EXPECT_EQ(at.Next(), nullptr);
  ASSERT_TRUE(at.Leave().ok());
  EXPECT_EQ(at.path(), "a");
  ASSERT_TRUE(at.Leave().ok());
  EXPECT_EQ(at.FullPath(), top_.string());
  EXPECT_TRUE(at.at_end());
}

TEST_F(HostDescentTest, NoticesThatTheDirectoryWasMoved) {
  HostDescent at(top_.string(), O_PATH);
  EnterTwo(at);
  std::filesystem::rename(top_ / "a/b", top_ / "other/b");
  const absl::Status status = at.Leave().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/a/b: the directory was moved"));
}

TEST_F(HostDescentTest, FollowsADirectoryThatWasMovedWithTheOneAboveIt) {
  HostDescent at(top_.string(), O_PATH);
  EnterTwo(at);
  std::filesystem::rename(top_ / "a", top_ / "other/a");
  EXPECT_TRUE(at.Leave().ok());
  EXPECT_EQ(at.Leave().status().code(), absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace lamina
