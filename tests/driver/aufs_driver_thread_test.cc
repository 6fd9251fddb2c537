// Several containers of one image, each with a thread of its own, on one driver.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lamina/base/bytes.h"
#include "lamina/driver/change_set.h"
#include "lamina/driver/layer_store.h"
#include "lamina/driver/mount_table.h"
#include "lamina/driver/registry.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/fs/synchronized.h"

namespace lamina {
namespace {

constexpr int kContainers = 4;
constexpr int kRounds = 8;

// What one thread did wrong, or "".
std::string LiveOf(StorageDriver& driver, const LayerId& image, int number) {
  const Credentials root = RootCredentials();
  Clock clock;
  const OpContext op{root, clock.now(), {}};
  const LayerId id{"c" + std::to_string(number)};
  const LayerId init = InitLayerOf(id);
  if (!CreateContainer(op, driver, id, &image).ok()) return id.value + ": create";
  for (int round = 0; round < kRounds; ++round) {
    Result<Mount> mount = driver.Get(op, id);
    if (!mount.ok()) return id.value + ": get";
    Process process(mount->fs(), mount->root(), {.clock = &clock});
    const std::string name = "/f" + std::to_string(round);
    const Result<Process::Fd> fd =
        process.Open(name, {.access = Access::kWrite, .create = true}, 0644);
    if (!fd.ok() || !process.Pwrite(*fd, AsBytes(id.value), 0).ok()) return id.value + ": write";
    if (!process.Close(*fd).ok() || !mount->Put(op).ok()) return id.value + ": put";
    const Result<std::vector<LayerChange>> changes = driver.Changes(op, id, &init);
    if (!changes.ok() || changes->size() != static_cast<std::size_t>(round) + 1) {
      return id.value + ": changes";
    }
  }
  const Result<std::uint64_t> size = driver.DiffSize(op, id, &init);
  if (!size.ok() || *size != kRounds * id.value.size()) return id.value + ": size";
  if (!driver.Remove(op, id).ok() || !driver.Remove(op, init).ok()) return id.value + ": remove";
  return "";
}

TEST(AufsDriverThreads, ContainersOfOneImageLiveSideBySide) {
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, {}};
  MemFs memory;
  SynchronizedFileSystem home(memory);
  Result<std::unique_ptr<StorageDriver>> driver = OpenDriver("aufs", op, home);
  ASSERT_TRUE(driver.ok());
  const LayerId image{"image"};
  ASSERT_TRUE((*driver)->CreateLayer(op, image, nullptr).ok());

  std::vector<std::string> wrong(kContainers);
  std::vector<std::thread> threads;
  for (int i = 0; i < kContainers; ++i) {
    threads.emplace_back([&, i] { wrong[i] = LiveOf(**driver, image, i); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ::testing::Each(""));
  EXPECT_EQ((*driver)->Status(op)[2].second, "1");
}

// One container that several threads get and put: it is mounted while one of them has it.
TEST(AufsDriverThreads, OneContainerIsCountedRight) {
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, {}};
  MemFs memory;
  SynchronizedFileSystem home(memory);
  MountTable mounts;
  DriverOptions options;
  options.mounts = &mounts;
  Result<std::unique_ptr<StorageDriver>> driver = OpenDriver("aufs", op, home, options);
  ASSERT_TRUE(driver.ok());
  ASSERT_TRUE(CreateContainer(op, **driver, {"c"}, nullptr).ok());

  std::vector<int> failures(kContainers);
  std::vector<std::thread> threads;
  for (int i = 0; i < kContainers; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        Result<Mount> mount = (*driver)->Get(op, {"c"});
        if (!mount.ok() || !mounts.IsMounted(mount->path())) ++failures[i];
        if (mount.ok() && !mount->Put(op).ok()) ++failures[i];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(failures, ::testing::Each(0));
  EXPECT_TRUE(mounts.TargetsBelow("/").empty());
}

}  // namespace
}  // namespace lamina
