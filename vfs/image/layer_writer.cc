#include "vfs/image/layer_writer.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "lamina/store/paged_bytes.h"

namespace lamina {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kPrivatePrefix = ".wh..wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr std::uint16_t kLinkMode = 0777;

enum class Mark : std::uint8_t { kNone, kWhiteout, kOpaque, kPrivate };

// What the names of a path mean. Errors: InvalidArgument a whiteout that names nothing, or a way
// through one.
absl::StatusOr<Mark> FindMark(const std::vector<std::string_view>& names) {
  for (std::size_t index = 0; index < names.size(); ++index) {
    const std::string_view name = names[index];
    const bool last = index + 1 == names.size();
    if (!name.starts_with(kWhiteoutPrefix)) continue;
    if (last && name == kOpaqueName) return Mark::kOpaque;
    if (name.starts_with(kPrivatePrefix)) return Mark::kPrivate;
    if (!last) return absl::InvalidArgumentError("a whiteout as a directory");
    const std::string_view hidden = name.substr(kWhiteoutPrefix.size());
    if (hidden.empty() || hidden == "." || hidden == "..") {
      return absl::InvalidArgumentError("a whiteout that names nothing");
    }
    return Mark::kWhiteout;
  }
  return Mark::kNone;
}

std::string_view OpaqueKey(WhiteoutForm form) {
  return form == WhiteoutForm::kOverlay ? "trusted.overlay.opaque" : "user.overlay.opaque";
}

}  // namespace

LayerWriter::LayerWriter(MemFs& fs, NodeId into, const LayerTarOptions& options)
    : fs_(fs), into_(into), options_(options), name_max_(fs.limits().name_max) {
  Note(into);
}

absl::Status LayerWriter::Apply(const TarEntry& entry, TarReader& reader) {
  report_.records_ignored += entry.ignored_records;
  if (entry.type == TarEntryType::kVolumeName) {
    ++report_.skipped;
    return absl::OkStatus();
  }
  const absl::StatusOr<Names> names = SplitName(entry.name);
  if (!names.ok()) return names.status();
  const absl::StatusOr<Mark> mark = FindMark(*names);
  if (!mark.ok()) return mark.status();
  if (*mark == Mark::kPrivate) {
    ++report_.skipped;
    return absl::OkStatus();
  }
  ++report_.entries;
  if (names->empty()) {
    if (entry.type == TarEntryType::kDirectory) return SetDirectory(into_, entry);
    return absl::InvalidArgumentError("the root of a layer must be a directory");
  }
  if (*mark != Mark::kNone && entry.type == TarEntryType::kDirectory) {
    return absl::InvalidArgumentError("a whiteout that is a directory");
  }
  const absl::StatusOr<NodeId> parent = EnsureParent(*names);
  if (!parent.ok()) return parent.status();
  if (*mark == Mark::kOpaque) {
    ++report_.opaque_marks;
    opaque_.insert(*parent);
    return absl::OkStatus();
  }
  if (*mark == Mark::kWhiteout) {
    return PutWhiteout(*parent, names->back().substr(kWhiteoutPrefix.size()), entry);
  }
  return PutNode({*parent, names->back()}, entry, reader);
}

// A file that is a mark of AUFS.
absl::Status LayerWriter::PutMarkFile(Place place, Instant time) {
  const OpContext context = op(time);
  const Result<NodeId> made =
      fs_.Create(context, place, {.type = FileType::kRegular, .mode = 0444});
  if (made.ok() || made.error() == Errno::kExist) return absl::OkStatus();
  return MemFsError(made.error(), "creating a whiteout");
}

