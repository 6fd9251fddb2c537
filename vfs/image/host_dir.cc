#include "lamina/image/host_dir.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "vfs/image/host_content.h"
#include "vfs/image/host_descent.h"
#include "vfs/image/host_entry.h"
#include "vfs/image/node_attributes.h"

namespace lamina {
namespace {

constexpr std::uint16_t kLinkMode = 0777;

class HostReader {
 public:
  HostReader(MemFs& fs, std::string_view path, const HostDirectoryOptions& options)
      : fs_(fs), root_path_(path), options_(options), at_(path, O_PATH) {}

  absl::Status Run(NodeId into);
  HostDirectoryReport TakeReport() { return std::move(report_); }

 private:
  using Inode = std::pair<dev_t, ino_t>;

  absl::StatusOr<NodeAttributes> Attributes(const HostEntry& entry);
  absl::Status Enter(HostEntry entry, NodeId node);
  absl::Status Leave();
  absl::Status Visit(const std::string& name);
  absl::Status VisitDirectory(HostEntry entry, Place place);
  absl::Status VisitFile(const HostEntry& entry, Place place);
  absl::StatusOr<NodeId> Create(const HostEntry& entry, Place place,
                                const NodeAttributes& attributes);
  absl::StatusOr<NodeId> CreateLazy(const HostEntry& entry, Place place, const OpContext& op);

