// Control operations: targets, mounts, the caller, and what only talks about the run.
#include <limits>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sim/scenario/host_layers.h"
#include "sim/scenario/mounts.h"
#include "sim/scenario/operation.h"
#include "sim/scenario/text_form.h"
#include "sim/scenario/world.h"

namespace lamina::sim::internal {
namespace {

using Kind = ArgumentKind;
using Problem = std::optional<std::pair<std::size_t, std::string>>;

// ── Checks of all arguments together ─────────────────────────────────────────────────────────────

// NAME [fs=F] [from SOURCE]
Problem CheckLayer(const ArgumentRules& rules, const std::vector<ScenarioArgument>& args) {
  std::size_t i = 1;
  if (i < args.size() && args[i].text != "from") {
    ScenarioArgument name = args[i];
    if (!name.text.starts_with("fs=")) return {{i, "expected fs=NAME or from SOURCE"}};
    name.text.erase(0, 3);
    std::string wrong = CheckArgument(Kind::kName, rules, name);
    if (!wrong.empty()) return {{i, std::move(wrong)}};
    ++i;
  }
  if (i == args.size()) return std::nullopt;
  if (args[i].text != "from" || i + 1 >= args.size()) return {{i, "expected from SOURCE"}};
  if (rules.version < 2) return {{i, "`layer … from` needs `scenario 2` as the first line"}};
  if (i + 2 < args.size()) return {{i + 2, "too many arguments"}};
  std::string wrong = CheckLayerSource(args[i + 1].text, rules.limits->host_files);
  if (!wrong.empty()) return {{i + 1, std::move(wrong)}};
  return std::nullopt;
}

// [POINT], or dev:DEVICE [POINT] [OPTIONS]
Problem CheckMount(const ArgumentRules& rules, const std::vector<ScenarioArgument>& args) {
  const bool device = !args.empty() && args[0].text.starts_with("dev:");
  if (device && rules.version < 2) {
    return {{0, "`mount dev:` needs `scenario 2` as the first line"}};
  }
  if (device && args[0].text.size() == 4) return {{0, "expected dev:DEVICE"}};
  if (!device && args.size() > 1) {
    return {{1, "too many arguments for `mount`, which takes 1 at most"}};
  }
  if (args.size() < 3) return std::nullopt;
  const std::vector<std::string> words = absl::StrSplit(args[2].text, ',');
  for (const std::string& word : words) {
    if (word != "ro" && word != "rw" && word != "discard" && word != "noatime" && word != "nodev") {
      return {{2, absl::StrFormat("'%s' is none of: ro rw discard noatime nodev", word)}};
    }
  }
  return std::nullopt;
}

Problem CheckSleep(const ArgumentRules&, const std::vector<ScenarioArgument>& args) {
  if (args[0].number >= 0) return std::nullopt;
  return {{0, "a sleep is not negative"}};
}

Problem CheckStack(const ArgumentRules&, const std::vector<ScenarioArgument>& args) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& name = args[i].text;
    if (name.empty()) return {{i, "an empty layer name"}};
    if (name.starts_with("upper") && i + 1 < args.size()) return {{i, "the upper stands last"}};
  }
  return std::nullopt;
}

// ── Bodies ───────────────────────────────────────────────────────────────────────────────────────

Outcome RunNothing(const Call&) { return std::string("OK"); }

Outcome RunLayer(const Call& call) {
  std::string fs_name = "0";
  std::string source;
  for (std::size_t i = 1; i < call.statement.args.size(); ++i) {
    if (call.text(i).starts_with("fs=")) fs_name = call.text(i).substr(3);
    if (call.text(i) == "from") source = call.text(++i);
  }
  if (absl::Status made = call.world.UseLayer(call.text(0), fs_name); !made.ok()) return made;
  if (source.empty()) return std::string("OK");
  const ScenarioLayer& layer = call.world.FindLayer(call.text(0))->shown;
  const LayerSourceOptions how{call.world.clock.now(), call.world.NextMountIsUserxattr(),
                               call.world.NextMountIsAufs()};
  return ReadLayerSource(source, how, *layer.fs, layer.root);
}

