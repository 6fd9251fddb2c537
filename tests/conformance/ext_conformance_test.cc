// ExtFs keeps the contract of FileSystem: with extents, with indirect blocks, without a journal;
// and after each case its image is clean for e2fsck, where the host has it.
#include "lamina/base/check.h"
#include "lamina/block/mem_disk.h"
#include "lamina/ext/ext_fs.h"
#include "lamina/ext/mkfs.h"
#include "tests/conformance/file_system_suite.h"
#include "tests/ext/host_tools.h"

namespace lamina {
namespace {

const Credentials kRoot = RootCredentials();
const OpContext kOp{kRoot, kSimulationStart, {}};

class ExtHolder : public FileSystemHolder {
 public:
  ExtHolder(ExtVersion version, std::uint64_t disk_bytes) : disk_(MemDisk::SectorsOf(disk_bytes)) {
    auto made = MakeExt(kOp, disk_, {.version = version, .block_bytes = 4096});
    LAMINA_CHECK(made.ok());
    auto mounted = ExtFs::Mount(kOp, disk_, {});
    LAMINA_CHECK(mounted.ok());
    fs_ = *std::move(mounted);
    const Place found{fs_->root(), "lost+found"};
    LAMINA_CHECK(fs_->Remove(kOp, found, FileType::kDirectory).ok());
    LAMINA_CHECK(fs_->SyncAll(kOp).ok());
  }
  // Whatever a case did, it leaves an image that e2fsck likes.
  ~ExtHolder() override {
    EXPECT_TRUE(fs_->Unmount(kOp).ok());
    if (!test::HasTool("e2fsck")) return;
    const test::Scratch scratch;
    test::SaveDisk(disk_, scratch / "image");
    EXPECT_EQ(test::Fsck(scratch / "image"), "");
  }
  FileSystem& fs() override { return *fs_; }

  // Files without a name take all but so much.
  void LeaveRoomFor(std::uint64_t bytes, std::uint64_t nodes) {
    const NewNode file{FileType::kRegular, 0600, 0, {}};
    FsSpace space = *fs_->GetSpace(kOp);
    HandleId last;
    while (space.free_nodes > nodes - 1) {
      const auto made = fs_->CreateUnnamed(kOp, fs_->root(), file, {.access = Access::kWrite});
      LAMINA_CHECK(made.ok());
      last = made->handle;
      space = *fs_->GetSpace(kOp);
    }
    const std::uint64_t taken = space.free_bytes - bytes;
    LAMINA_CHECK(fs_->Allocate(kOp, last, 0, taken, AllocateMode::kExtend).ok());
    LAMINA_CHECK(fs_->SyncAll(kOp).ok());
  }

 private:
  MemDisk disk_;
  std::unique_ptr<ExtFs> fs_;
};

template <ExtVersion version>
std::unique_ptr<FileSystemHolder> Make() {
  return std::make_unique<ExtHolder>(version, std::uint64_t{16} << 20U);
}

std::unique_ptr<FileSystemHolder> MakeSmall(std::uint64_t bytes, std::uint64_t nodes) {
  auto holder = std::make_unique<ExtHolder>(ExtVersion::kExt4, std::uint64_t{4} << 20U);
  holder->LeaveRoomFor(bytes, nodes);
  return holder;
}

INSTANTIATE_TEST_SUITE_P(Ext, FileSystemConformance,
                         testing::Values(FileSystemFactory{"Ext4", SuiteScope::kPlain,
                                                           Make<ExtVersion::kExt4>, MakeSmall},
                                         FileSystemFactory{"Ext3", SuiteScope::kPlain,
                                                           Make<ExtVersion::kExt3>, nullptr},
                                         FileSystemFactory{"Ext2", SuiteScope::kPlain,
                                                           Make<ExtVersion::kExt2>, nullptr}),
                         FileSystemFactoryName);

}  // namespace
}  // namespace lamina
