#include "lamina/image/host_export.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "vfs/image/host_descent.h"
#include "vfs/image/host_entry.h"
#include "vfs/image/host_output.h"
#include "vfs/image/source_node.h"

namespace lamina {
namespace {

constexpr std::size_t kCopyBytes = 256 * 1024;

class HostWriter {
 public:
  HostWriter(const OpContext& op, FileSystem& fs, std::string_view path,
             const HostExportOptions& options)
      : op_(op),
        fs_(fs),
        root_path_(path),
        output_(options.unpermitted, report_),
        at_(path, O_RDONLY) {}

  absl::Status Run(NodeId from);
  HostExportReport report() const { return report_; }

 private:
  using SourceInode = std::pair<std::uint64_t, std::uint64_t>;

  absl::Status Failed(absl::StatusCode code, std::string_view what) const {
    return at_.AtPath(absl::Status(code, absl::string_view(what.data(), what.size())));
  }
  // The source gave `error` while we were `doing` something.
  absl::Status SourceError(Errno error, std::string_view doing) const {
    return Failed(absl::StatusCode::kDataLoss, absl::StrFormat("%s: %s", doing, ErrnoText(error)));
  }

  absl::StatusOr<NodeAttributes> Attributes(const Stat& stat) const;
  absl::Status Enter(HostFd fd, const Stat& stat);
  absl::Status Leave();
  absl::Status Visit(const std::string& name);
  absl::Status WriteEntry(const Stat& stat, const HostPlace& place);
  absl::StatusOr<HostFd> Make(const Stat& stat, const HostPlace& place);
  absl::StatusOr<HostFd> MakeFile(const Stat& stat, const HostPlace& place);
  absl::Status CopyBody(const Stat& stat, int fd);
  absl::Status CopyRange(HandleId source, std::uint64_t begin, std::uint64_t end, int fd);
  absl::Status LinkTo(const std::string& first, const HostPlace& place) const;

