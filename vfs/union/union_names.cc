// UnionFs: what is remembered of directories (directory_cache.h) and when it stops to hold.
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "lamina/union/union_fs.h"
#include "vfs/union/union_body.h"

namespace lamina {
namespace {

// A directory of fewer branches is asked each time: its names would cost as much to keep.
constexpr std::size_t kFewBranches = 4;
// The names are read once the branch lookups spent on missing ones would have read as many: so the
// reading never costs more than it saves by a constant factor.
constexpr std::uint64_t kEntriesPerProbe = 16;
// What a directory's size counts for an entry (tmpfs, MemFs; elsewhere the guess is too high or too
// low, which only moves the moment).
constexpr std::uint64_t kBytesPerEntry = 20;

std::uint64_t HashOfName(NodeId dir, std::string_view name) {
  return absl::HashOf(dir, absl::string_view(name.data(), name.size()));
}

NodeId UnionNodeOf(const StepNode& node) {
  return node.kind == StepNode::Kind::kWritableOf ? node.node : NodeId{};
}

// The union's directories that the steps of a plan change.
template <typename Visit>
void ForEachChanged(const UnionState& state, const Plan& plan, Visit visit) {
  for (const Step& step : plan.steps) {
    for (const NodeId node : {UnionNodeOf(step.node), UnionNodeOf(step.place.dir),
                              UnionNodeOf(step.to.dir), step.copied_up}) {
      UnionNode* changed = node.value == 0 ? nullptr : state.nodes.Find(node);
      if (changed != nullptr && changed->cache != nullptr) visit(*changed);
    }
  }
}

}  // namespace

BranchStamp UnionFs::Body::StampOf(const OpContext& op, const UnionNode& dir) const {
  BranchStamp stamp;
  for (const FileSystem* fs : state->changing) stamp.file_systems += fs->change_count();
  for (const Hit& hit : dir.hits) {
    FileSystem& fs = state->fs(hit.branch);
    if (fs.frozen()) continue;
    Result<Stat> stat = fs.GetAttr(AsMounter(op), hit.node);
    stamp.directories += stat.ok() ? stat->change : 1;
  }
  return stamp;
}

DirectoryCache* UnionFs::Body::ValidCache(const OpContext& op, UnionNode& dir) {
  if (dir.cache == nullptr) return nullptr;
  DirectoryCache& cache = state->directories.Of(dir);
  if (cache.listing == nullptr && !cache.has_names) return &cache;  // nothing that could be wrong
  std::uint64_t count = 0;
  for (const FileSystem* fs : state->changing) count += fs->change_count();
  if (count == cache.stamp.file_systems) return &cache;
  const BranchStamp now = StampOf(op, dir);
  if (now.directories != cache.stamp.directories) {
    state->directories.Drop(dir);
    return nullptr;
  }
  cache.stamp = now;
  return &cache;
}

bool UnionFs::Body::KnownMissing(const OpContext& op, UnionNode& dir, std::string_view name) {
  if (!state->hidden.empty() && state->hidden.contains(HashOfName(dir.id, name))) return true;
  if (dir.cache == nullptr) return false;
  const DirectoryCache* cache = ValidCache(op, dir);
  return cache != nullptr && cache->has_names && !cache->MayHold(name);
}

void UnionFs::Body::NoteMissed(const UnionNode& dir, std::string_view name) {
  if (state->orphans > 0) state->missed.insert(HashOfName(dir.id, name));
}

void UnionFs::Body::CountMissing(const OpContext& op, UnionNode& dir) {
  if (!state->cache_names || dir.hits.size() < kFewBranches) return;
  DirectoryCache& cache = state->directories.Of(dir);
  if (cache.has_names || cache.too_big) return;
  if (cache.probes == 0) {
    for (const Hit& hit : dir.hits) {
      Result<Stat> stat = state->fs(hit.branch).GetAttr(AsMounter(op), hit.node);
      if (stat.ok()) cache.estimate += stat->size_bytes / kBytesPerEntry;
    }
  }
  cache.probes += dir.hits.size();
  if (cache.probes * kEntriesPerProbe < cache.estimate) return;
  Result<std::shared_ptr<MergedListing>> listing = TakeListing(op, dir);
  if (!listing.ok() || dir.cache == nullptr) return;
  DirectoryCache& taken = *dir.cache;
  taken.too_big = taken.listing == nullptr;
  if (taken.too_big) return;
  taken.names.reserve(taken.listing->entries.size());
  for (const ListedEntry& entry : taken.listing->entries) {
    taken.names.insert(DirectoryCache::Hash(taken.listing->name(entry)));
  }
  taken.has_names = true;
  state->directories.Charge(dir);
}

Result<std::shared_ptr<MergedListing>> UnionFs::Body::TakeListing(const OpContext& op,
                                                                  UnionNode& dir) {
  const DirectoryCache* cache = ValidCache(op, dir);
  if (cache != nullptr && cache->listing != nullptr && cache->listing->version == dir.version &&
      !cache->listing->looked_up) {
    return cache->listing;
  }
  const BranchStamp stamp = StampOf(op, dir);
  Result<MergedListing> listed = dialect->List(op, *state, dir);
  if (!listed.ok()) return listed.error();
  auto listing = std::make_shared<MergedListing>(*std::move(listed));
  listing->version = dir.version;
  if (!state->cache_names || listing->entries.size() > DirectoryCaches::kMaxEntries) return listing;
  DirectoryCache& kept = state->directories.Of(dir);
  kept.listing = listing;
  kept.stamp = stamp;
  state->directories.Charge(dir);
  return listing;
}

Result<void> UnionFs::Body::Run(const OpContext& op, const Plan& plan, Application& application) {
  if (state->directories.empty()) {
    Result<void> done = application.Run();
    if (done.ok()) HidePutBack(plan);
    return done;
  }
  // What somebody else changed must not be taken for ours afterwards.
  ForEachChanged(*state, plan, [&](UnionNode& dir) { ValidCache(op, dir); });
  Result<void> done = application.Run();
  ForEachChanged(*state, plan, [&](UnionNode& dir) { dir.cache->stamp = StampOf(op, dir); });
  for (const Step& step : plan.steps) {
    for (const StepPlace* place : {&step.place, &step.to}) {
      if (place->dir.kind != StepNode::Kind::kWritableOf) continue;
      UnionNode* dir = state->nodes.Find(place->dir.node);
      if (dir == nullptr || dir->cache == nullptr) continue;
      dir->cache->Add(place->name);
      dir->cache->listing.reset();  // an entry is another object now
      state->directories.Charge(*dir);
    }
  }
  if (done.ok()) HidePutBack(plan);
  return done;
}

void UnionFs::Body::SetOrphan(UnionNode& node, bool orphan) {
  if (node.orphan == orphan) return;
  node.orphan = orphan;
  state->orphans += orphan ? 1 : -1;
  if (state->orphans == 0) state->missed.clear();
}

void UnionFs::Body::HidePutBack(const Plan& plan) {
  if (state->missed.empty()) return;
  for (const Step& step : plan.steps) {
    // A copy without a name (AUFS) puts nothing back.
    if (step.copied_up.value == 0 || step.kind == StepKind::kRemove) continue;
    const UnionNode* node = state->nodes.Find(step.copied_up);
    if (node == nullptr || !node->dead || !node->has_writable) continue;
    const std::uint64_t hash = HashOfName(node->parent, node->name);
    if (state->missed.contains(hash)) state->hidden.insert(hash);
  }
}

void UnionFs::Body::ShowAgain(NodeId dir, std::string_view name) {
  if (!state->hidden.empty()) state->hidden.erase(HashOfName(dir, name));
}

}  // namespace lamina