Outcome RunStack(const Call& call) {
  call.world.stack.clear();
  for (const ScenarioArgument& name : call.statement.args) call.world.stack.push_back(name.text);
  return std::string("OK");
}

Outcome RunOptions(const Call& call) {
  call.world.mount_options =
      absl::StrJoin(call.statement.args, ",",
                    [](std::string* out, const ScenarioArgument& arg) { out->append(arg.text); });
  if (call.world.mount_options == "none") call.world.mount_options.clear();
  return std::string("OK");
}

void BeforeMount(World& world) {
  if (world.mounted_once_) return;
  world.StampLayers();
  world.mounted_once_ = true;
}

// The layers of `stack` as paths of an option string; remembers the state of the lowers.
absl::StatusOr<std::string> StackText(World& world, ScenarioMount& names) {
  std::string lowers;
  std::string data_only;
  bool after_separator = false;
  for (const std::string& name : world.stack) {
    if (name == "::") {
      after_separator = true;
      continue;
    }
    if (name.starts_with("upper")) {
      names.upper_name = name;
      continue;
    }
    const absl::StatusOr<std::string> path = world.PathOf(name);
    if (!path.ok()) return path.status();
    if (after_separator) {
      data_only += "::" + *path;
      names.data_only_names.push_back(name);
    } else {
      lowers += (lowers.empty() ? "" : ":") + *path;
      names.lower_names.push_back(name);
    }
  }
  std::string text = "lowerdir=" + lowers + data_only;
  if (!names.upper_name) return text;
  if (world.scenario.version >= 2 && world.FindLayer(*names.upper_name) == nullptr) {
    if (absl::Status made = world.UseLayer(*names.upper_name, "0"); !made.ok()) return made;
  }
  const absl::StatusOr<std::string> path = world.PathOf(*names.upper_name);
  if (!path.ok()) return path.status();
  return text + absl::StrFormat(",upperdir=%s,workdir=%s.work", *path, *path);
}

// The same as the branches of an AUFS mount: the upper rw, the others ro+wh.
absl::StatusOr<std::string> BranchesText(World& world, ScenarioMount& names) {
  const absl::StatusOr<std::string> checked = StackText(world, names);
  if (!checked.ok()) return checked.status();
  if (!names.data_only_names.empty()) {
    return absl::FailedPreconditionError("AUFS has no data-only layers");
  }
  std::string text = "br";
  const auto add = [&](const std::string& name, std::string_view mode) -> absl::Status {
    const absl::StatusOr<std::string> path = world.PathOf(name);
    if (path.ok()) absl::StrAppendFormat(&text, ":%s=%s", *path, mode);
    return path.status();
  };
  if (names.upper_name) {
    if (absl::Status added = add(*names.upper_name, "rw"); !added.ok()) return added;
  }
  for (const std::string& name : names.lower_names) {
    if (absl::Status added = add(name, "ro+wh"); !added.ok()) return added;
  }
  return text;
}

Outcome RunMount(const Call& call) {
  World& world = call.world;
  if (call.has(0) && call.text(0).starts_with("dev:")) {
    BeforeMount(world);
    return world.MountDevice(call.text(0).substr(4), call.has(1) ? call.text(1) : "merged",
                             call.has(2) ? call.text(2) : "");
  }
  if (world.stack.empty()) return absl::FailedPreconditionError("mount without stack");
  ScenarioMount names;
  const absl::StatusOr<std::string> lead =
      world.aufs ? BranchesText(world, names) : StackText(world, names);
  if (!lead.ok()) return lead.status();
  BeforeMount(world);
  world.upper = names.upper_name;
  world.touched.clear();
  for (const std::vector<std::string>& group : {names.lower_names, names.data_only_names}) {
    for (const std::string& name : group) {
      if (name.starts_with("mnt:")) continue;
      world.lowers_before[name] = world.LowerFingerprint(*world.FindLayer(name));
    }
  }
  const std::string point = call.has(0) ? call.text(0) : "merged";
  return world.Mount(point, MakeMountText(*lead, world.mount_options), names);
}

