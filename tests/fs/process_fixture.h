// A Process on a MemFs with one tree that has everything the calls can trip over.
//
//   / 1777     f "hi" 0644   mine "m" 0644 (1000)   suid 4755 (1000)   p fifo 0666   null c 1:3
//   /d         e/  e/x/  e/file          shut/ 0700   shut/f       open/ 0777   open/user/ (1000)
//   lf -> f    ld -> d    lm -> missing/   lfs -> f/   dangling -> nothing    loop -> loop
//
// The expected answers were taken from Linux 6.18 on tmpfs with the same tree.
#ifndef LAMINA_TESTS_FS_PROCESS_FIXTURE_H_
#define LAMINA_TESTS_FS_PROCESS_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>

#include "lamina/fs/mem_fs.h"
#include "lamina/fs/permission.h"
#include "lamina/fs/process.h"

namespace lamina {

using Fd = Process::Fd;

// "OK" or the name of the error.
template <typename T>
std::string Said(const Result<T>& result) {
  return result.ok() ? "OK" : std::string(ErrnoName(result.error()));
}

inline constexpr TimeChange kTimeNow{.kind = TimeChange::Kind::kNow, .at = {}};
inline constexpr TimeChange kTimeKept{.kind = TimeChange::Kind::kKeep, .at = {}};
inline constexpr TimeChange kTimeSet{.kind = TimeChange::Kind::kAt, .at = {1}};

inline OpenHow How(Access access) {
  OpenHow how;
  how.access = access;
  return how;
}

inline OpenHow Creating(Access access = Access::kWrite) {
  OpenHow how = How(access);
  how.create = true;
  return how;
}

class ProcessFixture {
 public:
  ProcessFixture() : process(fs, fs.root(), {.clock = &clock}) {
    process.set_umask(0);
    Must(process.Chmod("/", 01777));
    Put("/f", "hi", 0644);
    Put("/mine", "m", 0644);
    Must(process.Chown("/mine", 1000, 1000, LastLink::kKeep));
    Put("/suid", "s", 0755);
    Must(process.Chown("/suid", 1000, 1000, LastLink::kKeep));
    Must(process.Chmod("/suid", 04755));
    Must(process.Mknod("/p", FileType::kFifo, 0666, 0));
    Must(process.Mknod("/null", FileType::kCharDevice, 0666, MakeDevice(1, 3)));
    Must(process.Mkdir("/d", 0755));
    Must(process.Mkdir("/d/e", 0755));
    Must(process.Mkdir("/d/e/x", 0755));
    Put("/d/e/file", "file", 0644);
    Must(process.Mkdir("/shut", 0700));
    Put("/shut/f", "", 0644);
    Must(process.Mkdir("/open", 0777));
    Must(process.Mkdir("/open/user", 0755));
    Must(process.Chown("/open/user", 1000, 1000, LastLink::kKeep));
    Must(process.Symlink("f", "/lf"));
    Must(process.Symlink("d", "/ld"));
    Must(process.Symlink("missing/", "/lm"));
    Must(process.Symlink("f/", "/lfs"));
    Must(process.Symlink("nothing", "/dangling"));
    Must(process.Symlink("loop", "/loop"));
  }

  Fd MustOpen(std::string_view path, const OpenHow& how, std::uint16_t mode = 0644) {
    Result<Fd> fd = process.Open(path, how, mode);
    EXPECT_TRUE(fd.ok()) << path;
    return *fd;
  }

  void Put(std::string_view path, std::string_view content, std::uint16_t mode) {
    const Fd fd = MustOpen(path, Creating(), mode);
    Result<std::size_t> written = process.Pwrite(fd, AsBytes(content), 0);
    EXPECT_TRUE(written.ok());
    Must(process.Close(fd));
  }

  std::string Content(std::string_view path) {
    Result<std::string> content = process.ReadFile(path);
    return content.ok() ? *content : std::string(ErrnoName(content.error()));
  }

  void BecomeUser(std::uint32_t uid = 1000) { process.set_credentials(UserCredentials(uid, uid)); }

  static void Must(const Result<void>& result) { EXPECT_TRUE(result.ok()) << Said(result); }

  Clock clock;
  MemFs fs;
  Process process;
};

// One call and what it says.
struct CallCase {
  std::string name;
  std::string (*call)(Process& process);
  std::string want;
};

inline void PrintTo(const CallCase& c, std::ostream* out) { *out << c.name; }

inline std::string CallName(const testing::TestParamInfo<CallCase>& info) {
  return info.param.name;
}

class ProcessCallTest : public testing::TestWithParam<CallCase> {
 protected:
  void Check() { EXPECT_THAT(GetParam().call(fixture_.process), testing::Eq(GetParam().want)); }

  ProcessFixture fixture_;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_FS_PROCESS_FIXTURE_H_
