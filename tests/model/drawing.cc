#include "tests/model/drawing.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "sim/model/aufs_branch.h"
#include "sim/model/entry.h"
#include "sim/model/plain_view.h"

namespace lamina::sim {
namespace {

struct Weight {
  OperationKind kind;
  int weight;
};

constexpr std::array kWeights = {
    Weight{OperationKind::kMkdir, 7},       Weight{OperationKind::kCreate, 5},
    Weight{OperationKind::kPut, 6},         Weight{OperationKind::kWrite, 6},
    Weight{OperationKind::kAppend, 3},      Weight{OperationKind::kTruncate, 4},
    Weight{OperationKind::kRead, 4},        Weight{OperationKind::kUnlink, 9},
    Weight{OperationKind::kRmdir, 9},       Weight{OperationKind::kRename, 18},
    Weight{OperationKind::kLink, 6},        Weight{OperationKind::kSymlink, 4},
    Weight{OperationKind::kReadlink, 2},    Weight{OperationKind::kChmod, 6},
    Weight{OperationKind::kChown, 5},       Weight{OperationKind::kUtimens, 4},
    Weight{OperationKind::kSetXattr, 5},    Weight{OperationKind::kGetXattr, 3},
    Weight{OperationKind::kListXattr, 2},   Weight{OperationKind::kRemoveXattr, 3},
    Weight{OperationKind::kMknod, 4},       Weight{OperationKind::kFifo, 2},
    Weight{OperationKind::kSocket, 1},      Weight{OperationKind::kReaddir, 4},
    Weight{OperationKind::kStat, 5},        Weight{OperationKind::kAccess, 3},
    Weight{OperationKind::kOpen, 7},        Weight{OperationKind::kHandleRead, 4},
    Weight{OperationKind::kHandleWrite, 5}, Weight{OperationKind::kHandleTruncate, 2},
    Weight{OperationKind::kHandleStat, 4},  Weight{OperationKind::kHandleChmod, 5},
    Weight{OperationKind::kHandleSync, 2},  Weight{OperationKind::kClose, 4},
    Weight{OperationKind::kAs, 3},          Weight{OperationKind::kUmask, 1},
    Weight{OperationKind::kRemount, 1},
};

constexpr int kSlots = 4;

std::uint16_t DrawMode(const Choose& choose) {
  static const std::array<std::uint16_t, 11> kModes = {0644, 0755, 0600,  0777,  0700, 0000,
                                                       0666, 0555, 04755, 02775, 01777};
  return OneOf(kModes, choose);
}

std::string DrawData(const Choose& choose) {
  static const std::array<std::string, 6> kData = {
      "x", "hello", "0123456789", std::string(100, 'f'), std::string("\0\xff\"", 3), ""};
  return OneOf(kData, choose);
}

std::uint64_t DrawOffset(const Choose& choose) {
  static const std::array<std::uint64_t, 6> kOffsets = {0, 0, 1, 5, 300, 5000};
  return OneOf(kOffsets, choose);
}

std::string DrawKey(const Choose& choose) {
  static const std::array<std::string, 6> kKeys = {
      "user.a", "user.b", "trusted.t", "security.s", "security.capability", "trusted.overlay.x"};
  return OneOf(kKeys, choose);
}

std::optional<std::uint32_t> DrawId(const Choose& choose) {
  static const std::array<std::optional<std::uint32_t>, 4> kIds = {0U, 1000U, std::nullopt, 1001U};
  return OneOf(kIds, choose);
}

std::string DrawTarget(const Choose& choose) {
  static const std::array<std::string, 8> kTargets = {"a",  "/b",   "../c", "nowhere",
                                                      "b/", "/a/b", ".",    "/d/../a"};
  return OneOf(kTargets, choose);
}

bool MakesAName(OperationKind kind) {
  switch (kind) {
    case OperationKind::kMkdir:
    case OperationKind::kCreate:
    case OperationKind::kSymlink:
    case OperationKind::kMknod:
    case OperationKind::kFifo:
    case OperationKind::kSocket:
      return true;
    default:
      return false;
  }
}

// The path of an open file; "" when there is none.
std::string DrawOpenPath(const PosixModel& model, const Shown& shown, const Choose& choose) {
  std::vector<std::string> open;
  for (const int slot : model.OpenSlots()) {
    for (const std::string& path : shown.others) {
      if (model.view().IsSlotOf(slot, path)) open.push_back(path);
    }
  }
  return open.empty() ? "" : OneOf(open, choose);
}

// A handle whose file has lost the name; -1 when there is none.
int DrawOrphan(const PosixModel& model, const Shown& shown, const Choose& choose) {
  std::vector<int> orphans;
  for (const int slot : model.OpenSlots()) {
    const bool named =
        std::any_of(shown.all.begin(), shown.all.end(),
                    [&](const std::string& path) { return model.view().IsSlotOf(slot, path); });
    if (!named && model.view().IsSlotSettled(slot)) orphans.push_back(slot);
  }
  if (orphans.empty()) return -1;
  return orphans.at(static_cast<std::size_t>(choose(static_cast<int>(orphans.size()))));
}

// Another name of the file; "" when there is none.
std::string DrawAlias(const ModelView& view, const std::string& path, const Shown& shown,
                      const Choose& choose) {
  const bool there =
      std::find(shown.others.begin(), shown.others.end(), path) != shown.others.end();
  if (!there) return "";
  std::vector<std::string> aliases;
  for (const std::string& other : shown.others) {
    if (other != path && view.Identity(other) == view.Identity(path)) aliases.push_back(other);
  }
  return aliases.empty() ? "" : OneOf(aliases, choose);
}

// A path that suits the call, often enough.
std::string DrawPathFor(OperationKind kind, const Shown& shown, const Choose& choose) {
  if (MakesAName(kind)) return DrawNewPath(shown, choose);
  switch (kind) {
    case OperationKind::kPut:
      return choose(2) == 1 ? DrawNewPath(shown, choose) : DrawPathLike(shown.files, shown, choose);
    case OperationKind::kWrite:
    case OperationKind::kAppend:
    case OperationKind::kTruncate:
    case OperationKind::kRead:
    case OperationKind::kOpen:
      return DrawPathLike(shown.files, shown, choose);
    case OperationKind::kUnlink:
    case OperationKind::kLink:
      return DrawPathLike(shown.others, shown, choose);
    case OperationKind::kReadlink:
      return DrawPathLike(shown.symlinks, shown, choose);
    case OperationKind::kRmdir:
    case OperationKind::kReaddir:
      return DrawPathLike(shown.directories, shown, choose);
    default:
      return DrawPath(shown, choose);
  }
}

ModelOpenHow DrawHow(const Choose& choose) {
  ModelOpenHow how;
  const int access = choose(5);
  how.read = access != 1;
  how.write = access == 1 || access == 2;
  how.create = choose(4) == 1;
  how.exclusive = how.create && choose(3) == 1;
  how.truncate = choose(6) == 1;
  how.append = how.write && choose(4) == 1;
  how.directory = !how.create && choose(8) == 1;
  how.no_follow = choose(8) == 1;
  return how;
}

ModelRename DrawRename(const Choose& choose) {
  const int choice = choose(16);
  if (choice < 10) return ModelRename::kReplace;
  if (choice < 12) return ModelRename::kNoReplace;
  return choice < 15 ? ModelRename::kExchange : ModelRename::kLeaveWhiteout;
}

void DrawMknod(ModelOperation& o, const Choose& choose) {
  const int choice = choose(5);
  o.type = choice == 1 ? ModelType::kBlockDevice : ModelType::kCharDevice;
  o.number = choice == 4 ? 0 : 200;
  o.second = choice == 4 ? 0 : static_cast<std::uint64_t>(choose(3));
}

void DrawIdentity(ModelOperation& o, const Choose& choose) {
  const bool user = choose(3) != 0;
  o.uid = user ? 1000 : 0;
  o.gid = user ? 1000 : 0;
}

// Draws everything an operation may carry; calls use what they need.
ModelOperation DrawArguments(OperationKind kind, const Shown& shown, const PosixModel& model,
                             const Choose& choose) {
  ModelOperation o;
  o.kind = kind;
  const bool on_handle = kind > OperationKind::kOpen && kind <= OperationKind::kClose;
  if (on_handle) {
    const std::vector<int> open = model.OpenSlots();
    o.slot = open.empty() || choose(12) == 1
                 ? choose(kSlots)
                 : open.at(static_cast<std::size_t>(choose(static_cast<int>(open.size()))));
  }
  if (kind == OperationKind::kOpen) {
    while (o.slot < kSlots - 1 && model.IsOpen(o.slot)) ++o.slot;
    o.how = DrawHow(choose);
  }
  const bool on_path = !on_handle && kind < OperationKind::kAs;
  if (on_path) o.path = DrawPathFor(kind, shown, choose);
  const bool may_hit_open = kind == OperationKind::kUnlink || kind == OperationKind::kRename ||
                            kind == OperationKind::kChmod || kind == OperationKind::kAppend;
  if (may_hit_open && choose(3) == 1) {
    const std::string open = DrawOpenPath(model, shown, choose);
    if (!open.empty()) o.path = open;
  }
  return o;
}

void DrawValues(ModelOperation& o, const Shown& shown, const Choose& choose) {
  switch (o.kind) {
    case OperationKind::kRename:
      o.rename = DrawRename(choose);
      o.other = choose(3) == 1 ? DrawNewPath(shown, choose) : DrawPath(shown, choose);
      return;
    case OperationKind::kLink:
      o.other = DrawNewPath(shown, choose);
      return;
    case OperationKind::kSymlink:
      o.other = DrawTarget(choose);
      return;
    case OperationKind::kChown:
      o.uid = DrawId(choose);
      o.gid = DrawId(choose);
      return;
    case OperationKind::kUtimens:
      o.number = 2000 + static_cast<std::uint64_t>(choose(5));
      return;
    case OperationKind::kSetXattr:
    case OperationKind::kGetXattr:
    case OperationKind::kRemoveXattr:
      o.other = DrawKey(choose);
      o.data = choose(2) == 0 ? "1" : "two";
      if (o.other == kFileCapability && choose(5) != 1) {
        o.data = std::string("\1\0\0\2", 4);
        o.data.resize(20);
      }
      o.xattr = static_cast<ModelXattrMode>(choose(3));
      return;
    case OperationKind::kMknod:
      o.mode = DrawMode(choose);
      return DrawMknod(o, choose);
    case OperationKind::kAccess:
      o.number = static_cast<std::uint64_t>(choose(8));
      return;
    case OperationKind::kAs:
      return DrawIdentity(o, choose);
    case OperationKind::kUmask:
      o.mode = choose(2) == 0 ? 0 : 022;
      return;
    default:
      o.mode = DrawMode(choose);
      o.number = DrawOffset(choose);
      o.second = 1U << 16U;
      o.data = DrawData(choose);
      return;
  }
}

// An attribute that is there, when there is one.
void DrawPresentKey(ModelOperation& o, const ModelView& view, const Shown& shown,
                    const Choose& choose) {
  std::vector<std::pair<std::string, std::string>> present;
  for (const std::string& path : shown.all) {
    for (const auto& [stored, value] : view.Find(path)->xattrs) {
      const std::optional<std::string> key = view.ShownKey(stored);
      if (key.has_value()) present.emplace_back(path, *key);
    }
  }
  if (present.empty()) return;
  const int index = choose(static_cast<int>(present.size()));
  std::tie(o.path, o.other) = present.at(static_cast<std::size_t>(index));
}

// One more thing for a layer.
ModelOperation DrawContent(const Shown& shown, const Choose& choose, Marks marks) {
  static const std::array<OperationKind, 16> kPlain = {
      OperationKind::kMkdir,   OperationKind::kMkdir,    OperationKind::kPut,
      OperationKind::kPut,     OperationKind::kMkdir,    OperationKind::kPut,
      OperationKind::kSymlink, OperationKind::kLink,     OperationKind::kFifo,
      OperationKind::kChmod,   OperationKind::kChown,    OperationKind::kSetXattr,
      OperationKind::kLink,    OperationKind::kTruncate, OperationKind::kMknod,
      OperationKind::kUtimens};
  const int choice = choose(20);
  ModelOperation o;
  if (choice < 16 || marks == Marks::kNone) {
    o.kind = OneOf(kPlain, choose);
    o.path = OneOf(shown.all, choose);
    if (MakesAName(o.kind) || o.kind == OperationKind::kPut) o.path = DrawFreePath(shown, choose);
    DrawValues(o, shown, choose);
    if (o.kind == OperationKind::kLink) o.other = DrawFreePath(shown, choose);
    const bool whiteout = o.kind == OperationKind::kMknod && o.number == 0;
    if (whiteout) o.number = 200;
    return o;
  }
  if (marks == Marks::kAufs) {
    const std::string hidden = DrawFreePath(shown, choose);
    const std::string dir = ParentPath(hidden);
    const bool broken = choice < 18 && choose(8) == 1;
    o.kind = broken ? OperationKind::kMkdir : OperationKind::kCreate;
    o.mode = 0444;
    o.path = choice < 18 ? WhiteoutOf(hidden) : JoinPath(dir, ".wh..wh..opq");
    if (choice >= 18 && dir == "/") o.kind = OperationKind::kStat;  // has no effect there
    return o;
  }
  if (choice < 18) {  // a whiteout, with or without something below
    o.kind = OperationKind::kMknod;
    o.path = DrawFreePath(shown, choose);
    return o;
  }
  o.kind = OperationKind::kSetXattr;
  o.path = OneOf(shown.directories, choose);
  o.other = "trusted.overlay.opaque";
  o.data = "y";
  if (o.path == "/") o.kind = OperationKind::kStat;
  return o;
}

// A whiteout of AUFS beside its victim: what is seen then depends on the order of the branch. Or
// one that is a directory with something in it: it cannot be cleaned away.
bool HidesItsOwn(const PosixModel& layer) {
  const ModelTree& tree = dynamic_cast<const PlainView&>(layer.view()).tree();
  const std::vector<std::string> paths = tree.Paths();
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
    return tree.InoOf(WhiteoutOf(path)) != 0 || IsReservedName(LastName(ParentPath(path)));
  });
}

}  // namespace

