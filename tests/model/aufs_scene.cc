#include "tests/model/aufs_scene.h"

#include <memory>
#include <sstream>
#include <utility>

#include "lamina/base/check.h"
#include "sim/model/flatten.h"
#include "sim/model/plain_view.h"
#include "tests/model/recording_words.h"

namespace lamina::sim {
namespace {

constexpr std::int64_t kOldTime = 1'000'000'000'000;
const std::string kOpaqueWord = "OPQ";
const std::string kOpaqueMark = ".wh..wh..opq";

// "d/x=1" as a path and a file.
std::pair<std::string, ModelInode> ReadEntry(std::string word) {
  ModelInode inode;
  inode.mode = 0644;
  inode.mtime_ns = kOldTime;
  if (const std::size_t at = word.find('='); at != std::string::npos) {
    inode.content = word.substr(at + 1);
    if (!inode.content.empty()) inode.pages = {0};
    word.resize(at);
  } else if (const std::size_t arrow = word.find('>'); arrow != std::string::npos) {
    inode.type = ModelType::kSymlink;
    inode.mode = 0777;
    inode.target = word.substr(arrow + 1);
    word.resize(arrow);
  } else if (word.ends_with('/')) {
    inode.type = ModelType::kDirectory;
    inode.mode = 0755;
    word.pop_back();
  }
  std::string path = "/" + word;
  if (LastName(path) == kOpaqueWord) path = JoinPath(ParentPath(path), kOpaqueMark);
  return {path, inode};
}

std::string WordOf(const std::string& path, const ModelInode& inode) {
  std::string word = path.substr(1);
  if (LastName(path) == kOpaqueMark) {
    word.replace(word.size() - kOpaqueMark.size(), std::string::npos, kOpaqueWord);
  }
  if (inode.is_directory()) return word + "/";
  if (inode.type == ModelType::kSymlink) return word + ">" + inode.target;
  return inode.content.empty() ? word : word + "=" + inode.content;
}

}  // namespace

ModelOutcome CallRunner::One(const std::string& line) {
  if (line == "umount") {
    model_.Remount();
    return {};
  }
  const std::optional<ModelOperation> call = ReadCall(SplitWords(line), slots_);
  LAMINA_CHECK(call.has_value());
  return ApplyOperation(model_, *call);
}

ModelOutcome CallRunner::Call(const std::string& calls) {
  ModelOutcome last;
  std::size_t from = 0;
  while (from < calls.size()) {
    const std::size_t end = calls.find("; ", from);
    const std::string line = calls.substr(from, end - from);
    last = One(line);
    from = end == std::string::npos ? calls.size() : end + 2;
  }
  return last;
}

ModelTree TreeOf(const std::string& drawing) {
  ModelTree tree;
  tree.Find("/")->mtime_ns = kOldTime;
  std::istringstream words(drawing);
  for (std::string word; words >> word;) {
    const auto [path, inode] = ReadEntry(word);
    LAMINA_CHECK(tree.Find(ParentPath(path)) != nullptr);
    tree.Add(path, inode);
  }
  return tree;
}

ModelTree TreeAfter(const std::string& calls) {
  PosixModel model(std::make_unique<PlainView>());
  LAMINA_CHECK(CallRunner(model).Call(calls).ok());
  ModelTree tree = dynamic_cast<const PlainView&>(model.view()).tree();
  for (const std::string& path : tree.Paths()) tree.Find(path)->mtime_ns = kOldTime;
  return tree;
}

std::string DrawingOf(const ModelTree& tree) {
  std::string drawing;
  for (const std::string& path : tree.Paths()) {
    if (path == "/" || (path.starts_with("/.wh..wh.") && LastName(path) != kOpaqueMark)) continue;
    drawing += (drawing.empty() ? "" : " ") + WordOf(path, *tree.Find(path));
  }
  return drawing;
}

AufsScene::AufsScene(const std::vector<AufsView::Content>& branches)
    : model_(std::make_unique<AufsView>(branches)),
      view_(dynamic_cast<AufsView&>(model_.view())),
      runner_(model_) {}

std::string AufsScene::Seen() const { return DrawingOf(FlattenView(view_)); }

ModelStat AufsScene::Stat(const std::string& path) const {
  Result<ModelStat> stat = model_.GetStat(path);
  LAMINA_CHECK(stat.ok());
  return *stat;
}

std::string Shown(const Result<void>& result) {
  return result.ok() ? "OK" : std::string(ErrnoName(result.error()));
}

}  // namespace lamina::sim
