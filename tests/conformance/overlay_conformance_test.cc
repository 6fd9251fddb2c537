// An overlay with an empty lower keeps the contract of FileSystem; so does one over a full lower.
#include "lamina/base/check.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/union/overlay.h"
#include "tests/conformance/file_system_suite.h"

namespace lamina {
namespace {

class OverlayHolder : public FileSystemHolder {
 public:
  explicit OverlayHolder(int lowers, const MemFsOptions& options = {})
      : home_(options), lowers_(static_cast<std::size_t>(lowers)) {
    const Credentials root = RootCredentials();
    const OpContext op{root, kSimulationStart, Probe()};
    OverlayMount mount;
    for (MemFs& lower : lowers_) {
      lower.Freeze();
      mount.lowers.push_back({&lower, lower.root(), {}, "lower"});
    }
    mount.upper = MakeDirectory(op, "upper");
    mount.work = MakeDirectory(op, "work");
    Result<std::unique_ptr<UnionFs>> mounted = MountOverlay(op, mount);
    LAMINA_CHECK(mounted.ok());
    union_ = *std::move(mounted);
  }
  FileSystem& fs() override { return *union_; }

 private:
  DirectoryRef MakeDirectory(const OpContext& op, std::string_view name) {
    Result<NodeId> made =
        home_.Create(op, {home_.root(), name}, {.type = FileType::kDirectory, .mode = 0755});
    LAMINA_CHECK(made.ok());
    return {&home_, *made, {home_.root()}, std::string(name)};
  }

  MemFs home_;
  std::vector<MemFs> lowers_;
  std::unique_ptr<UnionFs> union_;
};

FileSystemFactory Overlay(std::string name, int lowers) {
  return {std::move(name), SuiteScope::kUnion,
          [lowers] { return std::make_unique<OverlayHolder>(lowers); }, nullptr};
}

INSTANTIATE_TEST_SUITE_P(Overlay, FileSystemConformance,
                         testing::Values(Overlay("OneLower", 1), Overlay("ThreeLowers", 3)),
                         FileSystemFactoryName);

}  // namespace
}  // namespace lamina
