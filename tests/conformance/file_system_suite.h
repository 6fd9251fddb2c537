// FileSystemConformance: what every FileSystem does, asked through the interface only.
//
//   INSTANTIATE_TEST_SUITE_P(MemFs, FileSystemConformance, Values(FileSystemFactory{...}),
//                            FileSystemFactoryName);
//
// The cases live in suite_*.cc, in the library lamina_conformance. A feature that a file system
// need not have is asked for in its FsLimits; where a union may differ from a file system that
// holds its own data, a case begins with `LAMINA_NEEDS(plain())`.
//
// Threads: one.
#ifndef LAMINA_TESTS_CONFORMANCE_FILE_SYSTEM_SUITE_H_
#define LAMINA_TESTS_CONFORMANCE_FILE_SYSTEM_SUITE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lamina/fs/file_system.h"

namespace lamina {

// Owns a file system and everything it stands on.
class FileSystemHolder {
 public:
  virtual ~FileSystemHolder() = default;
  virtual FileSystem& fs() = 0;
};

enum class SuiteScope : std::uint8_t {
  kPlain,  // holds its own data: d_ino is ino, directories count their subdirectories, relatime
  kUnion,  // merges branches, and may differ there
};

struct FileSystemFactory {
  std::string name;
  SuiteScope scope = SuiteScope::kPlain;
  // An empty, writable file system; its root is 0755 and belongs to 0:0.
  std::function<std::unique_ptr<FileSystemHolder>()> make;
  // The same with room for so many bytes and nodes, root included. Absent: space is not tested.
  std::function<std::unique_ptr<FileSystemHolder>(std::uint64_t bytes, std::uint64_t nodes)>
      make_small;
};

inline void PrintTo(const FileSystemFactory& factory, std::ostream* out) { *out << factory.name; }
inline std::string FileSystemFactoryName(const testing::TestParamInfo<FileSystemFactory>& info) {
  return info.param.name;
}

class FileSystemConformance : public testing::TestWithParam<FileSystemFactory> {
 protected:
  FileSystemConformance();
  ~FileSystemConformance() override;  // closes what OpenFor opened

  FileSystem& fs() { return holder_->fs(); }
  NodeId root() { return fs().root(); }
  bool plain() const { return GetParam().scope == SuiteScope::kPlain; }
  // Replaces the file system; false when the factory cannot.
  bool UseSmall(std::uint64_t bytes, std::uint64_t nodes);

  // A call by the current caller, 1 us after the one before.
  OpContext Op();
  // The time of the last Op().
  Instant now() const { return now_; }
  void Advance(std::int64_t seconds) { now_.virtual_ns += seconds * kNanosecondsPerSecond; }
  void ActAs(const Credentials& credentials) { credentials_ = credentials; }

  // Make things; the test ends when that fails.
  NodeId MakeFile(NodeId dir, std::string_view name, std::string_view content = "",
                  std::uint16_t mode = 0644);
  // "f0", "f1", ...
  void MakeFiles(NodeId dir, int count);
  void RemoveFiles(NodeId dir, int count);
  NodeId MakeDir(NodeId dir, std::string_view name, std::uint16_t mode = 0755);
  NodeId MakeLink(NodeId dir, std::string_view name, std::string_view target);
  Result<NodeId> Make(NodeId dir, std::string_view name, FileType type, std::uint16_t mode = 0644);
  HandleId OpenFor(NodeId node, Access access);
  Result<HandleId> TryOpen(NodeId node, OpenFlags flags);
  Opened MakeUnnamed(NodeId dir);
  void Close(HandleId handle);

  // Look at things.
  Result<NodeId> Find(NodeId dir, std::string_view name) { return fs().Lookup(Op(), {dir, name}); }
  Stat StatOf(NodeId node);
  std::string ContentOf(NodeId node);
  std::string ReadAt(HandleId handle, std::uint64_t offset, std::size_t length);
  std::vector<std::string> NamesOf(NodeId dir);
  // Up to `count` names from `*cookie` on, which moves.
  std::vector<std::string> NextNames(HandleId dir, DirCookie* cookie, std::size_t count);

  Result<std::size_t> WriteAt(HandleId handle, std::uint64_t offset, std::string_view text);
  Result<void> Remove(NodeId dir, std::string_view name, FileType expected = FileType::kRegular);
  Result<void> Rename(Place from, Place to, RenameMode mode = RenameMode::kReplace);
  Result<void> Set(NodeId node, const AttrChange& change);
  Result<void> SetKey(NodeId node, std::string_view key, std::string_view value,
                      XattrMode mode = XattrMode::kSet);
  Result<std::string> Key(NodeId node, std::string_view key);
  // Runs `change` and says whether ctime of the node became its time.
  bool ChangesCtime(NodeId node, const std::function<void()>& change);

 private:
  std::unique_ptr<FileSystemHolder> holder_;
  std::vector<HandleId> open_;
  Credentials credentials_ = RootCredentials();
  Instant now_ = InstantFromSeconds(1'800'000'000);
};

// Ends the case when the file system lacks what it is about.
#define LAMINA_NEEDS(condition) \
  if (!(condition)) GTEST_SKIP() << "needs " #condition

MATCHER(Succeeds, negation ? "fails" : "succeeds") {
  if (arg.ok()) return true;
  *result_listener << "error " << ErrnoName(arg.error());
  return false;
}
MATCHER_P(IsErrno, error, "is " + std::string(ErrnoName(error))) {
  if (!arg.ok()) *result_listener << "error " << ErrnoName(arg.error());
  return !arg.ok() && arg.error() == error;
}
MATCHER_P(Gives, value, "gives " + testing::PrintToString(value)) {
  if (arg.ok()) return *arg == value;
  *result_listener << "error " << ErrnoName(arg.error());
  return false;
}

}  // namespace lamina
#endif  // LAMINA_TESTS_CONFORMANCE_FILE_SYSTEM_SUITE_H_
