#include "lamina/driver/layer_store.h"

#include <array>
#include <string>

#include "vfs/driver/tree_files.h"
#include "vfs/driver/voice.h"

namespace lamina {
namespace {

using internal::EnsureDirectories;

constexpr std::uint16_t kMode = 0755;

struct InitNode {
  std::string_view path;
  std::string_view name;  // its last component
  FileType type;
};
constexpr std::string_view kMtabTarget = "/proc/mounts";
constexpr std::array<InitNode, 10> kInitNodes = {{
    {"/dev/pts", "pts", FileType::kDirectory},
    {"/dev/shm", "shm", FileType::kDirectory},
    {"/proc", "proc", FileType::kDirectory},
    {"/sys", "sys", FileType::kDirectory},
    {"/.dockerenv", ".dockerenv", FileType::kRegular},
    {"/etc/resolv.conf", "resolv.conf", FileType::kRegular},
    {"/etc/hosts", "hosts", FileType::kRegular},
    {"/etc/hostname", "hostname", FileType::kRegular},
    {"/dev/console", "console", FileType::kRegular},
    {"/etc/mtab", "mtab", FileType::kSymlink},
}};

// unlink(2) of every component; a directory stays, and a name that is missing is fine.
Result<void> ClearWay(const OpContext& op, FileSystem& fs, NodeId root, std::string_view path) {
  NodeId dir = root;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size());
    const Result<Stat> stat = internal::StatAt(op, fs, {dir, name});
    if (!stat.ok()) return stat.error() == Errno::kNoEnt ? Result<void>() : stat.error();
    if (stat->type != FileType::kDirectory) return fs.Remove(op, {dir, name}, stat->type);
    dir = stat->node;
  }
  return {};
}

Result<void> MakeInitNode(const OpContext& op, FileSystem& fs, NodeId root, const InitNode& node) {
  if (Result<void> cleared = ClearWay(op, fs, root, node.path); !cleared.ok()) return cleared;
  const std::string_view parent = node.path.substr(0, node.path.size() - node.name.size());
  const Result<NodeId> dir = EnsureDirectories(op, fs, root, parent, kMode);
  if (!dir.ok()) return dir.error();
  const Place place{*dir, node.name};
  if (fs.Lookup(op, place).ok()) return {};  // a directory of the image
  const bool is_link = node.type == FileType::kSymlink;
  const std::uint16_t mode = is_link ? 0777 : kMode;
  const Result<NodeId> made =
      fs.Create(op, place, {node.type, mode, 0, is_link ? kMtabTarget : std::string_view()});
  return made.ok() ? Result<void>() : made.error();
}

}  // namespace

Result<void> CheckLayerDepth(std::size_t parent_depth, const DriverListener& on_message) {
  if (parent_depth < kMaxLayerDepth) return {};
  return internal::Voice(on_message).Fail(Errno::kMLink, "max depth exceeded");
}

LayerId InitLayerOf(const LayerId& container) { return {container.value + "-init"}; }

Result<void> FillInitLayer(const OpContext& caller, FileSystem& fs, NodeId root) {
  const OpContext op = internal::AsDaemon(caller);
  for (const InitNode& node : kInitNodes) {
    if (Result<void> made = MakeInitNode(op, fs, root, node); !made.ok()) return made;
  }
  return {};
}

Result<void> CreateContainer(const OpContext& op, StorageDriver& driver, const LayerId& id,
                             const LayerId* image, const LayerOptions& options) {
  const LayerId init = InitLayerOf(id);
  if (Result<void> made = driver.CreateReadWrite(op, init, image, options); !made.ok()) return made;
  {
    Result<Mount> mount = driver.Get(op, init);
    if (!mount.ok()) return mount.error();
    if (Result<void> filled = FillInitLayer(op, mount->fs(), mount->root()); !filled.ok()) {
      return filled;
    }
    if (Result<void> put = mount->Put(op); !put.ok()) return put;
  }
  return driver.CreateReadWrite(op, id, &init, options);
}

}  // namespace lamina