std::vector<ModelOperation> DrawLayer(const Choose& choose, Marks marks) {
  PosixModel layer(std::make_unique<PlainView>());
  std::vector<ModelOperation> calls;
  const int wanted = choose(36);
  for (int i = 0; i < wanted; ++i) {
    const ModelOperation call = DrawContent(ShownBy(layer.view()), choose, marks);
    PosixModel before = layer;
    if (call.kind == OperationKind::kStat) continue;
    const bool made = ApplyOperation(layer, call).ok();
    if (made && !(marks == Marks::kAufs && HidesItsOwn(layer))) {
      calls.push_back(call);
    } else {
      layer = before;
    }
  }
  return calls;
}

ModelTree BuildLayer(const std::vector<ModelOperation>& calls) {
  PosixModel layer(std::make_unique<PlainView>());
  for (const ModelOperation& call : calls) ApplyOperation(layer, call);
  ModelTree tree = dynamic_cast<const PlainView&>(layer.view()).tree();
  for (const std::string& path : tree.Paths()) {
    std::int64_t& mtime_ns = tree.Find(path)->mtime_ns;
    if (mtime_ns == kModelNow) mtime_ns = 1'000'000'000'000;
  }
  return tree;
}

std::vector<OperationKind> DrawSwarm(const Choose& choose) {
  std::vector<OperationKind> swarm;
  for (const Weight& row : kWeights) {
    const bool always = row.kind == OperationKind::kRename || row.kind == OperationKind::kUnlink ||
                        row.kind == OperationKind::kMkdir || row.kind == OperationKind::kPut;
    if (!always && choose(2) == 1) continue;
    swarm.insert(swarm.end(), static_cast<std::size_t>(row.weight), row.kind);
  }
  return swarm;
}

