#include "sim/check/layer_check.h"

#include <optional>
#include <string>
#include <utility>

#include "sim/check/layer_search.h"
#include "sim/check/mark_check.h"
#include "sim/check/whiteout_check.h"

namespace lamina::sim::internal {
namespace {

class LayerCheck {
 public:
  LayerCheck(const StackReader& reader, const ShownDirectories& shown, BranchIndex branch,
             std::vector<StackFinding>& findings, std::map<Inode, std::uint64_t>& links)
      : reader_(reader), shown_(shown), branch_(branch), marks_(reader, findings), links_(links) {}

  Result<void> Run() {
    if (Result<void> root = marks_.CheckRoot(branch_); !root.ok()) return root;
    const Parts roots = reader_.RootsFrom(branch_);
    pending_.push_back({"", roots, false, reader_.Mark(roots.front(), "opaque") == "x"});
    while (!pending_.empty()) {
      const LayerDirectory dir = std::move(pending_.back());
      pending_.pop_back();
      if (Result<void> done = CheckNames(dir); !done.ok()) return done;
    }
    return redirected_.empty() ? Result<void>() : CheckShared();
  }

 private:
  // A directory that follows a redirect, and the first one it shows of the layers below.
  struct Redirected {
    std::string path;
    Part part;
    Part target;
  };

  Result<void> CheckNames(const LayerDirectory& dir) {
    const auto entries = reader_.List(dir.parts.front());
    if (!entries.ok()) return entries.error();
    for (const StackReader::Named& entry : *entries) {
      const Result<std::optional<Part>> child = reader_.Child(dir.parts.front(), entry.name);
      if (!child.ok()) return child.error();
      if (!child->has_value()) continue;
      const Result<Stat> stat = reader_.GetStat(**child);
      if (!stat.ok()) return stat.error();
      if (Result<void> done = CheckName(dir, entry.name, **child, *stat); !done.ok()) return done;
    }
    return {};
  }

  Result<void> CheckName(const LayerDirectory& dir, const std::string& name, const Part& part,
                         const Stat& stat) {
    const std::string path = dir.path + '/' + name;
    if (name.starts_with(".wh.")) AddUnconverted(path, name, part);
    if (stat.type != FileType::kDirectory && stat.nlink > 1) {
      ++links_[{&reader_.fs(part.branch), part.node}];
    }
    if (reader_.IsWhiteout(part, stat)) {
      const Listing listing = shown_.ListingOf(dir.parts.front());
      auto found = CheckWhiteout(reader_, dir, listing, name, stat.type);
      if (!found.ok()) return found.error();
      for (WhiteoutFinding& finding : *found) {
        marks_.Add(finding.kind, finding.severity, part, path, std::move(finding.what),
                   std::move(finding.kernel));
      }
      return {};
    }
    Result<FoundName> found = FindName(reader_, dir.parts, name);
    if (!found.ok()) return found.error();
    LayerObject object{path, part, stat, *std::move(found)};
    if (stat.type != FileType::kDirectory) {
      marks_.CheckFile(object);
      return {};
    }
    marks_.CheckDirectory(object);
    Descend(std::move(object));
    return {};
  }

  void Descend(LayerObject dir) {
    const std::optional<std::string> opaque = reader_.Mark(dir.part, "opaque");
    if (opaque != "y" && dir.found.hits.size() > 1 && !reader_.RefusesRedirects() &&
        reader_.Mark(dir.part, "redirect").has_value()) {
      redirected_.push_back({dir.path, dir.part, dir.found.hits[1]});
    }
    pending_.push_back(
        {std::move(dir.path), std::move(dir.found.hits), opaque == "y", opaque == "x"});
  }

  void AddUnconverted(const std::string& path, const std::string& name, const Part& part) {
    std::string what = "name of a private file of AUFS";
    if (name == ".wh..wh..opq") {
      what = "mark of an opaque directory as AUFS and layer tars have it";
    } else if (!name.starts_with(".wh..wh.")) {
      what = "whiteout of \"" + name.substr(4) + "\" as AUFS and layer tars have it";
    }
    marks_.Add(FindingKind::kUnconvertedWhiteout, Severity::kNote, part, path, what,
               "the kernel takes it for an ordinary file and hides nothing");
  }

  // The other names of the tree that show the directory a redirect leads to.
  Result<void> CheckShared() {
    const Result<ShownDirectories> tree = ShownDirectories::Read(reader_, branch_);
    if (!tree.ok()) return tree.error();
    std::map<Part, std::vector<std::string>> names;  // of the first directory below this layer
    for (const ShownDirectory& dir : tree->all()) {
      const std::size_t below = dir.parts.front().branch == branch_ ? 1 : 0;
      if (below < dir.parts.size()) names[dir.parts[below]].push_back(dir.path);
    }
    std::map<std::string, Part> by_path;
    for (const Redirected& dir : redirected_) by_path.emplace(dir.path, dir.target);
    for (const Redirected& dir : redirected_) {
      for (const std::string& other : names[dir.target]) {
        // Of two redirects, the one with the greater path is reported.
        if (other == dir.path || (by_path.contains(other) && dir.path < other)) continue;
        AddShared(dir, other);
        break;
      }
    }
    return {};
  }

  void AddShared(const Redirected& dir, const std::string& other) {
    const bool writable = reader_.IsWritable(branch_);
    marks_.Add(FindingKind::kSharedRedirect, writable ? Severity::kError : Severity::kWarning,
               dir.part, dir.path,
               "redirect to " + ValueText(reader_.Mark(dir.part, "redirect").value_or("")) +
                   ", and " + (other.empty() ? "/" : other) + " shows the same lower directory",
               writable ? "the kernel knows the directory by its lower inode: the name that is "
                          "looked up second fails with ESTALE"
                        : "the kernel shows what the lower directory holds under both names");
  }

  const StackReader& reader_;
  const ShownDirectories& shown_;
  const BranchIndex branch_;
  MarkCheck marks_;
  std::map<Inode, std::uint64_t>& links_;
  std::vector<LayerDirectory> pending_;
  std::vector<Redirected> redirected_;
};

}  // namespace

Result<void> CheckLayer(const StackReader& reader, const ShownDirectories& shown,
                        BranchIndex branch, std::vector<StackFinding>& findings,
                        std::map<Inode, std::uint64_t>& links) {
  return LayerCheck(reader, shown, branch, findings, links).Run();
}

}  // namespace lamina::sim::internal
