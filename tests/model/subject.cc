#include "tests/model/subject.h"

#include <iostream>
#include <utility>

#include "lamina/base/check.h"
#include "sim/model/plain_view.h"
#include "sim/model/tree.h"

namespace lamina::sim {
namespace {

std::string LinesOf(const std::vector<ModelOperation>& calls) {
  std::string text;
  for (const ModelOperation& call : calls) text += call.Show() + "\n";
  return text;
}

// A directory of the file system's root.
NodeId MakeDirectory(FileSystem& fs, const std::string& name) {
  const Credentials root = RootCredentials();
  const OpContext op{root, InstantFromSeconds(1000), Probe()};
  NewNode node;
  node.type = FileType::kDirectory;
  node.mode = 0755;
  Result<NodeId> made = fs.Create(op, Place{fs.root(), name}, node);
  LAMINA_CHECK(made.ok());
  return *made;
}

void SetUp(ProcessRunner& runner, const std::vector<ModelOperation>& calls) {
  for (const ModelOperation& call : calls) {
    const ModelOutcome outcome = runner.Execute(call);
    if (!outcome.ok()) std::cerr << "set-up: " << call.Show() << " = " << outcome.Show() << "\n";
    LAMINA_CHECK(outcome.ok());
  }
}

bool OnlyLooks(OperationKind kind) {
  switch (kind) {
    case OperationKind::kRead:
    case OperationKind::kReadlink:
    case OperationKind::kGetXattr:
    case OperationKind::kListXattr:
    case OperationKind::kReaddir:
    case OperationKind::kStat:
    case OperationKind::kAccess:
    case OperationKind::kHandleRead:
    case OperationKind::kHandleStat:
    case OperationKind::kAs:
    case OperationKind::kUmask:
      return true;
    default:
      return false;
  }
}

// Private attributes that the model does not keep, and whiteouts, of which only their being there
// counts.
void ReduceUpper(std::vector<ModelEntry>& dump) {
  std::uint64_t index = std::uint64_t{1} << 60U;
  for (ModelEntry& entry : dump) {
    for (const char* key : {"origin", "impure", "uuid", "nlink", "protattr"}) {
      entry.inode.xattrs.erase(std::string("trusted.overlay.") + key);
    }
    if (!entry.inode.is_whiteout()) continue;
    entry.inode = ModelInode();
    entry.inode.type = ModelType::kCharDevice;
    entry.links = 1;
    entry.identity = ++index;
  }
}

}  // namespace

std::string DrawnCase::Show() const {
  std::string text;
  std::string stack = "stack";
  for (std::size_t i = lowers.size(); i > 0; --i) {
    text += "layer lower" + std::to_string(i) + (one_fs ? "" : " fs=" + std::to_string(i)) + "\n" +
            LinesOf(lowers[i - 1]);
  }
  for (std::size_t i = 1; i <= lowers.size(); ++i) stack += " lower" + std::to_string(i);
  if (lowers.empty()) {  // a plain tree: in the scenario language, an upper over nothing
    text += "layer lower1\n";
    stack += " lower1";
  }
  text += "layer upper\n" + LinesOf(upper) + stack + " upper\n";
  if (!kernel_quirks) text += "# kernel_quirks = false\n";
  return text + "mount\n";
}

void Tally::Count(const ModelOperation& operation, const ModelOutcome& outcome) {
  ++operations_;
  if (!outcome.ok()) ++failures_;
  ++counts_[operation.kind][outcome.ok() ? "OK" : outcome.Show()];
}

void Tally::CountDeviations(const std::set<DeviationRule>& rules) {
  for (const DeviationRule rule : rules) ++deviations_[rule];
}

int Tally::successes_of(OperationKind kind) const {
  const auto row = counts_.find(kind);
  if (row == counts_.end()) return 0;
  const auto ok = row->second.find("OK");
  return ok == row->second.end() ? 0 : ok->second;
}

int Tally::failures_of(OperationKind kind) const {
  const auto row = counts_.find(kind);
  if (row == counts_.end()) return 0;
  int total = 0;
  for (const auto& [name, count] : row->second) total += name == "OK" ? 0 : count;
  return total;
}

int Tally::uses_of(DeviationRule rule) const {
  const auto found = deviations_.find(rule);
  return found == deviations_.end() ? 0 : found->second;
}

std::string Tally::Show() const {
  std::string text =
      std::to_string(operations_) + " calls, " + std::to_string(failures_) + " of them fail\n";
  for (const auto& [kind, outcomes] : counts_) {
    text += "  " + std::string(OperationWord(kind)) + ":";
    for (const auto& [name, count] : outcomes) text += " " + name + " " + std::to_string(count);
    text += "\n";
  }
  for (const auto& [rule, count] : deviations_) {
    text += "  rule " + std::string(DeviationOf(rule).id) + ": " + std::to_string(count) + "\n";
  }
  return text;
}

Subject::Subject(const DrawnCase& drawn, const Decorate& decorate)
    : drawn_(drawn), decorate_(decorate), scenario_("scenario 1\n" + drawn.Show()) {
  caller_.kind = OperationKind::kAs;
}

void Subject::Open(FileSystem& fs, NodeId root) {
  identities_.BeginMount();
  FileSystem* seen = &fs;
  if (decorate_) {
    decorated_ = decorate_(fs);
    seen = decorated_.get();
  }
  runner_ = std::make_unique<ProcessRunner>(*seen, root, clock_, Duration{1000}, identities_);
  runner_->Execute(caller_);
  ModelOperation umask = caller_;
  umask.kind = OperationKind::kUmask;
  runner_->Execute(umask);
}

void Subject::Shut() {
  if (runner_ != nullptr) runner_->CloseAll();
  runner_.reset();
  decorated_.reset();
}

ModelOutcome Subject::Execute(const ModelOperation& operation) {
  scenario_ += operation.Show() + "\n";
  if (operation.kind == OperationKind::kAs) {
    caller_.uid = operation.uid;
    caller_.gid = operation.gid;
  }
  if (operation.kind == OperationKind::kUmask) caller_.mode = operation.mode;
  if (operation.kind != OperationKind::kRemount) return runner_->Execute(operation);
  Remount();
  return {};
}

std::string Subject::CheckIdentity(const std::string& where, std::uint64_t want,
                                   std::uint64_t got) {
  const std::uint64_t known = known_.emplace(want, got).first->second;
  const std::uint64_t known_model = model_of_.emplace(got, want).first->second;
  if (known == got && known_model == want) return "";
  return where + ": (st_dev, st_ino) has changed or is that of another file";
}

std::string Subject::Compare(const PosixModel& model, const ModelOperation& operation,
                             const ModelOutcome& want, const ModelOutcome& got) {
  if (want.Show() != got.Show()) return "want " + want.Show() + "\ngot  " + got.Show();
  std::vector<std::string> problems;
  const std::vector<ModelEntry> want_tree = DumpView(model.view());
  const std::vector<ModelEntry> got_tree = runner_->Dump(problems);
  if (std::string text = CompareDumps(want_tree, got_tree); !text.empty()) return text;
  if (!problems.empty()) return problems.front();
  if (want.identity != 0) {
    std::string text = CheckIdentity("stat", want.identity, got.identity);
    if (!text.empty()) return text;
  }
  for (std::size_t i = 0; i < want_tree.size(); ++i) {
    if (!want_tree[i].found) continue;
    std::string text =
        CheckIdentity(want_tree[i].path, want_tree[i].identity, got_tree[i].identity);
    if (!text.empty()) return text;
  }
  return OnlyLooks(operation.kind) ? "" : CompareInside(model);
}

MemFsSubject::MemFsSubject(const DrawnCase& drawn, const Decorate& decorate)
    : Subject(drawn, decorate) {
  root_ = MakeDirectory(fs_, "tree");
  IdentityNumbers identities;
  ProcessRunner set_up(fs_, root_, set_up_clock_, Duration{0}, identities);
  SetUp(set_up, drawn.upper);
  Open(fs_, root_);
}

void MemFsSubject::Remount() {
  Shut();
  fs_.Restore(fs_.Capture());
  Open(fs_, root_);
}

OverlaySubject::OverlaySubject(const DrawnCase& drawn, const Decorate& decorate)
    : Subject(drawn, decorate) {
  for (std::size_t i = 0; i < drawn.lowers.size(); ++i) {
    if (!drawn.one_fs) lower_fs_.push_back(std::make_unique<MemFs>());
    MemFs& fs = drawn.one_fs ? home_ : *lower_fs_.back();
    lowers_.push_back(Build(fs, "lower" + std::to_string(i + 1), drawn.lowers[i]));
    if (!drawn.one_fs) fs.Freeze();
  }
  upper_ = Build(home_, "upper", drawn.upper);
  work_ = Build(home_, "work", {});
  Mount();
}

OverlaySubject::Layer OverlaySubject::Build(FileSystem& fs, const std::string& name,
                                            const std::vector<ModelOperation>& calls) {
  Layer layer;
  layer.fs = &fs;
  layer.root = MakeDirectory(fs, name);
  layer.raw =
      std::make_unique<ProcessRunner>(fs, layer.root, set_up_clock_, Duration{0}, raw_identities_);
  SetUp(*layer.raw, calls);
  std::vector<std::string> problems;
  layer.before = layer.raw->Dump(problems);
  return layer;
}

DirectoryRef OverlaySubject::RefTo(const Layer& layer) const {
  return DirectoryRef{layer.fs, layer.root, {layer.fs->root()}, ""};
}

void OverlaySubject::Mount() {
  OverlayMount mount;
  for (const Layer& layer : lowers_) mount.lowers.push_back(RefTo(layer));
  mount.upper = RefTo(upper_);
  mount.work = RefTo(work_);
  mount.options.kernel_quirks = drawn_.kernel_quirks;
  const Credentials root = RootCredentials();
  const OpContext op{root, kSimulationStart, Probe()};
  Result<std::unique_ptr<UnionFs>> mounted = MountOverlay(op, mount);
  LAMINA_CHECK(mounted.ok());
  union_ = std::move(*mounted);
  Open(*union_, union_->root());
}

void OverlaySubject::Remount() {
  Shut();
  union_.reset();
  // Layers on several file systems: directories have numbers of this mount only (xino=off).
  if (!drawn_.one_fs) known_.clear();
  if (!drawn_.one_fs) model_of_.clear();
  Mount();
}

std::string OverlaySubject::CompareLowers() {
  for (std::size_t i = 0; i < lowers_.size(); ++i) {
    std::vector<std::string> problems;
    const std::string text = CompareDumps(lowers_[i].before, lowers_[i].raw->Dump(problems));
    if (!text.empty()) return "lower" + std::to_string(i + 1) + " has changed\n" + text;
  }
  return "";
}

std::string OverlaySubject::CompareUpper(const ModelTree& upper) {
  std::vector<std::string> problems;
  std::vector<ModelEntry> got = upper_.raw->Dump(problems);
  std::vector<ModelEntry> want = DumpView(PlainView(upper));
  ReduceUpper(got);
  ReduceUpper(want);
  const std::string text = CompareDumps(want, got);
  return text.empty() ? "" : "in the upper directory\n" + text;
}

std::string OverlaySubject::CompareWork() {
  std::vector<std::string> problems;
  for (const ModelEntry& entry : work_.raw->Dump(problems)) {
    if (entry.path != "/" && entry.path != "/work") return "left over in workdir: " + entry.path;
  }
  return "";
}

std::string OverlaySubject::CompareInside(const PosixModel& model) {
  const auto& view = dynamic_cast<const OverlayView&>(model.view());
  for (const std::string& text : {CompareLowers(), CompareUpper(view.upper()), CompareWork()}) {
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace lamina::sim
