// TwoLayers: layer 2 above layer 1 of an aufs driver, with processes in their diff directories:
// layers as AUFS leaves them, without a mount.
//
// Threads: one.
#ifndef LAMINA_TESTS_DRIVER_TWO_LAYERS_H_
#define LAMINA_TESTS_DRIVER_TWO_LAYERS_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "lamina/testing/matchers.h"
#include "tests/driver/machine.h"

namespace lamina {

inline TimeChange At(std::int64_t seconds, std::int64_t nanoseconds = 0) {
  return {TimeChange::Kind::kAt, InstantFromSeconds(seconds, nanoseconds)};
}

class TwoLayers {
 public:
  TwoLayers() {
    machine.Create("1");
    machine.Create("2", "1");
    below = In("1");
    layer = In("2");
  }
  std::unique_ptr<Process> In(const std::string& id) {
    const Result<Stat> stat = machine.on_home().GetStat("/aufs/diff/" + id, LastLink::kKeep);
    return machine.At(*machine.disk(), stat->node);
  }
  // As AUFS makes them: hard links of the base file.
  void Mark(const std::string& path) {
    const Result<void> linked = layer->Link("/.wh..wh.aufs", path, LastLink::kKeep);
    EXPECT_THAT(linked, testing::IsOk()) << path;
  }
  void MakeBaseEntries() {
    Put(*layer, "/.wh..wh.aufs", "", 0444);
    MakeDirectories(*layer, "/.wh..wh.plnk");
    MakeDirectories(*layer, "/.wh..wh.orph");
  }
  std::vector<std::string> Changes() { return Lines(machine.Changes("2", "1")); }
  std::vector<std::string> Members() { return MemberLines(machine.Diff("2", "1")); }
  Result<std::uint64_t> Apply(const ChangeSet& set) {
    const LayerId parent{"1"};
    return machine.driver().ApplyDiff(machine.op(), {"2"}, &parent, set);
  }

  Machine machine;
  std::unique_ptr<Process> below;
  std::unique_ptr<Process> layer;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_DRIVER_TWO_LAYERS_H_
