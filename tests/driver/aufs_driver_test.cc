// The rows of the specification for Docker's aufs driver.
#include <gtest/gtest.h>

#include "lamina/driver/layer_store.h"
#include "lamina/testing/matchers.h"
#include "lamina/union/union_fs.h"
#include "tests/driver/machine.h"

namespace lamina {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::IsErrno;
using testing::IsOk;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

const std::string kDiff = "/var/lib/docker/aufs/diff/";

TEST(AufsDriver, AUFS_141) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  machine.Create("3", "2");
  EXPECT_EQ(machine.Text("/aufs/layers/1"), "");
  EXPECT_EQ(machine.Text("/aufs/layers/2"), "1\n");
  EXPECT_EQ(machine.Text("/aufs/layers/3"), "2\n1\n");
  EXPECT_THAT(machine.Names("/aufs/mnt"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(machine.Names("/aufs/diff"), ElementsAre("1", "2", "3"));
}

TEST(AufsDriver, AUFS_142) {
  Machine machine;
  const LayerId missing{"missing"};
  EXPECT_THAT(machine.driver().CreateLayer(machine.op(), {"x"}, &missing), IsErrno(Errno::kNoEnt));
  EXPECT_EQ(machine.Text("/aufs/layers/x"), "");
  EXPECT_THAT(machine.Names("/aufs/diff/x"), IsEmpty());
  EXPECT_THAT(machine.Names("/aufs/mnt/x"), IsEmpty());
  EXPECT_TRUE(machine.driver().Exists(machine.op(), {"x"}));
}

TEST(AufsDriver, AUFS_143) {
  Machine machine({.has_dirperm1 = false});
  machine.Create("1");
  machine.Create("2", "1");
  machine.Create("3", "2");
  const Mount base = machine.Get("1");
  EXPECT_EQ(base.path(), kDiff + "1");
  EXPECT_EQ(&base.fs(), &machine.home());
  EXPECT_THAT(machine.mounts().TargetsBelow("/"), IsEmpty());

  const Mount mount = machine.Get("3");
  EXPECT_EQ(mount.path(), "/var/lib/docker/aufs/mnt/3");
  const MountCall call{
      "none", mount.path(), "aufs",
      "br:" + kDiff + "3=rw:" + kDiff + "2=ro+wh:" + kDiff + "1=ro+wh,dio,xino=/dev/shm/aufs.xino"};
  EXPECT_THAT(machine.mounts().CallsOf(mount.path()), ElementsAre(call));
}

TEST(AufsDriver, AUFS_144) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  Mount first = machine.Get("2");
  Mount second = machine.Get("2");
  EXPECT_EQ(&first.fs(), &second.fs());
  EXPECT_THAT(first.Put(machine.op()), IsOk());
  EXPECT_TRUE(machine.mounts().IsMounted("/var/lib/docker/aufs/mnt/2"));
  EXPECT_THAT(second.Put(machine.op()), IsOk());
  EXPECT_FALSE(machine.mounts().IsMounted("/var/lib/docker/aufs/mnt/2"));
}

// The flush makes the hard link that a copy-up broke, and empties the store of pseudo-links.
TEST(AufsDriver, AUFS_144_Flush) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  Put(machine.on_home(), "/aufs/diff/1/a", "old");
  ASSERT_THAT(machine.on_home().Link("/aufs/diff/1/a", "/aufs/diff/1/b", LastLink::kKeep), IsOk());
  {
    const Mount mount = machine.Get("2");
    Put(*machine.In(mount), "/a", "new");
    EXPECT_THAT(machine.Names("/aufs/diff/2"), Not(Contains("b")));
    EXPECT_THAT(machine.Names("/aufs/diff/2/.wh..wh.plnk"), Not(IsEmpty()));
  }
  EXPECT_EQ(machine.Text("/aufs/diff/2/b"), "new");
  EXPECT_THAT(machine.Names("/aufs/diff/2/.wh..wh.plnk"), IsEmpty());
}

TEST(AufsDriver, AUFS_145) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  machine.Create("3", "2");
  const Mount mount = machine.Get("3");
  EXPECT_THAT(machine.driver().Remove(machine.op(), {"3"}), IsOk());
  EXPECT_FALSE(machine.mounts().IsMounted(mount.path()));
  EXPECT_THAT(machine.Names("/aufs/layers"), ElementsAre("1", "2"));
  EXPECT_THAT(machine.Names("/aufs/diff"), ElementsAre("1", "2"));
  EXPECT_THAT(machine.Names("/aufs/mnt"), ElementsAre("1", "2"));
  EXPECT_THAT(machine.driver().Remove(machine.op(), {"3"}), IsOk());
}

