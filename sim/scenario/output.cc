// The lines of a run that look at whole trees: dumps, fingerprints of lowers, the time stamps.
#include <string>

#include "sim/scenario/digest.h"
#include "sim/scenario/text_form.h"
#include "sim/scenario/world.h"

namespace lamina::sim::internal {
namespace {

// The time every object of every layer gets at the first mount, so that later changes show.
constexpr TimeChange kLayerTime{TimeChange::Kind::kAt, InstantFromSeconds(1000)};

void StampTree(Process& process) {
  std::vector<std::string> waiting = {"/"};
  while (!waiting.empty()) {
    const std::string path = std::move(waiting.back());
    waiting.pop_back();
    const Result<Stat> stat = process.GetStat(path, LastLink::kKeep);
    if (!stat.ok()) continue;
    if (stat->type == FileType::kDirectory) {
      const Result<std::vector<ProcessEntry>> entries = process.ListDirectory(path);
      if (!entries.ok()) continue;
      for (const ProcessEntry& entry : *entries) {
        waiting.push_back(path == "/" ? '/' + entry.name : path + '/' + entry.name);
      }
    }
    if (stat->mtime < kNowLimit) continue;
    (void)process.Utimens(path, kLayerTime, kLayerTime, LastLink::kKeep);
  }
}

}  // namespace

void World::Say(std::string_view line) {
  if (options.sink != nullptr) options.sink->OnLine(line);
}

void World::Dump() {
  const auto say_layer = [&](LayerRecord& layer) {
    for (const std::string& line :
         TreeLines(AsRoot(*layer.process), TreeSide::kUpper, dump_context())) {
      Say(line);
    }
  };
  LayerRecord* layer = upper ? FindLayer(*upper) : nullptr;
  if (branches.has_value()) {
    for (const std::string& name : *branches) {
      Say("== branch " + name);
      if (LayerRecord* branch = FindLayer(name); branch != nullptr) say_layer(*branch);
    }
  } else if (layer == nullptr) {
    Say("== upper (none)");
  } else {
    Say("== upper");
    say_layer(*layer);
  }
  MountRecord* mount = FindMount(current_point);
  if (mount == nullptr) {
    Say("== merged (not mounted)");
    return;
  }
  Say("== merged");
  for (const std::string& line :
       TreeLines(AsRoot(*mount->process), TreeSide::kMerged, dump_context())) {
    Say(line);
  }
}

void World::StampLayers() {
  for (const std::unique_ptr<LayerRecord>& layer : layers) StampTree(AsRoot(*layer->process));
}

std::string World::LowerFingerprint(LayerRecord& layer) {
  IdentityClasses fresh;
  DumpContext context = dump_context();
  context.classes = &fresh;
  Digest digest;
  for (const std::string& line : TreeLines(AsRoot(*layer.process), TreeSide::kUpper, context)) {
    digest.Add(AsBytes(line));
    digest.Add(AsBytes("\n"));
  }
  return digest.Hex();
}

void World::SayLowers() {
  std::string changed;
  for (const auto& [name, before] : lowers_before) {
    LayerRecord* layer = FindLayer(name);
    if (touched.contains(name) || layer == nullptr) continue;
    if (LowerFingerprint(*layer) != before) changed += ' ' + name;
  }
  Say(changed.empty() ? "== lowers unchanged" : "== lowers CHANGED" + changed);
}

}  // namespace lamina::sim::internal
