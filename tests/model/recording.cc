#include "tests/model/recording.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "sim/model/plain_view.h"
#include "tests/model/recording_words.h"

namespace lamina::sim {
namespace {

// Options that say what the default is anyway.
bool IsDefaultOption(const std::string& option) {
  static const std::set<std::string> kDefault = {
      "none",         "redirect_dir=off", "redirect_dir=follow", "index=off",
      "metacopy=off", "xino=off",         "nfs_export=off",      "uuid=on",
      "uuid=off",     "uuid=null",        "uuid=auto",           "verity=off",
      "volatile"};
  return kDefault.contains(option);
}

bool HasUnknownMark(const ModelTree& tree) {
  for (const std::string& path : tree.Paths()) {
    for (const auto& [key, value] : tree.Find(path)->xattrs) {
      if (key == "trusted.overlay.redirect" || key == "trusted.overlay.metacopy" ||
          key == "trusted.overlay.whiteout") {
        return true;
      }
    }
  }
  return false;
}

// At the first mount every time stamp that is "now" becomes 1000 s.
void Stamp(ModelTree& tree) {
  for (const std::string& path : tree.Paths()) {
    std::int64_t& mtime_ns = tree.Find(path)->mtime_ns;
    if (ShowTime(mtime_ns) == "now") mtime_ns = 1'000'000'000'000;
  }
}

ModelTree TreeOf(const PosixModel& layer) {
  ModelTree tree = dynamic_cast<const PlainView&>(layer.view()).tree();
  Stamp(tree);
  return tree;
}

}  // namespace

Recording::Recording(const std::string& scenario, const std::string& expected) {
  std::istringstream scenario_lines(scenario);
  for (std::string line; std::getline(scenario_lines, line);) lines_.push_back(SplitWords(line));
  std::istringstream expected_lines(expected);
  std::vector<std::string>* dump = nullptr;
  for (std::string line; std::getline(expected_lines, line);) {
    if (line.starts_with("L")) {
      const std::size_t equals = line.rfind(" = ");
      if (equals != std::string::npos) {
        results_[std::stoi(line.substr(1))] = line.substr(equals + 3);
      }
    } else if (line == "== upper") {
      upper_dump_.clear();
      dump = &upper_dump_;
    } else if (line == "== merged") {
      merged_dump_.clear();
      dump = &merged_dump_;
    } else if (line.starts_with("==")) {
      dump = nullptr;
    } else if (line.starts_with("  ") && dump != nullptr) {
      dump->push_back(line.substr(2));
    }
  }
}

const OverlayView& Recording::overlay() const {
  return dynamic_cast<const OverlayView&>(mounted_->view());
}

void Recording::Stop(Extent extent, const std::string& reason) {
  stopped_ = true;
  extent_ = extent;
  reason_ = reason;
}

std::string Recording::ResultOf(int line) const {
  const auto found = results_.find(line);
  return found == results_.end() ? "(none recorded)" : found->second;
}

void Recording::Replay() {
  for (std::size_t i = 0; i < lines_.size() && !stopped_; ++i) {
    if (!lines_[i].empty()) Step(static_cast<int>(i) + 1, lines_[i]);
  }
  if (stopped_) return;
  if (!is_mounted_) return Stop(Extent::kPartial, "not mounted at the end");
  CompareTrees();
}

void Recording::Step(int line, const Words& words) {
  if (Control(line, words)) return;
  if (!target_.empty()) return SetUp(words);
  if (!is_mounted_) return Stop(Extent::kPartial, "calls without a mount");
  Call(line, words);
}

bool Recording::Control(int line, const Words& words) {
  const std::string& word = words[0];
  if (word == "layer") {
    if (mounted_ != nullptr || words.size() > 2) {
      Stop(mounted_ == nullptr ? Extent::kNone : Extent::kPartial, "layer changed or elsewhere");
      return true;
    }
    target_ = words.at(1);
    layers_.try_emplace(target_, std::make_unique<PlainView>());
  } else if (word == "stack") {
    stack_.assign(words.begin() + 1, words.end());
  } else if (word == "options") {
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (!IsDefaultOption(words[i])) Stop(Extent::kNone, "option " + words[i]);
    }
  } else if (word == "mount") {
    Mount(line);
  } else if (word == "umount") {
    if (words.size() > 1 || ResultOf(line) != "OK") {
      Stop(Extent::kPartial, "umount that fails or names a mount");
    } else {
      is_mounted_ = false;
    }
  } else if (word == "rawmount" || word == "merged" || word == "dump") {
    Stop(Extent::kPartial, word);
  } else {
    return word == "scenario" || (IsPassedOver(word) && target_.empty());
  }
  return true;
}