  const OpContext& op_;
  FileSystem& fs_;
  const std::string root_path_;
  HostExportReport report_;
  HostOutput output_;
  HostFd root_;
  HostDescent at_;
  std::vector<std::byte> buffer_;
  absl::flat_hash_map<SourceInode, std::string> first_names_;  // of files with more than one name
};

absl::Status HostWriter::Run(NodeId from) {
  const Result<Stat> stat = fs_.GetAttr(op_, from);
  if (!stat.ok()) return SourceError(stat.error(), "what is written there cannot be looked at");
  if (stat->type != FileType::kDirectory) {
    return Failed(absl::StatusCode::kInvalidArgument, "what is written there is not a directory");
  }
  absl::StatusOr<HostFd> top = output_.OpenTop(root_path_);
  if (!top.ok()) return top.status();
  root_ = HostFd(::fcntl(top->get(), F_DUPFD_CLOEXEC, 0));
  if (!root_.valid()) return HostError(errno, root_path_, "cannot be opened");

  absl::Status done = Enter(*std::move(top), *stat);
  while (done.ok() && !at_.at_end()) {
    const std::string* name = at_.Next();
    done = name != nullptr ? Visit(*name) : Leave();
  }
  return done;
}

absl::StatusOr<NodeAttributes> HostWriter::Attributes(const Stat& stat) const {
  Result<NodeAttributes> attributes = ReadAttributes(op_, fs_, stat);
  if (!attributes.ok()) return SourceError(attributes.error(), "its xattrs cannot be read");
  return *std::move(attributes);
}

// Makes a directory of the host, whose entries are those of the source's, the one that is written.
absl::Status HostWriter::Enter(HostFd fd, const Stat& stat) {
  struct stat host {};
  if (::fstat(fd.get(), &host) != 0) return HostError(errno, at_.FullPath(), "cannot be looked at");
  HostDescent::Directory directory;
  directory.node = stat.node;
  directory.dev = host.st_dev;
  directory.ino = host.st_ino;
  absl::StatusOr<NodeAttributes> attributes = Attributes(stat);
  if (!attributes.ok()) return attributes.status();
  directory.attributes = *std::move(attributes);
  Result<std::vector<std::string>> names = ReadNames(op_, fs_, stat.node);
  if (!names.ok()) return SourceError(names.error(), "cannot be listed");
  directory.names = *std::move(names);
  at_.Enter(std::move(directory), std::move(fd));
  return absl::OkStatus();
}

absl::Status HostWriter::Leave() {
  const absl::StatusOr<HostDescent::Left> left = at_.Leave();
  if (!left.ok()) return left.status();
  return output_.SetAttributes(left->fd.get(), FileType::kDirectory, left->directory.attributes,
                               at_.FullPath());
}

absl::Status HostWriter::Visit(const std::string& name) {
  const bool foreign = name.empty() || name == "." || name == ".." ||
                       name.find('/') != std::string::npos || name.find('\0') != std::string::npos;
  if (foreign) {
    return Failed(absl::StatusCode::kInvalidArgument, "no directory can hold such a name");
  }
  const Result<NodeId> node = fs_.Lookup(op_, {at_.directory().node, name});
  // The overlay dialect lists some names that it does not find, as the kernel does.
  if (!node.ok() && node.error() == Errno::kNoEnt) return absl::OkStatus();
  if (!node.ok()) return SourceError(node.error(), "cannot be looked up");
  const Result<Stat> stat = fs_.GetAttr(op_, *node);
  if (!stat.ok()) return SourceError(stat.error(), "cannot be looked at");
  ++report_.entries;
  const std::string path = at_.FullPath();
  const HostPlace place{at_.fd(), name, path};
  if (stat->type != FileType::kDirectory) return WriteEntry(*stat, place);
  ++report_.directories;
  absl::StatusOr<HostFd> made = output_.MakeDirectory(place);
  if (!made.ok()) return made.status();
  return Enter(*std::move(made), *stat);
}

absl::Status HostWriter::WriteEntry(const Stat& stat, const HostPlace& place) {
  const SourceInode inode(stat.dev, stat.ino);
  if (stat.nlink > 1) {
    const auto known = first_names_.find(inode);
    if (known != first_names_.end()) {
      ++report_.hard_links;
      return LinkTo(known->second, place);
    }
  }
  const absl::StatusOr<NodeAttributes> attributes = Attributes(stat);
  if (!attributes.ok()) return attributes.status();
  const absl::StatusOr<HostFd> made = Make(stat, place);
  if (!made.ok()) return made.status();
  if (!made->valid()) return absl::OkStatus();  // left out
  if (stat.nlink > 1) first_names_.emplace(inode, at_.path());
  return output_.SetAttributes(made->get(), stat.type, *attributes, place.path);
}

absl::StatusOr<HostFd> HostWriter::Make(const Stat& stat, const HostPlace& place) {
  switch (stat.type) {
    case FileType::kRegular:
      return MakeFile(stat, place);
    case FileType::kSymlink: {
      ++report_.symlinks;
      const Result<std::string> target = fs_.ReadLink(op_, stat.node);
      if (!target.ok()) return SourceError(target.error(), "its target cannot be read");
      return output_.MakeSymlink(place, *target);
    }
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
    case FileType::kFifo:
    case FileType::kSocket:
      ++report_.special;
      return output_.MakeSpecial(place, stat.type, stat.rdev);
    case FileType::kDirectory:
      break;
  }
  return absl::InternalError("a directory is not made here");
}

absl::StatusOr<HostFd> HostWriter::MakeFile(const Stat& stat, const HostPlace& place) {
  ++report_.files;
  report_.bytes += stat.size_bytes;
  absl::StatusOr<HostFd> made = output_.MakeFile(place);
  if (!made.ok()) return made.status();
  if (absl::Status copied = CopyBody(stat, made->get()); !copied.ok()) return copied;
  return made;
}

absl::Status HostWriter::CopyBody(const Stat& stat, int fd) {
  if (stat.size_bytes == 0) return absl::OkStatus();
  const Result<HandleId> opened = fs_.Open(op_, stat.node, {});
  if (!opened.ok()) return SourceError(opened.error(), "cannot be read");
  const SourceHandle handle(fs_, *opened);
  if (::ftruncate(fd, static_cast<off_t>(stat.size_bytes)) != 0) {
    return HostError(errno, at_.FullPath(), "cannot be written");
  }
  std::uint64_t at = 0;
  while (at < stat.size_bytes) {
    const Result<std::uint64_t> begin = fs_.Seek(op_, handle.id(), at, SeekKind::kData);
    if (!begin.ok() && begin.error() == Errno::kNxIo) break;  // a hole to the end
    if (!begin.ok()) return SourceError(begin.error(), "cannot be read");
    const Result<std::uint64_t> end = fs_.Seek(op_, handle.id(), *begin, SeekKind::kHole);
    if (!end.ok()) return SourceError(end.error(), "cannot be read");
    if (absl::Status copied = CopyRange(handle.id(), *begin, *end, fd); !copied.ok()) return copied;
    at = *end;
  }
  return absl::OkStatus();
}

absl::Status HostWriter::CopyRange(HandleId source, std::uint64_t begin, std::uint64_t end,
                                   int fd) {
  buffer_.resize(kCopyBytes);
  while (begin < end) {
    const std::size_t wanted = std::min<std::uint64_t>(buffer_.size(), end - begin);
    const Result<std::size_t> got =
        fs_.Read(op_, source, begin, MutableBytes(buffer_.data(), wanted));
    if (!got.ok()) return SourceError(got.error(), "cannot be read");
    if (*got == 0) return SourceError(Errno::kIo, "it became shorter while it was read");
    const Bytes piece(buffer_.data(), *got);
    if (absl::Status written = WriteHostBytes(fd, begin, piece, at_.FullPath()); !written.ok()) {
      return written;
    }
    begin += *got;
  }
  return absl::OkStatus();
}

// `first`: path of the other name from the root, which we made ourselves.
absl::Status HostWriter::LinkTo(const std::string& first, const HostPlace& place) const {
  HostFd dir(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
  std::size_t begin = 0;
  for (std::size_t slash = first.find('/'); dir.valid() && slash != std::string::npos;
       slash = first.find('/', begin)) {
    const std::string component = first.substr(begin, slash - begin);
    dir = HostFd(
        ::openat(dir.get(), component.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    begin = slash + 1;
  }
  if (dir.valid() &&
      ::linkat(dir.get(), first.c_str() + begin, place.dir, place.name.c_str(), 0) == 0) {
    return absl::OkStatus();
  }
  return HostError(errno, place.path, absl::StrFormat("cannot be linked to %s", first));
}

}  // namespace

absl::StatusOr<HostExportReport> WriteHostDirectory(const OpContext& op, FileSystem& fs,
                                                    NodeId from, std::string_view path,
                                                    const HostExportOptions& options) {
  HostWriter writer(op, fs, path, options);
  absl::Status done = writer.Run(from);
  if (!done.ok()) return done;
  return writer.report();
}

}  // namespace lamina
