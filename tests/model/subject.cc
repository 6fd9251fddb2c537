#include "tests/model/subject.h"

#include <set>
#include <utility>

#include "lamina/base/check.h"
#include "sim/model/plain_view.h"
#include "sim/model/tree.h"

namespace lamina::sim {
namespace {

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

// "f 0644 0:0 size=1 nlink=2 mtime=now" without the count.
std::string WithoutLinks(std::string text) {
  const std::size_t at = text.find(" nlink=");
  if (at != std::string::npos) text.erase(at, text.find(' ', at + 1) - at);
  return text;
}

}  // namespace

std::string LinesOf(const std::vector<ModelOperation>& calls) {
  std::string text;
  for (const ModelOperation& call : calls) text += call.Show() + "\n";
  return text;
}

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

Subject::Subject(const std::string& set_up, const Decorate& decorate)
    : decorate_(decorate), scenario_(set_up) {
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
  Tell(operation.kind == OperationKind::kRemount ? RemountLine() : operation.Show());
  if (operation.kind == OperationKind::kAs) {
    caller_.uid = operation.uid;
    caller_.gid = operation.gid;
  }
  if (operation.kind == OperationKind::kUmask) caller_.mode = operation.mode;
  if (operation.kind != OperationKind::kRemount) return runner_->Execute(operation);
  Remount();
  return {};
}

std::string Subject::RemountLine() const { return "umount\nmount"; }

void Subject::ForgetNumbers() {
  known_.clear();
  model_of_.clear();
}

void Subject::ForgetGone(const PosixModel& model, const std::vector<ModelEntry>& tree) {
  std::set<std::uint64_t> there;
  for (const ModelEntry& entry : tree) there.insert(entry.identity);
  for (const int slot : model.OpenSlots()) there.insert(model.view().IdentityInSlot(slot));
  std::erase_if(known_, [&](const auto& item) { return !there.contains(item.first); });
  std::erase_if(model_of_, [&](const auto& item) { return !there.contains(item.second); });
}

std::string Subject::CheckIdentity(const std::string& where, std::uint64_t want,
                                   std::uint64_t got) {
  const std::uint64_t known = known_.emplace(want, got).first->second;
  const std::uint64_t known_model = model_of_.emplace(got, want).first->second;
  if (known == got && known_model == want) return "";
  return where + ": (st_dev, st_ino) has changed or is that of another file";
}

void Subject::Relax(const Leniency& leniency, std::vector<ModelEntry>& tree) {
  std::uint64_t next = 0;
  for (ModelEntry& entry : tree) {
    if (leniency.links) entry.links = 0;
    if (leniency.numbers) entry.identity = ++next;
  }
}

std::string Subject::CompareSeen(const PosixModel& model, const ModelOutcome& want,
                                 const ModelOutcome& got) {
  const Leniency leniency = LeniencyFor(model);
  const std::string want_text = leniency.links ? WithoutLinks(want.Show()) : want.Show();
  const std::string got_text = leniency.links ? WithoutLinks(got.Show()) : got.Show();
  if (want_text != got_text) return "want " + want_text + "\ngot  " + got_text;
  std::vector<std::string> problems;
  std::vector<ModelEntry> want_tree = DumpView(model.view());
  std::vector<ModelEntry> got_tree = runner_->Dump(problems, leniency.unread);
  for (ModelEntry& entry : want_tree) {
    if (leniency.unread && entry.inode.type == ModelType::kFile && leniency.unread(entry.path)) {
      entry.inode.content = ProcessRunner::Unread(entry.inode.content.size());
    }
  }
  for (std::vector<ModelEntry>* tree : {&want_tree, &got_tree}) Relax(leniency, *tree);
  if (std::string text = CompareDumps(want_tree, got_tree); !text.empty()) return text;
  if (!problems.empty()) return problems.front();
  if (leniency.numbers) return "";
  if (RecyclesNumbers()) ForgetGone(model, want_tree);
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
  return "";
}

std::string Subject::Compare(const PosixModel& model, const ModelOperation& operation,
                             const ModelOutcome& want, const ModelOutcome& got) {
  std::string text = CompareSeen(model, want, got);
  if (!text.empty() || OnlyLooks(operation.kind)) return text;
  return CompareInside(model);
}

MemFsSubject::MemFsSubject(const DrawnCase& drawn, const Decorate& decorate)
    : Subject("scenario 1\n" + drawn.Show(), decorate),
      tree_(builder_.Build(fs_, "tree", drawn.upper)) {
  Open(fs_, tree_.root);
}

void MemFsSubject::Remount() {
  Shut();
  fs_.Restore(fs_.Capture());
  Open(fs_, tree_.root);
}

OverlaySubject::OverlaySubject(const DrawnCase& drawn, const Decorate& decorate)
    : Subject("scenario 1\n" + drawn.Show(), decorate), drawn_(drawn) {
  for (std::size_t i = 0; i < drawn.lowers.size(); ++i) {
    if (!drawn.one_fs) lower_fs_.push_back(std::make_unique<MemFs>());
    MemFs& fs = drawn.one_fs ? home_ : *lower_fs_.back();
    lowers_.push_back(builder_.Build(fs, "lower" + std::to_string(i + 1), drawn.lowers[i]));
    if (!drawn.one_fs) fs.Freeze();
  }
  upper_ = builder_.Build(home_, "upper", drawn.upper);
  work_ = builder_.Build(home_, "work", {});
  Mount();
}

void OverlaySubject::Mount() {
  OverlayMount mount;
  for (const RawLayer& layer : lowers_) mount.lowers.push_back(layer.Ref());
  mount.upper = upper_.Ref();
  mount.work = work_.Ref();
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
  if (!drawn_.one_fs) ForgetNumbers();
  Mount();
}

std::string OverlaySubject::CompareLowers() {
  for (std::size_t i = 0; i < lowers_.size(); ++i) {
    const std::string text = CompareDumps(lowers_[i].before, lowers_[i].Dump());
    if (!text.empty()) return "lower" + std::to_string(i + 1) + " has changed\n" + text;
  }
  return "";
}

std::string OverlaySubject::CompareUpper(const ModelTree& upper) {
  std::vector<ModelEntry> got = upper_.Dump();
  std::vector<ModelEntry> want = DumpView(PlainView(upper));
  ReduceUpper(got);
  ReduceUpper(want);
  const std::string text = CompareDumps(want, got);
  return text.empty() ? "" : "in the upper directory\n" + text;
}

std::string OverlaySubject::CompareWork() {
  for (const ModelEntry& entry : work_.Dump()) {
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