void Recording::Mount(int line) {
  target_.clear();
  if (ResultOf(line) != "OK") return Stop(Extent::kNone, "mount fails");
  is_mounted_ = true;
  if (mounted_ != nullptr) return;
  std::vector<ModelTree> lowers;
  const ModelTree* upper = nullptr;
  std::map<std::string, ModelTree> trees;
  for (const std::string& name : stack_) {
    if (!layers_.contains(name)) return Stop(Extent::kNone, "stack with " + name);
    ModelTree tree = TreeOf(layers_.at(name));
    if (HasUnknownMark(tree)) return Stop(Extent::kNone, "redirect or metacopy in a layer");
    if (name.starts_with("upper")) {
      upper = &trees.emplace(name, std::move(tree)).first->second;
    } else {
      lowers.push_back(std::move(tree));
    }
  }
  if (upper == nullptr) return Stop(Extent::kNone, "no upper");
  mounted_ = std::make_unique<PosixModel>(
      std::make_unique<OverlayView>(*upper, std::move(lowers), KernelQuirks::kOn));
  mounted_->SetHardLinks(HardLinks::kProtected);  // as on the machine that recorded
}

void Recording::SetUp(const Words& words) {
  const std::optional<ModelOperation> operation = ReadCall(words, slots_);
  if (!operation.has_value()) return Stop(Extent::kNone, "set-up with " + words[0]);
  if (operation->other.starts_with("system.")) return Stop(Extent::kNone, "access control lists");
  const ModelOutcome outcome = ApplyOperation(layers_.at(target_), *operation);
  if (!outcome.ok()) differences_.push_back("set-up " + operation->Show() + ": " + outcome.Show());
}

void Recording::Call(int line, const Words& words) {
  const std::string where = "L" + std::to_string(line) + " " + words[0] +
                            (words.size() > 1 ? " " + words[1] : "") +
                            (words.size() > 2 ? " " + words[2] : "");
  if (words[0] == "ustat") return CompareUpperEntry(line, words.at(1));
  const std::optional<ModelOperation> operation = ReadCall(words, slots_);
  if (!operation.has_value()) return Stop(Extent::kPartial, "call " + words[0]);
  if (!IsSettled(*mounted_, *operation)) {
    return Stop(Extent::kPartial, "the reference does not say: " + operation->Show());
  }
  ModelOutcome outcome = ApplyOperation(*mounted_, *operation);
  // The recorder makes no call for a write of nothing.
  const bool no_call = operation->kind == OperationKind::kHandleWrite && operation->data.empty();
  if (no_call) return;
  if (operation->kind == OperationKind::kAs || operation->kind == OperationKind::kUmask) return;
  std::string got = outcome.Show();
  if (outcome.ok() && outcome.kind == ModelOutcome::Value::kData) {
    got = RecordedData(outcome.value);
  }
  CompareText(where, WithoutIdentity(where, ResultOf(line), outcome.identity), got);
  deviations_.merge(mounted_->view().TakeDeviations());
}

std::string Recording::WithoutIdentity(const std::string& where, std::string text,
                                       std::uint64_t identity) {
  const std::string name = TakeIdentity(text);
  if (name.empty()) return text;
  if (identity == 0) return WithoutLinks(text);
  const std::uint64_t known = class_to_identity_.emplace(name, identity).first->second;
  const std::string& known_name = identity_to_class_.emplace(identity, name).first->second;
  if (known != identity || known_name != name) {
    differences_.push_back(where + ": identity " + name + ", the model says otherwise");
  }
  return text;
}

void Recording::CompareText(const std::string& where, const std::string& want,
                            const std::string& got) {
  ++compared_;
  if (want != got) differences_.push_back(where + "\n  recorded " + want + "\n  model    " + got);
}

void Recording::CompareUpperEntry(int line, const std::string& path) {
  const ModelTree& upper = overlay().upper();
  const ModelInode* inode = upper.Find(path);
  const std::string got = inode == nullptr
                              ? "ENOENT"
                              : RecordedLine(path, *inode, upper.Links(upper.InoOf(path)), true);
  std::string want = ResultOf(line);
  if (want == "ENOTDIR") want = "ENOENT";
  CompareText("L" + std::to_string(line) + " ustat " + path, CoreOfUpperLine(want), got);
}

void Recording::CompareTrees() {
  const ModelTree& upper = overlay().upper();
  const std::vector<ModelEntry> raw = DumpView(PlainView(upper));
  std::vector<std::string> upper_lines;
  for (const ModelEntry& entry : raw) {
    upper_lines.push_back(RecordedLine(entry.path, entry.inode, entry.links, true));
  }
  for (std::size_t i = 0; i < std::max(upper_lines.size(), upper_dump_.size()); ++i) {
    CompareText("upper", i < upper_dump_.size() ? CoreOfUpperLine(upper_dump_[i]) : "(nothing)",
                i < upper_lines.size() ? upper_lines[i] : "(nothing)");
  }
  const std::vector<ModelEntry> merged = DumpView(overlay());
  for (std::size_t i = 0; i < std::max(merged.size(), merged_dump_.size()); ++i) {
    std::string got = "(nothing)";
    std::uint64_t identity = 0;
    if (i < merged.size()) {
      const ModelEntry& entry = merged[i];
      identity = entry.identity;
      got = entry.found ? RecordedLine(entry.path, entry.inode, entry.links, false)
                        : entry.path + " ERR:ENOENT";
    }
    const std::string want = i < merged_dump_.size() ? merged_dump_[i] : "(nothing)";
    CompareText("merged", WithoutIdentity("merged " + want, want, identity), got);
  }
  deviations_.merge(mounted_->view().TakeDeviations());
}

}  // namespace lamina::sim