ModelOperation DrawOperation(const PosixModel& model, const std::vector<OperationKind>& swarm,
                             const Choose& choose) {
  const Shown shown = ShownBy(model.view());
  OperationKind kind = swarm.at(static_cast<std::size_t>(choose(static_cast<int>(swarm.size()))));
  const auto is_on_handle = [](OperationKind some) {
    return some > OperationKind::kOpen && some <= OperationKind::kClose;
  };
  if (is_on_handle(kind) && model.OpenSlots().empty() && choose(8) != 1)
    kind = OperationKind::kOpen;
  const int orphan = DrawOrphan(model, shown, choose);
  if (orphan >= 0 && choose(8) == 1) {
    kind = choose(2) == 1 ? OperationKind::kHandleStat : OperationKind::kHandleChmod;
  } else if (!model.OpenSlots().empty() && choose(10) == 1) {
    kind = OperationKind::kUnlink;
  }
  ModelOperation o = DrawArguments(kind, shown, model, choose);
  DrawValues(o, shown, choose);
  if (orphan >= 0 && is_on_handle(kind) && choose(3) != 1) o.slot = orphan;
  if (kind == OperationKind::kRename && choose(2) == 1) {
    const std::string alias = DrawAlias(model.view(), o.path, shown, choose);
    if (!alias.empty()) o.other = alias;
  }
  const bool by_key = kind == OperationKind::kGetXattr || kind == OperationKind::kRemoveXattr;
  if (by_key && choose(4) != 1) DrawPresentKey(o, model.view(), shown, choose);
  return o;
}

}  // namespace lamina::sim
