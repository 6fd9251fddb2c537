#include "lamina/image/host_dir.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "vfs/image/host_content.h"
#include "vfs/image/host_entry.h"
#include "vfs/image/node_attributes.h"

namespace lamina {
namespace {

constexpr std::uint16_t kLinkMode = 0777;

// Reads depth first with one open directory: the way up is "..", checked to be the directory that
// we came from. So the depth of the tree needs no descriptors and no recursion.
class HostReader {
 public:
  HostReader(MemFs& fs, std::string_view path, const HostDirectoryOptions& options)
      : fs_(fs), root_path_(path), options_(options) {}

  absl::Status Run(NodeId into);
  HostDirectoryReport TakeReport() { return std::move(report_); }

 private:
  using Inode = std::pair<dev_t, ino_t>;

  // A directory that is being read. Its attributes are set when its entries are made.
  struct Frame {
    NodeId node;
    Inode inode;
    NodeAttributes attributes;
    std::vector<std::string> names;
    std::size_t next = 0;
    std::size_t path_bytes = 0;  // length of `path_` for this directory
  };

  std::string FullPath() const {
    return path_.empty() ? root_path_ : absl::StrFormat("%s/%s", root_path_, path_);
  }
  // `status` of the MemFs; an error gets the path of the entry.
  absl::Status AtPath(const absl::Status& status) const {
    if (status.ok()) return status;
    return absl::Status(status.code(), absl::StrFormat("%s: %s", absl::CEscape(FullPath()),
                                                       std::string(status.message())));
  }

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
  std::vector<Frame> frames_;
  HostFd current_;    // the directory of the last frame
  std::string path_;  // of the entry at hand, from the root; "" for the root
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
  while (done.ok() && !frames_.empty()) {
    Frame& frame = frames_.back();
    done = frame.next < frame.names.size() ? Visit(frame.names[frame.next++]) : Leave();
  }
  return done;
}

absl::StatusOr<NodeAttributes> HostReader::Attributes(const HostEntry& entry) {
  NodeAttributes attributes = HostAttributes(entry.stat);
  if (!options_.xattrs) return attributes;
  absl::Status read = ReadHostXattrs(entry, FullPath(), options_.max_xattr_bytes, attributes,
                                     report_.xattrs_dropped);
  if (!read.ok()) return read;
  return attributes;
}

// Makes `entry`, a directory whose node exists, the one that is read.
absl::Status HostReader::Enter(HostEntry entry, NodeId node) {
  Frame frame;
  frame.node = node;
  frame.inode = {entry.stat.st_dev, entry.stat.st_ino};
  frame.path_bytes = path_.size();
  absl::StatusOr<NodeAttributes> attributes = Attributes(entry);
  if (!attributes.ok()) return attributes.status();
  frame.attributes = *std::move(attributes);

  absl::StatusOr<std::vector<std::string>> names =
      ListHostDirectory(entry, FullPath(), options_.max_entries - listed_);
  if (names.ok()) {
    frame.names = *std::move(names);
    listed_ += frame.names.size();
  } else if (absl::IsPermissionDenied(names.status()) && !frames_.empty() &&
             options_.unreadable == UnreadableDirectory::kSkip) {
    report_.unreadable_directories.push_back(FullPath());
    return AtPath(SetAttributes(fs_, node, frame.attributes, report_.xattrs_dropped));
  } else {
    return names.status();
  }
  frames_.push_back(std::move(frame));
  current_ = std::move(entry.fd);
  return absl::OkStatus();
}

absl::Status HostReader::Leave() {
  const Frame frame = std::move(frames_.back());
  frames_.pop_back();
  path_.resize(frame.path_bytes);
  absl::Status set = SetAttributes(fs_, frame.node, frame.attributes, report_.xattrs_dropped);
  if (!set.ok()) return AtPath(set);
  if (frames_.empty()) return absl::OkStatus();

  HostFd above(::openat(current_.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat stat {};
  if (!above.valid() || ::fstat(above.get(), &stat) != 0) {
    return HostError(errno, FullPath(), "the way back up is lost");
  }
  if (Inode(stat.st_dev, stat.st_ino) != frames_.back().inode) {
    return AtPath(absl::AbortedError("the directory was moved while it was read"));
  }
  current_ = std::move(above);
  return absl::OkStatus();
}

absl::Status HostReader::Visit(const std::string& name) {
  const Frame& frame = frames_.back();
  path_.resize(frame.path_bytes);
  if (!path_.empty()) path_ += '/';
  path_ += name;
  absl::StatusOr<HostEntry> entry = OpenHostEntry(current_.get(), name, FullPath());
  if (!entry.ok()) return entry.status();
  ++report_.entries;
  const Place place{frame.node, name};
  if (entry->type() == FileType::kDirectory) return VisitDirectory(*std::move(entry), place);
  return VisitFile(*entry, place);
}

absl::Status HostReader::VisitDirectory(HostEntry entry, Place place) {
  ++report_.directories;
  if (entry.stat.st_dev != frames_.back().inode.first) report_.mounts.push_back(FullPath());
  NewNode node;
  node.type = FileType::kDirectory;
  node.mode = 0700;
  const Result<NodeId> made = fs_.Create(OpContext{credentials_, {}, {}}, place, node);
  if (!made.ok()) return AtPath(MemFsError(made.error(), "cannot be made"));
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
                         : AtPath(MemFsError(linked.error(), "cannot be linked"));
    }
  }
  const absl::StatusOr<NodeAttributes> attributes = Attributes(entry);
  if (!attributes.ok()) return attributes.status();
  const absl::StatusOr<NodeId> made = Create(entry, place, *attributes);
  if (!made.ok()) return made.status();
  if (entry.stat.st_nlink > 1) links_.emplace(inode, *made);
  return AtPath(SetAttributes(fs_, *made, *attributes, report_.xattrs_dropped));
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
      absl::StatusOr<std::string> read = ReadHostLink(entry, FullPath());
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
  if (!made.ok()) return AtPath(MemFsError(made.error(), "cannot be made"));
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
  const Result<NodeId> made = fs_.CreateLazy(op, place, node, size_bytes,
                                             std::make_shared<HostContent>(root_, path_, identity));
  if (!made.ok()) return AtPath(MemFsError(made.error(), "cannot be made"));
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
