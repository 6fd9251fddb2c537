// MemFs keeps the contract of FileSystem; so does one behind the decorators.
#include "lamina/fs/forwarding.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/synchronized.h"
#include "tests/conformance/file_system_suite.h"

namespace lamina {
namespace {

class MemFsHolder : public FileSystemHolder {
 public:
  explicit MemFsHolder(const MemFsOptions& options = {}) : fs_(options) {}
  FileSystem& fs() override { return fs_; }

 private:
  MemFs fs_;
};

template <typename Decorator>
class DecoratedHolder : public FileSystemHolder {
 public:
  FileSystem& fs() override { return decorator_; }

 private:
  MemFs target_;
  Decorator decorator_{target_};
};

template <typename Holder>
std::unique_ptr<FileSystemHolder> Make() {
  return std::make_unique<Holder>();
}

std::unique_ptr<FileSystemHolder> MakeSmall(std::uint64_t bytes, std::uint64_t nodes) {
  return std::make_unique<MemFsHolder>(
      MemFsOptions{.capacity_bytes = bytes, .capacity_nodes = nodes});
}

INSTANTIATE_TEST_SUITE_P(
    MemFs, FileSystemConformance,
    testing::Values(FileSystemFactory{"Plain", SuiteScope::kPlain, Make<MemFsHolder>, MakeSmall},
                    FileSystemFactory{"Forwarded", SuiteScope::kPlain,
                                      Make<DecoratedHolder<ForwardingFileSystem>>, nullptr},
                    FileSystemFactory{"Synchronized", SuiteScope::kPlain,
                                      Make<DecoratedHolder<SynchronizedFileSystem>>, nullptr}),
    FileSystemFactoryName);

}  // namespace
}  // namespace lamina