// Whiteouts are devices while the tar is read: a later entry may take the place of one.
absl::Status LayerWriter::RenameWhiteouts() {
  std::vector<Slot> slots(hidden_.begin(), hidden_.end());
  std::sort(slots.begin(), slots.end());
  for (const auto& [dir, name] : slots) {
    const Result<NodeId> node = fs_.Lookup(op(Instant{}), {dir, name});
    if (!node.ok() || !whiteouts_.contains(*node)) continue;
    const Result<Stat> stat = fs_.GetAttr(op(Instant{}), *node);
    if (!stat.ok()) return MemFsError(stat.error(), "reading attributes");
    const Result<void> removed = fs_.Remove(op(stat->mtime), {dir, name}, FileType::kCharDevice);
    if (!removed.ok()) return MemFsError(removed.error(), "removing a device");
    const std::string file = std::string(kWhiteoutPrefix) + std::string(name);
    absl::Status put = PutMarkFile({dir, file}, stat->mtime);
    if (!put.ok()) return put;
  }
  return absl::OkStatus();
}

absl::Status LayerWriter::Finish() {
  if (options_.whiteouts == WhiteoutForm::kAufs) {
    if (absl::Status renamed = RenameWhiteouts(); !renamed.ok()) return renamed;
  }
  std::vector<NodeId> nodes;
  nodes.reserve(directories_.size());
  for (const auto& [node, attributes] : directories_) nodes.push_back(node);
  std::sort(nodes.begin(), nodes.end());
  for (const NodeId node : nodes) {
    NodeAttributes& attributes = directories_[node];
    if (opaque_.contains(node)) {
      if (options_.whiteouts == WhiteoutForm::kAufs) {
        absl::Status marked = PutMarkFile({node, kOpaqueName}, attributes.mtime);
        if (!marked.ok()) return marked;
      } else {
        attributes.xattrs[std::string(OpaqueKey(options_.whiteouts))] = "y";
      }
    }
    absl::Status set = SetAttributes(fs_, node, attributes, report_.xattrs_dropped);
    if (!set.ok()) return set;
  }
  return absl::OkStatus();
}

// The components of a path below the root; "." and empty ones say nothing.
absl::StatusOr<LayerWriter::Names> LayerWriter::SplitName(std::string_view name) const {
  if (name.empty()) return absl::InvalidArgumentError("an empty name");
  if (name.size() > options_.limits.max_name_bytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a name of %d bytes; the limit is %d (max_name_bytes)", name.size(),
                        options_.limits.max_name_bytes));
  }
  if (name.front() == '/') return absl::InvalidArgumentError("an absolute name");
  Names names;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, end);
    name.remove_prefix(std::min(end + 1, name.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") return absl::InvalidArgumentError("a name with \"..\"");
    if (part.size() > name_max_) {
      return absl::InvalidArgumentError(
          absl::StrFormat("a component of %d bytes; the limit is %d", part.size(), name_max_));
    }
    names.push_back(part);
  }
  return names;
}

absl::StatusOr<NodeId> LayerWriter::EnsureParent(const Names& names) {
  NodeId dir = into_;
  for (std::size_t index = 0; index + 1 < names.size(); ++index) {
    const absl::StatusOr<NodeId> next = EnsureDirectory({dir, names[index]});
    if (!next.ok()) return next;
    dir = *next;
  }
  return dir;
}

// Nothing when the name is free, or hidden by a whiteout. Never follows a symlink.
// Errors: InvalidArgument it is there and no directory.
absl::StatusOr<std::optional<NodeId>> LayerWriter::FindDirectory(Place place) {
  const OpContext context = op(options_.implied_time);
  const Result<NodeId> found = fs_.Lookup(context, place);
  if (!found.ok() && found.error() != Errno::kNoEnt) return MemFsError(found.error(), "walking");
  if (!found.ok() || whiteouts_.contains(*found)) return std::optional<NodeId>();
  const Result<Stat> stat = fs_.GetAttr(context, *found);
  if (!stat.ok()) return MemFsError(stat.error(), "walking");
  if (stat->type == FileType::kDirectory) return std::optional<NodeId>(*found);
  const std::string name = absl::CEscape(absl::string_view(place.name.data(), place.name.size()));
  return absl::InvalidArgumentError(
      stat->type == FileType::kSymlink
          ? absl::StrFormat("its way leads through the symlink \"%s\"", name)
          : absl::StrFormat("its way leads through \"%s\", which is no directory", name));
}

