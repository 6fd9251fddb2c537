// Which drivers there are; the example of the README.
#include "lamina/driver/registry.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lamina/driver/change_set.h"
#include "lamina/driver/layer_store.h"
#include "lamina/testing/matchers.h"
#include "tests/driver/machine.h"

namespace lamina {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using testing::IsErrno;
using testing::IsOk;

TEST(Registry, EveryDriverIsDescribedAndOpens) {
  Machine machine;
  ASSERT_FALSE(Drivers().empty());
  for (const DriverEntry& entry : Drivers()) {
    EXPECT_THAT(std::string(entry.description), EndsWith(".")) << entry.name;
    MemFs home;
    const auto driver = OpenDriver(entry.name, machine.op(), home);
    ASSERT_THAT(driver, IsOk()) << entry.name;
    EXPECT_EQ((*driver)->name(), entry.name);
  }
}

TEST(Registry, AnUnknownDriverIsNoDevice) {
  Machine machine;
  MemFs home;
  EXPECT_THAT(OpenDriver("minix", machine.op(), home), IsErrno(Errno::kNoDev));
}

TEST(Registry, DockerTriesAufsBeforeOverlay) {
  const auto place = [](std::string_view name) {
    return std::find(kDriverPriority.begin(), kDriverPriority.end(), name);
  };
  EXPECT_EQ(kDriverPriority.front(), "btrfs");
  EXPECT_LT(place("overlay2"), place("aufs"));
  EXPECT_LT(place("aufs"), place("overlay"));
  EXPECT_EQ(kDriverPriority.back(), "vfs");
}

TEST(Registry, ThreeDriversAreDeprecated) {
  EXPECT_EQ(std::count_if(kDriverPriority.begin(), kDriverPriority.end(), IsDeprecatedDriver), 3);
}

TEST(Registry, ExampleOfTheReadme) {
  const Credentials root = RootCredentials();
  Clock clock;
  const OpContext op{root, clock.now(), {}};
  const LayerId base{"base"};
  const LayerId container{"c1"};
  std::vector<std::string> printed;
  const auto Print = [&](std::string line) { printed.push_back(std::move(line)); };

  MemFs home;  // stands for /var/lib/docker
  auto driver = OpenDriver("aufs", op, home);
  ASSERT_THAT(driver, IsOk());
  ASSERT_THAT((*driver)->CreateLayer(op, base, nullptr), IsOk());
  ASSERT_THAT(CreateContainer(op, **driver, container, &base), IsOk());
  {
    Result<Mount> mount = (*driver)->Get(op, container);
    ASSERT_THAT(mount, IsOk());
    Process process(mount->fs(), mount->root(), {.clock = &clock});
    ASSERT_THAT(process.Unlink("/.dockerenv"), IsOk());
  }  // put, and unmounted
  const LayerId init = InitLayerOf(container);
  const auto changes = (*driver)->Changes(op, container, &init);
  for (const LayerChange& change : *changes) {
    Print(std::string(ChangeLetter(change.kind)) + ' ' + change.path);  // D /.dockerenv
  }

  EXPECT_THAT(printed, ElementsAre("D /.dockerenv"));
}

}  // namespace
}  // namespace lamina
