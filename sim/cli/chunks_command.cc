// `lamina chunks`: the chunks of the thin pools of a scenario, and who maps them.
#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "lamina/sim/chunk_map.h"
#include "sim/cli/answer.h"
#include "sim/cli/command.h"
#include "sim/cli/scenario_file.h"
#include "sim/cli/whole_number.h"

namespace lamina::cli {
namespace {

Json MapJson(const sim::ChunkMap& map) {
  Json devices = Json::array();
  for (const sim::ChunkMapDevice& device : map.devices) {
    devices.push_back({{"name", device.name},
                       {"id", device.id.value},
                       {"mapped", device.mapped},
                       {"shared", device.shared},
                       {"exclusive", device.exclusive}});
  }
  Json chunks = Json::array();
  for (const sim::MappedChunk& chunk : map.chunks) {
    Json users = Json::array();
    for (const sim::ChunkUser& user : chunk.users) {
      users.push_back({{"device", user.name},
                       {"id", user.id.value},
                       {"block", user.block},
                       {"time", user.time}});
    }
    chunks.push_back({{"chunk", chunk.chunk}, {"users", std::move(users)}});
  }
  return {{"pool", map.pool}, {"chunk_bytes", map.chunk_bytes}, {"total", map.total},
          {"used", map.used}, {"shared", map.shared},           {"exclusive", map.exclusive},
          {"held", map.held}, {"devices", std::move(devices)},  {"chunks", std::move(chunks)}};
}

class ChunksCommand final : public Command {
 public:
  std::string_view name() const override { return "chunks"; }
  std::string_view summary() const override {
    return "the chunks of thin pools, and who maps them";
  }
  std::string_view examples() const override {
    return "  lamina chunks break-sharing.scn              after the whole scenario\n"
           "  lamina chunks --users --after 2 pool.scn     every chunk with its users\n";
  }

  void AddOptions(CLI::App& app) override {
    app.add_option("FILE", file_, "a scenario; - is standard input")->required();
    app.add_option("--after", after_, "run this many operations first (default: all)")
        ->transform(WholeNumber());
    app.add_option("--pool", pool_, "this pool only");
    app.add_flag("--users", users_, "a line for each chunk");
    app.add_flag("--json", answer_.json, "print one JSON document");
    app.add_option("-s,--seed", seed_, "seed of random operations")
        ->transform(WholeNumber())
        ->capture_default_str();
    app.footer("A chunk is '.' when free, else the number of blocks that are mapped to it.");
  }

  int Run() override {
    const absl::StatusOr<sim::Scenario> scenario = LoadScenarioToRun(file_, seed_);
    if (!scenario.ok()) return answer_.Complain(scenario.status(), kExitUnreadable);
    sim::ScenarioRun run(*scenario, {});
    const absl::Status ran = run.RunToOperation(after_.value_or(scenario->statements.size()));
    if (!ran.ok()) return answer_.Complain(ran, kExitUnreadable);
    if (after_ && run.counters().operations < *after_) {
      return answer_.Complain(
          absl::OutOfRangeError(absl::StrFormat("%s has %d operations, not %d", file_,
                                                run.counters().operations, *after_)),
          kExitUsage);
    }
    const absl::StatusOr<std::vector<sim::ChunkMap>> maps = sim::ChunkMapsOf(run);
    if (!maps.ok()) return answer_.Complain(maps.status(), kExitErrno);
    return Show(*maps);
  }

 private:
  int Show(const std::vector<sim::ChunkMap>& maps) const {
    std::string text;
    Json pools = Json::array();
    for (const sim::ChunkMap& map : maps) {
      if (pool_ && map.pool != *pool_) continue;
      pools.push_back(MapJson(map));
      text += sim::ChunkMapText(
          map, users_ ? sim::ChunkMapDetail::kUsers : sim::ChunkMapDetail::kOverview);
    }
    if (pools.empty()) {
      return answer_.Complain(
          absl::NotFoundError(file_ + (pool_ ? ": no thin pool '" + *pool_ + "'"
                                             : std::string(": no thin pool at this point"))),
          kExitErrno);
    }
    if (answer_.json) {
      answer_.PrintJson({{"file", file_}, {"pools", std::move(pools)}});
    } else {
      answer_.Print(text);
    }
    return kExitDone;
  }

  Answer answer_{"lamina-chunks/1"};
  std::string file_;
  std::optional<std::size_t> after_;
  std::optional<std::string> pool_;
  bool users_ = false;
  std::uint64_t seed_ = 0;
};

const CommandRegistration kChunks([] { return std::unique_ptr<Command>(new ChunksCommand); });

}  // namespace
}  // namespace lamina::cli