  MemFs& fs_;
  const std::string root_path_;
  const HostDirectoryOptions& options_;
  const Credentials credentials_ = RootCredentials();
  HostDirectoryReport report_;
  std::shared_ptr<HostRoot> root_;
  HostDescent at_;
  std::uint64_t listed_ = 0;
  absl::flat_hash_map<Inode, NodeId> links_;  // files with more than one name
};

absl::Status HostReader::Run(NodeId into) {
  HostEntry top;
  top.fd = HostFd(::open(root_path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top.fd.valid()) return HostError(errno, root_path_, "cannot be opened");
  if (::fstat(top.fd.get(), &top.stat) != 0) {
    return HostError(errno, root_path_, "cannot be looked at");
  }
  HostFd kept(::fcntl(top.fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!kept.valid()) return HostError(errno, root_path_, "cannot be opened");
  root_ = std::make_shared<HostRoot>(std::move(kept), root_path_, options_.on_message);

  absl::Status done = Enter(std::move(top), into);
  while (done.ok() && !at_.at_end()) {
    const std::string* name = at_.Next();
    done = name != nullptr ? Visit(*name) : Leave();
  }
  return done;
}

absl::StatusOr<NodeAttributes> HostReader::Attributes(const HostEntry& entry) {
  NodeAttributes attributes = HostAttributes(entry.stat);
  if (!options_.xattrs) return attributes;
  absl::Status read = ReadHostXattrs(entry, at_.FullPath(), options_.max_xattr_bytes, attributes,
                                     report_.xattrs_dropped);
  if (!read.ok()) return read;
  return attributes;
}

// Makes `entry`, a directory whose node exists, the one that is read.
absl::Status HostReader::Enter(HostEntry entry, NodeId node) {
  HostDescent::Directory directory;
  directory.node = node;
  directory.dev = entry.stat.st_dev;
  directory.ino = entry.stat.st_ino;
  absl::StatusOr<NodeAttributes> attributes = Attributes(entry);
  if (!attributes.ok()) return attributes.status();
  directory.attributes = *std::move(attributes);

  absl::StatusOr<std::vector<std::string>> names =
      ListHostDirectory(entry, at_.FullPath(), options_.max_entries - listed_);
  if (names.ok()) {
    directory.names = *std::move(names);
    listed_ += directory.names.size();
  } else if (absl::IsPermissionDenied(names.status()) && !at_.at_end() &&
             options_.unreadable == UnreadableDirectory::kSkip) {
    report_.unreadable_directories.push_back(at_.FullPath());
    return at_.AtPath(SetAttributes(fs_, node, directory.attributes, report_.xattrs_dropped));
  } else {
    return names.status();
  }
  at_.Enter(std::move(directory), std::move(entry.fd));
  return absl::OkStatus();
}

absl::Status HostReader::Leave() {
  const absl::StatusOr<HostDescent::Left> left = at_.Leave();
  if (!left.ok()) return left.status();
  const HostDescent::Directory& directory = left->directory;
  return at_.AtPath(
      SetAttributes(fs_, directory.node, directory.attributes, report_.xattrs_dropped));
}

absl::Status HostReader::Visit(const std::string& name) {
  absl::StatusOr<HostEntry> entry = OpenHostEntry(at_.fd(), name, at_.FullPath());
  if (!entry.ok()) return entry.status();
  ++report_.entries;
  const Place place{at_.directory().node, name};
  if (entry->type() == FileType::kDirectory) return VisitDirectory(*std::move(entry), place);
  return VisitFile(*entry, place);
}

absl::Status HostReader::VisitDirectory(HostEntry entry, Place place) {
  ++report_.directories;
  if (entry.stat.st_dev != at_.directory().dev) report_.mounts.push_back(at_.FullPath());
  NewNode node;
  node.type = FileType::kDirectory;
  node.mode = 0700;
  const Result<NodeId> made = fs_.Create(OpContext{credentials_, {}, {}}, place, node);
  if (!made.ok()) return at_.AtPath(MemFsError(made.error(), "cannot be made"));
  return Enter(std::move(entry), *made);
}

absl::Status HostReader::VisitFile(const HostEntry& entry, Place place) {
  const Inode inode{entry.stat.st_dev, entry.stat.st_ino};
  if (entry.stat.st_nlink > 1) {
    const auto known = links_.find(inode);
    if (known != links_.end()) {
      ++report_.hard_links;
      const NodeAttributes attributes = HostAttributes(entry.stat);
      const OpContext op{credentials_, attributes.ctime, {}};
      const Result<void> linked = fs_.Link(op, known->second, place);
      return linked.ok() ? absl::OkStatus()
                         : at_.AtPath(MemFsError(linked.error(), "cannot be linked"));
    }
  }
  const absl::StatusOr<NodeAttributes> attributes = Attributes(entry);
  if (!attributes.ok()) return attributes.status();
  const absl::StatusOr<NodeId> made = Create(entry, place, *attributes);
  if (!made.ok()) return made.status();
  if (entry.stat.st_nlink > 1) links_.emplace(inode, *made);
  return at_.AtPath(SetAttributes(fs_, *made, *attributes, report_.xattrs_dropped));
}

absl::StatusOr<NodeId> HostReader::Create(const HostEntry& entry, Place place,
                                          const NodeAttributes& attributes) {
  const OpContext op{credentials_, attributes.ctime, {}};
  NewNode node;
  node.type = entry.type();
  node.mode = attributes.mode;
  std::string target;
  switch (node.type) {
    case FileType::kRegular:
      return CreateLazy(entry, place, op);
    case FileType::kSymlink: {
      absl::StatusOr<std::string> read = ReadHostLink(entry, at_.FullPath());
      if (!read.ok()) return read.status();
      target = *std::move(read);
      node.symlink_target = target;
      node.mode = kLinkMode;
      ++report_.symlinks;
      break;
    }
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      node.rdev = MakeDevice(major(entry.stat.st_rdev), minor(entry.stat.st_rdev));
      ++report_.special;
      break;
    case FileType::kFifo:
    case FileType::kSocket:
      ++report_.special;
      break;
    case FileType::kDirectory:
      return absl::InternalError("a directory is not made here");
  }
  const Result<NodeId> made = fs_.Create(op, place, node);
  if (!made.ok()) return at_.AtPath(MemFsError(made.error(), "cannot be made"));
  return *made;
}

absl::StatusOr<NodeId> HostReader::CreateLazy(const HostEntry& entry, Place place,
                                              const OpContext& op) {
  ++report_.files;
  const auto size_bytes = static_cast<std::uint64_t>(entry.stat.st_size);
  report_.bytes += size_bytes;
  NewNode node;
  node.type = FileType::kRegular;
  node.mode = static_cast<std::uint16_t>(entry.stat.st_mode & 07777U);
  const HostIdentity identity{entry.stat.st_dev, entry.stat.st_ino, entry.stat.st_size,
                              entry.stat.st_mtim};
  const Result<NodeId> made = fs_.CreateLazy(
      op, place, node, size_bytes, std::make_shared<HostContent>(root_, at_.path(), identity));
  if (!made.ok()) return at_.AtPath(MemFsError(made.error(), "cannot be made"));
  return *made;
}

}  // namespace

absl::StatusOr<HostDirectoryReport> ReadHostDirectory(std::string_view path, MemFs& fs, NodeId into,
                                                      const HostDirectoryOptions& options) {
  if (fs.frozen()) {
    return absl::FailedPreconditionError(absl::StrFormat("%s: the target is frozen", path));
  }
  const Credentials root = RootCredentials();
  const Result<Stat> target = fs.GetAttr(OpContext{root, {}, {}}, into);
  if (!target.ok() || target->type != FileType::kDirectory) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: the target is not a directory", path));
  }
  const MemFs::Image before = fs.Capture();
  HostReader reader(fs, path, options);
  absl::Status done = reader.Run(into);
  if (!done.ok()) {
    fs.Restore(before);
    return done;
  }
  return reader.TakeReport();
}

}  // namespace lamina