TEST(AufsDriver, AUFS_146) {
  Machine machine;
  machine.Create("9");
  MakeDirectories(machine.on_home(), "/aufs/diff/9-removing/sub");
  Put(machine.on_home(), "/aufs/diff/9-removing/sub/f", "left");
  MakeDirectories(machine.on_home(), "/aufs/mnt/9-removing");
  ASSERT_THAT(machine.Restart(), IsOk());
  EXPECT_THAT(machine.Names("/aufs/diff"), ElementsAre("9"));
  EXPECT_THAT(machine.Names("/aufs/mnt"), ElementsAre("9"));
}

struct Backing {
  const char* name;
  bool works;
};
class AufsDriverBacking : public ::testing::TestWithParam<Backing> {};

TEST_P(AufsDriverBacking, AUFS_147) {
  Machine machine({.backing_fs = GetParam().name});
  EXPECT_EQ(machine.Restart().ok(), GetParam().works);
  EXPECT_EQ(machine.Names("/aufs").size(), GetParam().works ? 3 : 1);
}
INSTANTIATE_TEST_SUITE_P(Names, AufsDriverBacking,
                         ::testing::Values(Backing{"btrfs", false}, Backing{"ecryptfs", false},
                                           Backing{"aufs", false}, Backing{"extfs", true},
                                           Backing{"xfs", true}, Backing{"tmpfs", true}),
                         [](const auto& each) { return each.param.name; });

TEST(AufsDriver, AUFS_147) {
  Machine machine({.backing_fs = "btrfs"});
  EXPECT_THAT(machine.Restart(), IsErrno(Errno::kInval));
  EXPECT_EQ(machine.said().back(), "error: AUFS is not supported over btrfs");
}

TEST(AufsDriver, AUFS_148) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  Put(machine.on_home(), "/aufs/diff/1/f", "x");
  const Mount mount = machine.Get("2");
  Remove(*machine.In(mount), "/f");
  EXPECT_THAT(Lines(machine.Changes("2", "1")), ElementsAre("D /f"));
  EXPECT_THAT(MemberLines(machine.Diff("2", "1")), ElementsAre(".wh.f"));
  EXPECT_THAT(machine.Names("/aufs/diff/2"), Contains(StartsWith(".wh..wh.")));
}

// Layer 2 over 1{a/b/c/x}, with a/b/c removed and made again.
class RecreatedDirectory {
 public:
  RecreatedDirectory() {
    machine.Create("1");
    machine.Create("2", "1");
    MakeDirectories(machine.on_home(), "/aufs/diff/1/a/b/c");
    Put(machine.on_home(), "/aufs/diff/1/a/b/c/x", "x");
    const Mount mount = machine.Get("2");
    const std::unique_ptr<Process> process = machine.In(mount);
    Remove(*process, "/a/b/c");
    MakeDirectories(*process, "/a/b/c");
    Put(*process, "/a/b/c/foo", "");
  }

  Machine machine;
};

TEST(AufsDriver, AUFS_149) {
  RecreatedDirectory scene;
  EXPECT_THAT(MemberLines(scene.machine.Diff("2", "1")),
              ElementsAre("a/", "a/b/", "a/b/c/", "a/b/c/.wh..wh..opq", "a/b/c/foo"));
}

TEST(AufsDriver, AUFS_150) {
  RecreatedDirectory scene;
  const ChangeSet set = scene.machine.Diff("2", "1");
  scene.machine.Create("3", "1");
  const LayerId parent{"1"};
  ASSERT_THAT(scene.machine.driver().ApplyDiff(scene.machine.op(), {"3"}, &parent, set), IsOk());
  const Mount mount = scene.machine.Get("3");
  EXPECT_THAT(NamesOf(*scene.machine.In(mount), "/a/b/c"), ElementsAre("foo"));
}

TEST(AufsDriver, AUFS_151) {
  RecreatedDirectory scene;
  const std::vector<std::string> lines = Lines(scene.machine.Changes("2", "1"));
  EXPECT_THAT(lines, Contains("C /a/b/c"));
  EXPECT_THAT(lines, Contains("A /a/b/c/foo"));
  EXPECT_THAT(lines, Contains("D /a/b/c/.wh..opq"));
}

TEST(AufsDriver, AUFS_152) {
  Machine machine;
  machine.Create("1");
  machine.Create("2", "1");
  Put(machine.on_home(), "/aufs/diff/1/f", "of the parent");
  EXPECT_EQ(machine.DiffSize("2", "1"), 0);
  const Mount mount = machine.Get("2");
  const std::unique_ptr<Process> process = machine.In(mount);
  Put(*process, "/new", std::string(1024, 'x'));
  EXPECT_EQ(machine.DiffSize("2", "1"), 1024);
  ASSERT_THAT(process->Link("/new", "/again", LastLink::kKeep), IsOk());
  EXPECT_EQ(machine.DiffSize("2", "1"), 1024);
}