absl::StatusOr<NodeId> LayerWriter::EnsureDirectory(Place place) {
  const absl::StatusOr<std::optional<NodeId>> found = FindDirectory(place);
  if (!found.ok()) return found.status();
  if (found->has_value()) {
    Note(**found);
    return **found;
  }
  if (absl::Status cleared = Clear(place); !cleared.ok()) return cleared;
  NodeAttributes implied;
  implied.mode = 0755;
  implied.atime = implied.mtime = implied.ctime = options_.implied_time;
  return CreateDirectory(place, std::move(implied));
}

absl::StatusOr<NodeId> LayerWriter::CreateDirectory(Place place, NodeAttributes attributes) {
  NewNode node;
  node.type = FileType::kDirectory;
  node.mode = 0755;
  const Result<NodeId> made = fs_.Create(op(options_.implied_time), place, node);
  if (!made.ok()) return MemFsError(made.error(), "creating a directory");
  directories_[*made] = std::move(attributes);
  // The tar hides what lower layers have here, and holds this directory itself.
  if (hidden_.contains(Slot(place.dir, place.name))) opaque_.insert(*made);
  return *made;
}

absl::Status LayerWriter::SetDirectory(NodeId node, const TarEntry& entry) {
  ++report_.directories;
  directories_[node] = AttributesOf(entry);
  return absl::OkStatus();
}

absl::Status LayerWriter::PutWhiteout(NodeId parent, std::string_view name, const TarEntry& entry) {
  ++report_.whiteouts;
  hidden_.emplace(parent, name);
  const OpContext context = op(entry.mtime);
  const Result<NodeId> found = fs_.Lookup(context, {parent, name});
  if (found.ok()) {
    // Of this layer: it stays and hides what lower layers have here. A file does that anyway.
    const Result<Stat> stat = fs_.GetAttr(context, *found);
    if (!stat.ok()) return MemFsError(stat.error(), "reading attributes");
    if (stat->type == FileType::kDirectory) {
      Note(*found);
      opaque_.insert(*found);
    }
    return absl::OkStatus();
  }
  NewNode node;
  node.type = FileType::kCharDevice;
  const Result<NodeId> made = fs_.Create(context, {parent, name}, node);
  if (!made.ok()) return MemFsError(made.error(), "creating a whiteout");
  whiteouts_.insert(*made);
  NodeAttributes attributes = AttributesOf(entry);
  attributes.mode = 0;
  attributes.xattrs.clear();
  return SetAttributes(fs_, *made, attributes, report_.xattrs_dropped);
}

absl::Status LayerWriter::PutNode(Place place, const TarEntry& entry, TarReader& reader) {
  NewNode node;
  node.mode = entry.mode;
  switch (entry.type) {
    case TarEntryType::kFile:
      ++report_.files;
      return PutFile(place, entry, reader);
    case TarEntryType::kHardLink:
      ++report_.hard_links;
      return PutHardLink(place, entry);
    case TarEntryType::kDirectory:
      return PutDirectory(place, entry);
    case TarEntryType::kSymlink:
      ++report_.symlinks;
      if (entry.link.size() > options_.limits.max_name_bytes) {
        return absl::InvalidArgumentError("a link target that is too long (max_name_bytes)");
      }
      node.type = FileType::kSymlink;
      node.mode = kLinkMode;
      node.symlink_target = entry.link;
      return PutSimple(place, entry, node);
    case TarEntryType::kCharDevice:
    case TarEntryType::kBlockDevice:
      ++report_.special;
      node.type =
          entry.type == TarEntryType::kCharDevice ? FileType::kCharDevice : FileType::kBlockDevice;
      node.rdev = MakeDevice(entry.major, entry.minor);
      return PutSimple(place, entry, node);
    case TarEntryType::kFifo:
      ++report_.special;
      node.type = FileType::kFifo;
      return PutSimple(place, entry, node);
    case TarEntryType::kVolumeName:
      break;  // skipped before
  }
  return absl::InternalError("an entry that is no node");
}

