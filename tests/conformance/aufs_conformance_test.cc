// AUFS keeps the contract of FileSystem: alone, over read-only branches, and with several writable
// ones. (With a policy that spreads names over branches it does not: a directory cannot follow
// another one to its branch, and a clone needs one branch.)
#include "lamina/base/check.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/union/aufs.h"
#include "tests/conformance/file_system_suite.h"

namespace lamina {
namespace {

class AufsHolder : public FileSystemHolder {
 public:
  AufsHolder(int writable, int lowers) : branches_(static_cast<std::size_t>(writable + lowers)) {
    const Credentials root = RootCredentials();
    const OpContext op{root, kSimulationStart, Probe()};
    AufsMount mount;
    for (int i = 0; i < writable + lowers; ++i) {
      MemFs& fs = branches_[static_cast<std::size_t>(i)];
      if (i >= writable) fs.Freeze();
      AufsMode mode;
      if (i < writable) mode.permission = AufsPermission::kReadWrite;
      mode.whiteouts = i >= writable;
      mount.branches.push_back({{&fs, fs.root(), {}, "b" + std::to_string(i)}, mode});
    }
    Result<std::unique_ptr<UnionFs>> mounted = MountAufs(op, mount);
    LAMINA_CHECK(mounted.ok());
    union_ = *std::move(mounted);
  }
  FileSystem& fs() override { return *union_; }

 private:
  std::vector<MemFs> branches_;
  std::unique_ptr<UnionFs> union_;
};

FileSystemFactory Aufs(std::string name, int writable, int lowers) {
  return {std::move(name), SuiteScope::kUnion,
          [=] { return std::make_unique<AufsHolder>(writable, lowers); }, nullptr};
}

INSTANTIATE_TEST_SUITE_P(Aufs, FileSystemConformance,
                         testing::Values(Aufs("OneBranch", 1, 0), Aufs("ThreeLowers", 1, 3),
                                         Aufs("ThreeWritable", 3, 1)),
                         FileSystemFactoryName);

}  // namespace
}  // namespace lamina
