// ThinPair: a pool and its plain model, given the same calls and compared after each.
//
// Threads: one.
#ifndef LAMINA_TESTS_BLOCK_THIN_PAIR_H_
#define LAMINA_TESTS_BLOCK_THIN_PAIR_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lamina/block/thin_device.h"
#include "tests/block/thin_model.h"
#include "tests/block/thin_rig.h"
#include "tests/store/split_mix.h"

namespace lamina {

class ThinPair {
 public:
  static constexpr std::uint64_t kIds = 9;
  static constexpr std::uint64_t kDeviceBlocks = 24;

  // The shape of the pool follows from the seed.
  explicit ThinPair(std::uint64_t seed);

  // One call, drawn; both sides agree after it. What was called is in last().
  void Step();
  // Every mapping, every page, every count.
  void CompareAll();
  // Every data block: its space map entry against the mappings, counted anew.
  void CompareCounts();
  // The metadata as it is on its device, which nothing may be wrong or leaked in.
  void CheckLastCommit();
  void Commit();
  const std::string& last() const { return last_; }
  ThinRig& rig() { return rig_; }
  ThinModel& model() { return model_; }
  // How often each call was made and, for those that can fail, failed.
  const std::map<std::string, std::uint64_t>& tally() const { return tally_; }

 private:
  using Tag = ThinModel::Tag;
  struct Extent {
    std::uint64_t page;
    std::uint64_t pages;
  };

  static ThinRig::Shape ShapeOf(std::uint64_t seed);
  static ThinModel::Rules RulesOf(const ThinRig::Shape& shape);

  bool Chance(std::uint64_t percent) { return random_.Below(100) < percent; }
  std::uint64_t AnyId() { return random_.Below(kIds); }
  // A device that is there; nothing when there is none.
  std::optional<std::uint64_t> SomeDevice();
  Extent SomeExtent();
  ThinDevice& Active(std::uint64_t id);
  void Note(const std::string& call) { ++tally_[last_ = call]; }

  // All of them compare the two answers.
  void Answered(const std::string& call, Result<void> pool, Result<void> model);
  void MessageStep();
  void DeviceStep();
  void PoolStep();
  void WriteStep(std::uint64_t id);
  void SubmitStep(std::uint64_t id);
  void DiscardStep(std::uint64_t id);
  void ExplainStep(std::uint64_t id);
  void AdvanceStep();
  void GoneDevices();
  void CompareState();
  void ComparePages(std::uint64_t id, Extent extent);
  void CompareDevice(std::uint64_t id);

  std::vector<std::byte> PagesOf(std::uint64_t pages, Tag tag) const;

  SplitMix64 random_;
  ThinRig rig_;
  ThinModel model_;
  std::set<std::uint64_t> active_;
  std::map<std::uint64_t, WriteTicket> tickets_;
  std::map<const ThinModel::Block*, std::uint64_t> places_;  // of CompareAll
  Tag next_tag_ = 1;
  std::string last_;
  std::map<std::string, std::uint64_t> tally_;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_BLOCK_THIN_PAIR_H_