absl::Status LayerWriter::PutDirectory(Place place, const TarEntry& entry) {
  const OpContext context = op(entry.mtime);
  const Result<NodeId> found = fs_.Lookup(context, place);
  if (found.ok()) {
    const Result<Stat> stat = fs_.GetAttr(context, *found);
    if (!stat.ok()) return MemFsError(stat.error(), "reading attributes");
    if (stat->type == FileType::kDirectory) return SetDirectory(*found, entry);
  }
  if (absl::Status cleared = Clear(place); !cleared.ok()) return cleared;
  const absl::StatusOr<NodeId> made = CreateDirectory(place, {});
  if (!made.ok()) return made.status();
  return SetDirectory(*made, entry);
}

absl::Status LayerWriter::PutSimple(Place place, const TarEntry& entry, const NewNode& node) {
  if (absl::Status cleared = Clear(place); !cleared.ok()) return cleared;
  const Result<NodeId> made = fs_.Create(op(entry.mtime), place, node);
  if (!made.ok()) return MemFsError(made.error(), "creating");
  NodeAttributes attributes = AttributesOf(entry);
  attributes.mode = node.mode;
  return SetAttributes(fs_, *made, attributes, report_.xattrs_dropped);
}

absl::Status LayerWriter::PutFile(Place place, const TarEntry& entry, TarReader& reader) {
  auto content = std::make_shared<PagedBytes>();
  if (absl::Status read = reader.ReadBody(entry, *content); !read.ok()) return read;
  for (const SparseExtent& extent : entry.extents) report_.content_bytes += extent.length_bytes;

  if (absl::Status cleared = Clear(place); !cleared.ok()) return cleared;
  const OpContext context = op(entry.mtime);
  NewNode node;
  node.type = FileType::kRegular;
  node.mode = entry.mode;
  const Result<Opened> opened =
      fs_.CreateOpen(context, place, node, OpenFlags{Access::kWrite, false, false});
  if (!opened.ok()) return MemFsError(opened.error(), "creating");
  const Result<void> adopted = fs_.AdoptContent(context, opened->handle, std::move(content));
  fs_.Close(opened->handle);
  if (!adopted.ok()) return MemFsError(adopted.error(), "writing");
  return SetAttributes(fs_, opened->node, AttributesOf(entry), report_.xattrs_dropped);
}

absl::Status LayerWriter::PutHardLink(Place place, const TarEntry& entry) {
  const absl::StatusOr<NodeId> target = FindLinkTarget(entry.link);
  if (!target.ok()) {
    return absl::Status(target.status().code(),
                        absl::StrFormat("a hard link to \"%s\": %s", absl::CEscape(entry.link),
                                        std::string(target.status().message())));
  }
  const OpContext context = op(entry.mtime);
  const Result<NodeId> found = fs_.Lookup(context, place);
  if (found.ok() && *found == *target) return absl::OkStatus();
  const Result<Stat> stat = fs_.GetAttr(context, *target);
  if (!stat.ok()) return MemFsError(stat.error(), "reading attributes");
  if (absl::Status cleared = Clear(place); !cleared.ok()) return cleared;
  Result<void> linked = fs_.Link(context, *target, place);
  if (!linked.ok() && (linked.error() == Errno::kNoEnt || linked.error() == Errno::kStale)) {
    return absl::InvalidArgumentError("a hard link that replaces its own target");
  }
  if (linked.ok()) linked = fs_.SetChangeTime(*target, stat->ctime);
  return linked.ok() ? absl::OkStatus() : MemFsError(linked.error(), "linking");
}

