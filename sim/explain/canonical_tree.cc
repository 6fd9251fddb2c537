// CanonicalTree: a tree in the form of the kernel oracle's dumps, from where trees come from.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/sim/tree.h"
#include "sim/scenario/dump.h"
#include "sim/scenario/text_form.h"

namespace lamina::sim {
namespace {

std::vector<std::string> LinesOf(FileSystem& fs, NodeId root, const ScenarioLimits& limits) {
  Process process(fs, root, {});
  internal::IdentityClasses classes;
  return internal::TreeLines(process, internal::TreeSide::kMerged, {&classes, limits.digest_bytes});
}

// Whether a tree holds a mark that only a mount understands.
Result<bool> HoldsMarks(FileSystem& fs, NodeId root) {
  const Credentials caller = RootCredentials();
  const OpContext op{caller, kSimulationStart, Probe()};
  std::vector<NodeId> pending = {root};
  while (!pending.empty()) {
    const NodeId node = pending.back();
    pending.pop_back();
    const Result<Stat> stat = fs.GetAttr(op, node);
    if (!stat.ok()) return stat.error();
    if (stat->type == FileType::kCharDevice && stat->rdev == MakeDevice(0, 0)) return true;
    if (stat->type != FileType::kDirectory) continue;
    if (fs.GetXattr(op, node, "trusted.overlay.opaque").ok()) return true;
    const Result<HandleId> handle = fs.Open(op, node, {});
    if (!handle.ok()) return handle.error();
    std::vector<std::string> names;
    const Result<DirCookie> end = fs.ReadDir(op, *handle, {}, [&](const DirEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    });
    fs.Close(*handle);
    if (!end.ok()) return end.error();
    for (const std::string& name : names) {
      const Result<NodeId> child = fs.Lookup(op, {node, name});
      if (!child.ok()) return child.error();
      pending.push_back(*child);
    }
  }
  return false;
}

absl::StatusOr<Scenario> ParseSource(std::string_view source, const std::string& text) {
  ParseOptions options;
  options.file = source;
  return ParseScenario(text, options);
}

// An error of reading a layer says which statement failed; here that is one made up.
absl::Status WithoutStatement(std::string_view source, const absl::Status& status) {
  const std::string message(status.message());
  const std::size_t from = message.find(" from ");
  const std::size_t what = from == std::string::npos ? from : message.find(": ", from);
  if (what == std::string::npos) return status;
  return {status.code(), absl::StrFormat("%s: %s", source, message.substr(what + 2))};
}

// The tree of one layer, without a mount.
absl::StatusOr<std::vector<std::string>> LinesOfOneLayer(std::string_view source,
                                                         const std::string& text) {
  const absl::StatusOr<Scenario> scenario = ParseSource(source, text);
  if (!scenario.ok()) return scenario.status();
  ScenarioRun run(*scenario, {});
  if (absl::Status ran = run.RunToOperation(0); !ran.ok()) return WithoutStatement(source, ran);
  const ScenarioLayer& layer = *run.layers().front();
  const Result<bool> marks = HoldsMarks(*layer.fs, layer.root);
  if (!marks.ok()) {
    return absl::InternalError(absl::StrFormat("%s: %s", source, ErrnoName(marks.error())));
  }
  if (source.starts_with("dir:") || !*marks) {
    return LinesOf(*layer.fs, layer.root, scenario->limits);
  }
  // An overlay needs a pair of branches: an empty one goes below.
  const absl::StatusOr<Scenario> mounted =
      ParseSource(source, "scenario 2\nlayer floor\n" + text.substr(text.find('\n') + 1) +
                              "stack layer1 floor\nmount\n");
  if (!mounted.ok()) return mounted.status();
  return CanonicalTreeOf(*mounted);
}

absl::StatusOr<std::vector<std::string>> LinesOfTars(std::string_view source) {
  std::string text = "scenario 2\n";
  std::string stack;
  std::size_t count = 0;
  std::string_view files = source.substr(4);
  while (!files.empty()) {
    const std::size_t comma = std::min(files.find(','), files.size());
    const std::string name = absl::StrFormat("layer%d", ++count);
    const std::string from = absl::StrFormat("tar:%s", files.substr(0, comma));
    absl::StrAppendFormat(&text, "layer %s from %s\n", name, internal::QuoteText(from));
    stack = ' ' + name + stack;
    files.remove_prefix(std::min(comma + 1, files.size()));
  }
  if (count == 0) return absl::InvalidArgumentError("tar: names no file");
  if (count == 1) return LinesOfOneLayer(source, text);
  const absl::StatusOr<Scenario> scenario =
      ParseSource(source, text + "stack" + stack + "\nmount\n");
  if (!scenario.ok()) return scenario.status();
  absl::StatusOr<std::vector<std::string>> lines = CanonicalTreeOf(*scenario);
  if (!lines.ok()) return WithoutStatement(source, lines.status());
  return lines;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> CanonicalTreeOf(const Scenario& scenario) {
  ScenarioRun run(scenario, {});
  if (absl::Status ran = run.RunToOperation(scenario.statements.size()); !ran.ok()) return ran;
  const ScenarioMount* mount = run.mount();
  if (mount == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: nothing is mounted at the end", scenario.file));
  }
  return LinesOf(*mount->fs, mount->fs->root(), scenario.limits);
}

absl::StatusOr<std::vector<std::string>> CanonicalTree(std::string_view source) {
  if (source.starts_with("dir:")) {
    const std::string text =
        absl::StrFormat("scenario 2\nlayer layer1 from %s\n", internal::QuoteText(source));
    return LinesOfOneLayer(source, text);
  }
  if (source.starts_with("tar:")) return LinesOfTars(source);
  std::ifstream file{std::string(source), std::ios::binary};
  if (!file) return absl::NotFoundError(absl::StrFormat("%s: cannot be read", source));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const absl::StatusOr<Scenario> scenario = ParseSource(source, text);
  if (!scenario.ok()) return scenario.status();
  if (const auto unsupported = FindUnsupported(*scenario)) {
    return absl::UnimplementedError(absl::StrFormat("%s: UNSUPPORTED %s", source, *unsupported));
  }
  return CanonicalTreeOf(*scenario);
}

}  // namespace lamina::sim