TEST(AufsDriver, AUFS_153) {
  Machine machine;
  const LayerOptions options{{{"size", "10G"}}};
  EXPECT_THAT(machine.driver().CreateLayer(machine.op(), {"1"}, nullptr, options),
              IsErrno(Errno::kOpNotSupp));
  EXPECT_THAT(machine.driver().CreateReadWrite(machine.op(), {"1"}, nullptr, options),
              IsErrno(Errno::kOpNotSupp));
  EXPECT_THAT(machine.said(), ElementsAre("error: --storage-opt is not supported for aufs",
                                          "error: --storage-opt is not supported for aufs"));
  EXPECT_FALSE(machine.driver().Exists(machine.op(), {"1"}));
}

TEST(AufsDriver, AUFS_154) {
  Machine machine;
  machine.Create("1");
  EXPECT_THAT(
      machine.driver().Status(machine.op()),
      ElementsAre(Pair("Root Dir", "/var/lib/docker/aufs"), Pair("Backing Filesystem", "extfs"),
                  Pair("Dirs", "1"), Pair("Dirperm1 Supported", "true")));
}

// Each layer adds a file with its own name, every tenth removes that of its parent. The names in
// the topmost layer.
std::vector<std::string> NamesAbove126Layers(Machine& machine, const std::string& prefix) {
  std::string parent;
  for (int i = 1; i <= 126; ++i) {
    const std::string id = prefix + std::to_string(i);
    machine.Create(id, parent);
    const Mount mount = machine.Get(id);
    const std::unique_ptr<Process> process = machine.In(mount);
    Put(*process, "/" + id, "");
    if (i % 10 == 0) Remove(*process, "/" + parent);
    parent = id;
  }
  const Mount mount = machine.Get(parent);
  return NamesOf(*machine.In(mount), "/");
}

TEST(AufsDriver, AUFS_155) {
  Machine machine;
  const std::string prefix(20, 'f');
  EXPECT_EQ(NamesAbove126Layers(machine, prefix).size(), 126 - 12);
  const Mount mount = machine.Get(prefix + "126");
  EXPECT_EQ(machine.mounts().CallsOf(mount.path()).size(), 2);
}

// Ids of Docker have 64 characters.
TEST(AufsDriver, AUFS_155_SeveralPages) {
  Machine machine;
  const std::string prefix(61, 'f');
  EXPECT_EQ(NamesAbove126Layers(machine, prefix).size(), 126 - 12);
  const Mount mount = machine.Get(prefix + "126");
  EXPECT_EQ(machine.mounts().CallsOf(mount.path()).size(), 4);
  const std::vector<Branch>& branches = machine.mounts().FindUnion(mount.path())->branches();
  ASSERT_EQ(branches.size(), 126);
  EXPECT_EQ(branches.front().name, prefix + "126");
  EXPECT_EQ(branches[1].name, prefix + "125");
  EXPECT_EQ(branches[60].name, prefix + "66");
  EXPECT_EQ(branches.back().name, prefix + "1");
}

TEST(AufsDriver, AUFS_156) {
  EXPECT_THAT(CheckLayerDepth(0), IsOk());
  EXPECT_THAT(CheckLayerDepth(124), IsOk());
  std::string said;
  const auto listen = [&](const DriverMessage& message) { said = message.text; };
  EXPECT_THAT(CheckLayerDepth(125, listen), IsErrno(Errno::kMLink));
  EXPECT_EQ(said, "max depth exceeded");
}

// 125 image layers and the two of a container are as many branches as AUFS takes.
TEST(AufsDriver, AUFS_156_Branches) {
  Machine machine;
  std::string top;
  for (std::size_t i = 1; i <= kMaxLayerDepth; ++i) {
    const std::string id = std::string(61, 'f') + std::to_string(i);
    machine.Create(id, top);
    top = id;
  }
  const LayerId image{top};
  ASSERT_THAT(CreateContainer(machine.op(), machine.driver(), {"c"}, &image), IsOk());
  {
    const Mount mount = machine.Get("c");
    EXPECT_EQ(machine.mounts().FindUnion(mount.path())->branches().size(), 127);
  }
  machine.Create("one more", "c");
  EXPECT_THAT(machine.driver().Get(machine.op(), {"one more"}), IsErrno(Errno::kNoSpc));
  EXPECT_FALSE(machine.mounts().IsMounted("/var/lib/docker/aufs/mnt/one more"));
}

TEST(AufsDriver, AUFS_157) {
  Machine machine;
  machine.Create("1");
  MakeDirectories(machine.on_home(), "/aufs/diff/1/d");
  Put(machine.on_home(), "/aufs/diff/1/d/f", "x");
  const LayerId image{"1"};
  ASSERT_THAT(CreateContainer(machine.op(), machine.driver(), {"c"}, &image), IsOk());
  const Mount mount = machine.Get("c");
  EXPECT_THAT(machine.In(mount)->Rename("/d", "/e", RenameMode::kReplace), IsErrno(Errno::kXDev));
}

}  // namespace
}  // namespace lamina