absl::StatusOr<NodeId> LayerWriter::FindLinkTarget(std::string_view link) {
  const absl::StatusOr<Names> names = SplitName(link);
  if (!names.ok()) return names.status();
  if (names->empty()) return absl::InvalidArgumentError("it is a directory");
  NodeId dir = into_;
  for (std::size_t index = 0; index + 1 < names->size(); ++index) {
    const absl::StatusOr<std::optional<NodeId>> next = FindDirectory({dir, (*names)[index]});
    if (!next.ok()) return next.status();
    if (!next->has_value()) return absl::InvalidArgumentError("the tar has no such file before");
    dir = **next;
  }
  const OpContext context = op(options_.implied_time);
  const Result<NodeId> found = fs_.Lookup(context, {dir, names->back()});
  if (!found.ok() || whiteouts_.contains(*found)) {
    return absl::InvalidArgumentError("the tar has no such file before");
  }
  const Result<Stat> stat = fs_.GetAttr(context, *found);
  if (!stat.ok()) return MemFsError(stat.error(), "reading attributes");
  if (stat->type == FileType::kDirectory) return absl::InvalidArgumentError("it is a directory");
  return *found;
}

absl::Status LayerWriter::Clear(Place place) {
  const OpContext context = op(options_.implied_time);
  const Result<NodeId> first = fs_.Lookup(context, place);
  if (!first.ok()) {
    if (first.error() == Errno::kNoEnt) return absl::OkStatus();
    return MemFsError(first.error(), "replacing");
  }
  if (!whiteouts_.contains(*first)) ++report_.replaced;
  // Depth first: a directory goes when the names in it, put on top of it, are gone.
  std::vector<Slot> open;
  open.emplace_back(place.dir, place.name);
  while (!open.empty()) {
    const Slot slot = open.back();
    const Place here{slot.first, slot.second};
    const Result<NodeId> node = fs_.Lookup(context, here);
    if (!node.ok()) return MemFsError(node.error(), "replacing");
    const Result<Stat> stat = fs_.GetAttr(context, *node);
    if (!stat.ok()) return MemFsError(stat.error(), "replacing");
    const Result<void> removed = fs_.Remove(context, here, stat->type);
    if (removed.ok()) {
      Forget(*node);
      open.pop_back();
      continue;
    }
    if (removed.error() != Errno::kNotEmpty) return MemFsError(removed.error(), "replacing");
    std::vector<std::string> names;
    if (absl::Status listed = ListInto(*node, names); !listed.ok()) return listed;
    for (std::string& name : names) open.emplace_back(*node, std::move(name));
  }
  return absl::OkStatus();
}

absl::Status LayerWriter::ListInto(NodeId dir, std::vector<std::string>& names) {
  const OpContext context = op(options_.implied_time);
  const Result<HandleId> handle = fs_.Open(context, dir, {});
  if (!handle.ok()) return MemFsError(handle.error(), "replacing");
  const Result<DirCookie> end = fs_.ReadDir(context, *handle, {}, [&](const DirEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  });
  fs_.Close(*handle);
  return end.ok() ? absl::OkStatus() : MemFsError(end.error(), "replacing");
}

void LayerWriter::Forget(NodeId node) {
  directories_.erase(node);
  opaque_.erase(node);
  whiteouts_.erase(node);
}

void LayerWriter::Note(NodeId directory) {
  if (!directories_.contains(directory)) {
    directories_.emplace(directory, GetAttributes(fs_, directory));
  }
}

NodeAttributes LayerWriter::AttributesOf(const TarEntry& entry) {
  NodeAttributes attributes{entry.mode,  entry.uid,   entry.gid,   entry.atime,
                            entry.mtime, entry.ctime, entry.xattrs};
  // Marks of an overlay have no business in a tar: they would redirect and hide at will.
  const std::size_t before = attributes.xattrs.size();
  std::erase_if(attributes.xattrs, [this](const auto& xattr) {
    return xattr.first.starts_with("trusted.overlay.") ||
           (options_.whiteouts == WhiteoutForm::kOverlayUser &&
            xattr.first.starts_with("user.overlay."));
  });
  report_.xattrs_dropped += before - attributes.xattrs.size();
  return attributes;
}

}  // namespace lamina