// What the branches of a raw option string are called: the layers where the paths are layers.
ScenarioMount NamesOf(const World& world, const std::string& text) {
  const auto name_of = [&](const std::string& path) {
    for (const auto& layer : world.layers) {
      if (layer->shown.path == path) return layer->shown.name;
    }
    return path;
  };
  ScenarioMount names;
  const Result<OverlayMountText> parsed = ParseOverlayMountText(text);
  if (!parsed.ok()) return names;
  for (const std::string& path : parsed->lowers) names.lower_names.push_back(name_of(path));
  for (const std::string& path : parsed->data_only) names.data_only_names.push_back(name_of(path));
  if (parsed->upper) names.upper_name = name_of(*parsed->upper);
  return names;
}

Outcome RunRawMount(const Call& call) {
  World& world = call.world;
  const absl::StatusOr<std::string> options =
      ReplaceLayerMarks(call.text(1), [&](const std::string& name) { return world.PathOf(name); });
  if (!options.ok()) return options.status();
  BeforeMount(world);
  const MountText text = MakeMountText("", *options);
  if (world.aufs) return world.Mount(call.text(0), text, ScenarioMount());
  // Only the upper of a raw mount on the default point is dumped.
  if (call.text(0) == "merged") {
    for (const auto& layer : world.layers) {
      const std::string setting = "upperdir=" + layer->shown.path + ',';
      if ((*options + ',').find(setting) != std::string::npos) world.upper = layer->shown.name;
    }
  }
  return world.Mount(call.text(0), text, NamesOf(world, text.text));
}

Outcome RunRemount(const Call& call) {
  World& world = call.world;
  const absl::StatusOr<std::string> options =
      ReplaceLayerMarks(call.text(1), [&](const std::string& name) { return world.PathOf(name); });
  if (!options.ok()) return options.status();
  return world.Remount(call.text(0), *options);
}

Outcome RunDriver(const Call& call) {
  call.world.aufs = call.number(0) == kAufsDriver;
  return std::string("OK");
}

// The clock has an end, and what comes after it still takes time.
Outcome RunSleep(const Call& call) {
  constexpr std::int64_t kLastInstant = std::numeric_limits<std::int64_t>::max() / 2;
  if (call.number(0) > kLastInstant - call.world.clock.now().virtual_ns) return Errno::kOverflow;
  return call.world.Sleep(Duration{call.number(0)});
}

Outcome RunUnmount(const Call& call) {
  return call.world.Unmount(call.has(0) ? call.text(0) : "merged");
}

Outcome RunMerged(const Call& call) {
  return call.world.UseMount(call.has(0) ? call.text(0) : "merged");
}

Outcome RunAs(const Call& call) {
  call.world.SetCaller(static_cast<std::uint32_t>(call.number(0)),
                       static_cast<std::uint32_t>(call.number(1)));
  return std::string("OK");
}

Outcome RunUmask(const Call& call) {
  call.world.SetUmask(call.mode(0, 0));
  return std::string("OK");
}

Outcome RunDump(const Call& call) {
  call.world.Say(absl::StrFormat("L%d %s", call.statement.line, call.statement.text));
  call.world.Dump();
  return std::string("OK");
}

Outcome RunNote(const Call& call) {
  std::string line = "#";
  for (const ScenarioArgument& word : call.statement.args) line += ' ' + word.text;
  call.world.Say(call.statement.args.empty() ? "# " : line);
  return std::string("OK");
}

