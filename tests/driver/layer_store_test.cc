// The two layers of a container.
#include "lamina/driver/layer_store.h"

#include <gtest/gtest.h>

#include "lamina/testing/matchers.h"
#include "tests/driver/machine.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::IsErrno;
using testing::IsOk;
using testing::IsOkAndHolds;

// An empty tree, and what FillInitLayer makes of it.
class InitLayer {
 public:
  Result<void> Fill() {
    const OpContext op = machine.op();
    return FillInitLayer(op, fs, fs.root());
  }
  Result<Stat> StatOf(std::string_view path) { return process->GetStat(path, LastLink::kKeep); }

  Machine machine;
  MemFs fs;
  std::unique_ptr<Process> process = machine.At(fs, fs.root());
};

TEST(InitLayer, HoldsWhatIsMountedOver) {
  InitLayer layer;
  ASSERT_THAT(layer.Fill(), IsOk());
  EXPECT_THAT(NamesOf(*layer.process, "/"), ElementsAre(".dockerenv", "dev", "etc", "proc", "sys"));
  EXPECT_THAT(NamesOf(*layer.process, "/dev"), ElementsAre("console", "pts", "shm"));
  EXPECT_THAT(NamesOf(*layer.process, "/etc"),
              ElementsAre("hostname", "hosts", "mtab", "resolv.conf"));
  EXPECT_THAT(layer.process->Readlink("/etc/mtab"), IsOkAndHolds(std::string("/proc/mounts")));
}

class InitPath : public ::testing::TestWithParam<std::pair<const char*, FileType>> {};

TEST_P(InitPath, IsEmptyAnd0755) {
  InitLayer layer;
  ASSERT_THAT(layer.Fill(), IsOk());
  const Result<Stat> stat = layer.StatOf(GetParam().first);
  ASSERT_THAT(stat, IsOk());
  EXPECT_EQ(stat->type, GetParam().second);
  EXPECT_EQ(stat->mode, 0755);
  EXPECT_EQ(stat->uid, 0);
}
INSTANTIATE_TEST_SUITE_P(Paths, InitPath,
                         ::testing::Values(std::pair("/.dockerenv", FileType::kRegular),
                                           std::pair("/etc/hostname", FileType::kRegular),
                                           std::pair("/etc/hosts", FileType::kRegular),
                                           std::pair("/etc/resolv.conf", FileType::kRegular),
                                           std::pair("/dev/console", FileType::kRegular),
                                           std::pair("/dev/pts", FileType::kDirectory),
                                           std::pair("/dev/shm", FileType::kDirectory),
                                           std::pair("/proc", FileType::kDirectory),
                                           std::pair("/sys", FileType::kDirectory)));

TEST(InitLayer, AFileOfTheImageIsEmptiedAndADirectoryStays) {
  InitLayer layer;
  MakeDirectories(*layer.process, "/etc");
  Put(*layer.process, "/etc/hosts", "127.0.0.1 localhost");
  MakeDirectories(*layer.process, "/proc/kept");
  ASSERT_THAT(layer.process->Chmod("/proc", 0555), IsOk());
  ASSERT_THAT(layer.Fill(), IsOk());
  EXPECT_EQ(TextOf(*layer.process, "/etc/hosts"), "");
  EXPECT_THAT(NamesOf(*layer.process, "/proc"), ElementsAre("kept"));
  EXPECT_EQ(layer.StatOf("/proc")->mode, 0555);
}

// Every component that is no directory goes first, so that no symlink of an image leads away.
TEST(InitLayer, ASymlinkOnTheWayIsReplaced) {
  InitLayer layer;
  MakeDirectories(*layer.process, "/elsewhere");
  ASSERT_THAT(layer.process->Symlink("/elsewhere", "/etc"), IsOk());
  ASSERT_THAT(layer.process->Symlink("/elsewhere", "/proc"), IsOk());
  ASSERT_THAT(layer.Fill(), IsOk());
  EXPECT_EQ(layer.StatOf("/etc")->type, FileType::kDirectory);
  EXPECT_EQ(layer.StatOf("/proc")->type, FileType::kDirectory);
  EXPECT_THAT(NamesOf(*layer.process, "/elsewhere"), IsEmpty());
}

TEST(InitLayer, ADirectoryInPlaceOfAFileStays) {
  InitLayer layer;
  MakeDirectories(*layer.process, "/etc/hosts/sub");
  ASSERT_THAT(layer.Fill(), IsOk());
  EXPECT_THAT(NamesOf(*layer.process, "/etc/hosts"), ElementsAre("sub"));
}

TEST(Container, IsAnInitLayerAndALayerAboveTheImage) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  Put(machine.on_home(), "/aufs/diff/1/etc", "a file where a directory must be");
  const LayerId image{"2"};
  ASSERT_THAT(CreateContainer(machine.op(), machine.driver(), {"c"}, &image), IsOk());
  EXPECT_EQ(machine.Text("/aufs/layers/c-init"), "2\n1\n");
  EXPECT_EQ(machine.Text("/aufs/layers/c"), "c-init\n2\n1\n");
  EXPECT_THAT(machine.mounts().TargetsBelow("/"), IsEmpty());
  const Mount mount = machine.Get("c");
  EXPECT_EQ(TextOf(*machine.In(mount), "/etc/hosts"), "");
  EXPECT_EQ(TextOf(*machine.In(mount), "/dev/console"), "");
}

TEST(Container, WithoutAnImageHasABaseLayerOfItsOwn) {
  Machine machine;
  ASSERT_THAT(CreateContainer(machine.op(), machine.driver(), {"c"}, nullptr), IsOk());
  EXPECT_EQ(machine.Text("/aufs/layers/c-init"), "");
  EXPECT_EQ(machine.Text("/aufs/layers/c"), "c-init\n");
  EXPECT_EQ(machine.Text("/aufs/diff/c-init/etc/hosts"), "");
}

TEST(Container, OptionsGoToBothLayers) {
  Machine machine;
  EXPECT_THAT(CreateContainer(machine.op(), machine.driver(), {"c"}, nullptr, {{{"size", "1"}}}),
              IsErrno(Errno::kOpNotSupp));
  EXPECT_THAT(machine.Names("/aufs/layers"), IsEmpty());
}

TEST(Container, WhatWasMadeStaysAfterAnError) {
  Machine machine;
  machine.Create("1");
  const LayerId image{"1"};
  machine.faults().Add(sim::Fault::On(sim::Op::kMkdir).Path("/aufs/diff/c").Fail(Errno::kNoSpc));
  EXPECT_THAT(CreateContainer(machine.op(), machine.driver(), {"c"}, &image),
              IsErrno(Errno::kNoSpc));
  EXPECT_TRUE(machine.driver().Exists(machine.op(), {"c-init"}));
  EXPECT_THAT(machine.mounts().TargetsBelow("/"), IsEmpty());
}

}  // namespace
}  // namespace lamina
