#include "tests/facade/random_stack.h"

#include <array>

namespace lamina::testing {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"a", "b", "c", "d"};
constexpr std::array<std::string_view, 5> kTargets = {"a", "/b", "../c", "nowhere", "/a/b"};
constexpr std::array<std::string_view, 6> kAufsOptions = {"",
                                                          "noplink",
                                                          "create=rr,cpup=bu",
                                                          "create=mfs,cpup=bup,dirwh=1",
                                                          "diropq=always",
                                                          "create=pmfs,udba=none"};
constexpr int kEntriesPerLayer = 9;

}  // namespace

std::uint64_t SplitMix64::Below(std::uint64_t bound) {
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111eb;
  return (z ^ (z >> 31U)) % bound;
}

std::string RandomStack::AnyPath() {
  std::string path;
  for (std::uint64_t depth = 1 + random_.Below(3); depth > 0; --depth) {
    path += '/';
    path += kNames.at(random_.Below(kNames.size()));
  }
  return path;
}

// A name in a directory of this layer: the layer can always be made.
void RandomStack::AddEntry(NamedLayer& layer, std::set<std::string>& directories,
                           std::set<std::string>& taken) {
  auto parent = directories.begin();
  std::advance(parent, static_cast<std::ptrdiff_t>(random_.Below(directories.size())));
  const std::string path = *parent + '/' + std::string(kNames.at(random_.Below(kNames.size())));
  if (path.size() > 6 || !taken.insert(path).second) return;
  switch (random_.Below(8)) {
    case 0:
    case 1:
    case 2:
      layer.Dir(path, random_.Below(6) == 0 ? 0700 : 0755);
      directories.insert(path);
      if (random_.Below(4) == 0) layer.Opaque(path);
      break;
    case 3:
      layer.Whiteout(path);
      break;
    case 4:
      layer.Symlink(path, kTargets.at(random_.Below(kTargets.size())));
      break;
    default:
      layer.FileOfSize(path, random_.Below(6000));
      break;
  }
}

NamedLayer RandomStack::Layer(const std::string& name) {
  NamedLayer layer(name);
  std::set<std::string> directories = {""};
  std::set<std::string> taken;
  for (int i = 0; i < kEntriesPerLayer; ++i) AddEntry(layer, directories, taken);
  return layer;
}

MountOptions RandomStack::Options() {
  MountOptions options;
  options.dialect = dialect_;
  if (dialect_ == UnionDialect::kOverlay) {
    if (random_.Below(3) == 0) options.overlay.redirect_dir = RedirectDir::kOn;
    return options;
  }
  options.aufs_text = kAufsOptions.at(random_.Below(kAufsOptions.size()));
  if (random_.Below(3) == 0) options.aufs_modes["spare"] = "rw";
  return options;
}

// An AUFS has an empty layer "spare" below the upper, which is sometimes writable.
FsPtr RandomStack::Mount() {
  Stack stack;
  const std::uint64_t count = 1 + random_.Below(4);
  for (std::uint64_t i = 0; i < count; ++i) stack.Push(Layer("layer" + std::to_string(i)));
  if (dialect_ == UnionDialect::kAufs) stack.Push(NamedLayer("spare"));
  return stack.MountOrDie(Options());
}

void RandomStack::Act(LayeredFs& fs) {
  const std::string path = AnyPath();
  switch (random_.Below(11)) {
    case 0:
      (void)fs.Unlink(path);
      break;
    case 1:
      (void)fs.Rmdir(path);
      break;
    case 2:
      (void)fs.Mkdir(path);
      break;
    case 3:
      (void)fs.WriteFile(path, "written");
      break;
    case 4:
      (void)fs.AppendFile(path, "more");
      break;
    case 5:
      (void)fs.Symlink(kTargets.at(random_.Below(kTargets.size())), path);
      break;
    case 6:
      (void)fs.Link(AnyPath(), path);
      break;
    case 7:
      (void)fs.RemoveAll(path);
      break;
    case 8:
      (void)fs.Chmod(path, 0700);
      break;
    default:
      (void)fs.Rename(path, AnyPath(), random_.Below(4) == 0 ? RENAME_EXCHANGE : 0);
      break;
  }
}

std::vector<std::string> RandomStack::Paths() {
  std::vector<std::string> paths = {"/", "", "/a/", "/a/..", "/b/.", "/c/d/..", "//d"};
  for (const std::string_view a : kNames) {
    const std::string first = '/' + std::string(a);
    paths.push_back(first);
    for (const std::string_view b : kNames) {
      const std::string second = first + '/' + std::string(b);
      paths.push_back(second);
      for (const std::string_view c : kNames) paths.push_back(second + '/' + std::string(c));
    }
  }
  return paths;
}

}  // namespace lamina::testing