Outcome RunExpect(const Call& call) {
  World& world = call.world;
  ++world.expectations;
  const std::uint64_t value = CounterByName(world.counter.counters, call.text(0)).value_or(0);
  const auto wanted = static_cast<std::uint64_t>(call.number(2));
  if (CompareBy(call.number(1), value, wanted)) return std::string("OK");
  world.failures.push_back({call.statement.line,
                            absl::StrFormat("%s %s %d", call.text(0), call.text(1), wanted),
                            absl::StrFormat("%d", value)});
  return std::string("OK");
}

Outcome RunAsk(const Call& call) {
  const std::string answer = call.statement.expectation ? call.statement.expectation->text : "";
  call.world.questions.push_back({call.statement.line, call.text(0), answer});
  return std::string("OK");
}

constexpr OperationClass kSilent = OperationClass::kSilent;
constexpr OperationClass kPrinted = OperationClass::kPrinted;
constexpr OperationClass kSpeaking = OperationClass::kSpeaking;
constexpr OperationClass kBlock = OperationClass::kBlock;
constexpr OperationClass kForeign = OperationClass::kForeign;

constexpr Operation kOperations[] = {
    {"scenario", kSilent, Takes(1, Kind::kVersion), RunNothing},
    {"layer", kSilent, TakesMany(1, Kind::kLayerName, Kind::kText), RunLayer, false, 1, CheckLayer},
    {"stack", kSilent, TakesMany(0, Kind::kText), RunStack, false, 1, CheckStack},
    {"options", kSilent, TakesMany(0, Kind::kText), RunOptions},
    {"mount", kPrinted, Takes(0, Kind::kMountName, Kind::kMountName, Kind::kText), RunMount, false,
     1, CheckMount},
    {"rawmount", kPrinted, Takes(2, Kind::kMountName, Kind::kText), RunRawMount},
    {"remount", kPrinted, Takes(2, Kind::kMountName, Kind::kText), RunRemount, false, 2},
    {"sleep", kPrinted, Takes(1, Kind::kTime), RunSleep, false, 2, CheckSleep},
    {"umount", kPrinted, Takes(0, Kind::kMountName), RunUnmount},
    {"merged", kSilent, Takes(0, Kind::kMountName), RunMerged},
    {"as", kSilent, Takes(2, Kind::kId, Kind::kId), RunAs},
    {"umask", kSilent, Takes(1, Kind::kMode), RunUmask},
    {"dump", kSpeaking, Takes(0), RunDump},
    {"note", kSpeaking, TakesMany(0, Kind::kWord), RunNote},
    {"title", kSilent, Takes(1, Kind::kWord), RunNothing, false, 2},
    {"driver", kSilent, TakesMany(1, Kind::kDriver, Kind::kWord), RunDriver, false, 2},
    {"expect", kSpeaking, Takes(3, Kind::kCounter, Kind::kComparison, Kind::kNumber), RunExpect,
     false, 2},
    {"ask", kSpeaking, Takes(1, Kind::kWord), RunAsk, false, 2},
    {"repeat", kBlock, Takes(1, Kind::kCount), nullptr, false, 2},
    {"end", kBlock, Takes(0), nullptr, false, 2},
    {"rand", kBlock, TakesMany(1, Kind::kText), nullptr, false, 2},
    {"container", kForeign, TakesMany(0, Kind::kWord), nullptr, false, 2},
    {"snapshot", kForeign, TakesMany(0, Kind::kWord), nullptr, false, 2},
    {"clone", kForeign, TakesMany(0, Kind::kWord), nullptr, false, 2},
    {"rollback", kForeign, TakesMany(0, Kind::kWord), nullptr, false, 2},
    {"fault", kForeign, TakesMany(0, Kind::kWord), nullptr, false, 2},
    {"workload", kForeign, TakesMany(0, Kind::kWord), nullptr, false, 2},
};

}  // namespace

std::span<const Operation> ControlOperations() { return kOperations; }

}  // namespace lamina::sim::internal
