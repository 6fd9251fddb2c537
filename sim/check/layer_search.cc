#include "sim/check/layer_search.h"

#include <algorithm>
#include <utility>

namespace lamina::sim::internal {
namespace {

class Search {
 public:
  Search(const StackReader& reader, std::string_view name) : reader_(reader), path_(name) {}

  Result<FoundName> Run(Parts positions) {
    for (std::size_t i = 0; !stop_ && i < positions.size(); ++i) {
      const bool was_absolute = IsAbsolute();
      const BranchIndex branch = positions[i].branch;
      const Result<std::optional<Part>> hit = LookInto(positions[i]);
      if (!hit.ok()) return hit.error();
      if (hit->has_value()) found_.hits.push_back(**hit);
      if (was_absolute || !IsAbsolute()) continue;
      // An absolute redirect was read: the search starts over at the roots below.
      positions = reader_.RootsFrom(branch + std::size_t{1});
      i = static_cast<std::size_t>(-1);
    }
    if (needs_data_ && !stop_) {
      if (Result<void> done = LookForData(); !done.ok()) return done.error();
    }
    return std::move(found_);
  }

 private:
  bool IsAbsolute() const { return path_.starts_with('/'); }

  void Stop(SearchEnd end, std::optional<Part> at) {
    stop_ = true;
    found_.end = end;
    found_.at = at;
  }

  // One layer: one component, or every component of an absolute redirect.
  Result<std::optional<Part>> LookInto(Part base) {
    if (!IsAbsolute()) return Element(base, path_, 0, "");
    // Counted from the end: a redirect on the way replaces the part before.
    std::size_t remaining = path_.size() - 1;
    while (true) {
      const std::string path = path_;
      const std::size_t begin = path.size() - remaining;
      const std::size_t end = std::min(path.find('/', begin), path.size());
      const Result<std::optional<Part>> element =
          Element(base, std::string_view(path).substr(begin, end - begin), begin,
                  std::string_view(path).substr(end));
      if (!element.ok() || !element->has_value() || end == path.size()) return element;
      remaining -= end - begin + 1;
      base = **element;
    }
  }

  // `name` in the directory `base`; `rest` follows it in the path, `prefix_bytes` are before it.
  Result<std::optional<Part>> Element(const Part& base, std::string_view name,
                                      std::size_t prefix_bytes, std::string_view rest) {
    const Result<std::optional<Part>> child = reader_.Child(base, name);
    if (!child.ok() || !child->has_value()) return child;
    const Part part = **child;
    const Result<Stat> stat = reader_.GetStat(part);
    if (!stat.ok()) return stat.error();
    if (reader_.IsWhiteout(part, *stat)) {
      Stop(SearchEnd::kWhiteout, part);
      return std::optional<Part>();
    }
    const bool last = rest.empty();
    if (stat->type == FileType::kDirectory ? last && found_.metacopy : is_dir_ || !last) {
      Stop(SearchEnd::kOtherType, part);  // ovl: a file cuts the merge
      return std::optional<Part>();
    }
    if (stat->type != FileType::kDirectory) return File(part, *stat, prefix_bytes);
    return Directory(part, last, prefix_bytes, rest);
  }

  Result<std::optional<Part>> File(const Part& part, const Stat& stat, std::size_t prefix_bytes) {
    if (found_.hits.empty()) found_.type = stat.type;
    if (found_.metacopy && stat.type != FileType::kRegular) {
      Stop(SearchEnd::kOtherType, part);
      return std::optional<Part>();
    }
    needs_data_ = stat.type == FileType::kRegular && reader_.Mark(part, "metacopy").has_value();
    if (!needs_data_) {
      Stop(SearchEnd::kFound, part);
      return std::optional<Part>(part);
    }
    found_.metacopy = true;
    last_metacopy_ = part;
    // ovl: marks of the bottom layer are not read, but that data-only layers may follow.
    if (!reader_.IsBottom(part.branch) || reader_.HasDataOnly()) {
      FollowRedirect(part, prefix_bytes, "");
    }
    return std::optional<Part>(part);
  }

  Result<std::optional<Part>> Directory(const Part& part, bool last, std::size_t prefix_bytes,
                                        std::string_view rest) {
    if (last) {
      is_dir_ = true;
      found_.type = FileType::kDirectory;
    }
    if (reader_.IsBottom(part.branch)) return std::optional<Part>(part);
    if (reader_.Mark(part, "opaque") == "y") {
      Stop(SearchEnd::kOpaque, part);
      return std::optional<Part>(part);
    }
    FollowRedirect(part, prefix_bytes, rest);
    return std::optional<Part>(part);
  }

  void FollowRedirect(const Part& part, std::size_t prefix_bytes, std::string_view rest) {
    const std::optional<std::string> value = reader_.Mark(part, "redirect");
    if (!value) return;
    if (RedirectFault(*value)) {
      Stop(SearchEnd::kMalformed, part);
      return;
    }
    if (value->front() == '/') {
      path_ = *value + std::string(rest);
      // ovl: an opaque directory on the way ended the search; this takes it up again (OVL-086).
      stop_ = false;
      found_.end = SearchEnd::kBottom;
      found_.at.reset();
    } else {
      path_ = path_.substr(0, prefix_bytes) + *value + std::string(rest);
    }
  }

  // The data of a metacopy file in the data-only layers: only a lower one may lead there, by an
  // absolute redirect (OVL-093).
  Result<void> LookForData() {
    if (!IsAbsolute() || reader_.IsWritable(last_metacopy_.branch)) return {};
    found_.lazy = reader_.HasDataOnly();
    const std::size_t count = reader_.stack().branches.size();
    for (std::size_t i = reader_.named_count(); i < count; ++i) {
      std::optional<Part> part =
          Part{static_cast<BranchIndex>(i), reader_.stack().branches[i].root};
      for (std::size_t begin = 1; part && begin <= path_.size();) {
        const std::size_t end = std::min(path_.find('/', begin), path_.size());
        const Result<Stat> stat = reader_.GetStat(*part);
        if (!stat.ok()) return stat.error();
        Result<std::optional<Part>> child = std::optional<Part>();
        if (stat->type == FileType::kDirectory) {
          child = reader_.Child(*part, std::string_view(path_).substr(begin, end - begin));
        }
        if (!child.ok()) return child.error();
        part = *child;
        begin = end + 1;
      }
      if (!part) continue;
      const Result<Stat> stat = reader_.GetStat(*part);
      if (!stat.ok()) return stat.error();
      if (stat->type != FileType::kRegular) continue;
      found_.hits.push_back(*part);
      Stop(SearchEnd::kFound, *part);
      return {};
    }
    return {};
  }

  const StackReader& reader_;
  std::string path_;  // a component, or an absolute redirect to walk from each root
  FoundName found_;
  Part last_metacopy_;
  bool is_dir_ = false;
  bool needs_data_ = false;
  bool stop_ = false;
};

}  // namespace

Result<FoundName> FindName(const StackReader& reader, const Parts& parents, std::string_view name) {
  return Search(reader, name).Run(parents);
}

std::optional<std::string_view> RedirectFault(std::string_view value) {
  if (value.empty()) return "is empty";
  if (value.front() != '/') {
    if (value.find('/') != std::string_view::npos) return "is relative and has a slash";
    return std::nullopt;
  }
  for (std::size_t at = 0; at < value.size();) {
    const std::size_t next = std::min(value.find('/', at + 1), value.size());
    if (next == at + 1) return "has an empty component";
    at = next;
  }
  return std::nullopt;
}

}  // namespace lamina::sim::internal
