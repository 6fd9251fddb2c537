#include "tests/crash/operations.h"

#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/base/check.h"

namespace lamina::testing {
namespace {

using Path = std::string;

// "t" and "u" for the two names of the scene, others as they are.
class OperationList {
 public:
  explicit OperationList(const Scene& scene) : scene_(scene) {}

  std::vector<Operation> Make() {
    AddMaking(scene_.target);
    // What has nothing to do with the target is tried beside one kind of it.
    if (scene_.kind == TargetKind::kFile) AddMaking(scene_.beside);
    AddLinks();
    AddRemovals();
    AddRenames();
    AddAttributes();
    AddBodies();
    return std::move(operations_);
  }

 private:
  std::string Shown(const Path& path) const {
    if (path == scene_.target) return "t";
    return path == scene_.beside ? "u" : path;
  }

  void Add(std::string_view verb, std::vector<Path> paths, std::vector<OperationCall> calls) {
    std::string name(verb);
    for (std::size_t i = 0; i < paths.size(); ++i) {
      name += (i == 0 ? " " : " -> ") + Shown(paths[i]);
    }
    operations_.push_back({std::move(name), std::move(calls), std::move(paths)});
  }
  template <typename Call>
  void AddCall(std::string_view verb, std::vector<Path> paths, Call call) {
    Add(verb, std::move(paths), {[call](Process& process, OpenHands&) { return call(process); }});
  }

  // ── Names ──

  void AddMaking(const Path& path) {
    AddCall("create", {path}, [path](Process& process) -> Result<void> {
      const OpenHow how{.access = Access::kWrite, .create = true, .exclusive = true};
      const Result<Process::Fd> fd = process.Open(path, how, 0640);
      return fd.ok() ? process.Close(*fd) : fd.error();
    });
    AddCall("mkdir", {path}, [path](Process& process) { return process.Mkdir(path, 0750); });
    AddCall("mknod", {path}, [path](Process& process) {
      return process.Mknod(path, FileType::kCharDevice, 0600, MakeDevice(1, 3));
    });
    AddCall("mkfifo", {path},
            [path](Process& process) { return process.Mknod(path, FileType::kFifo, 0600, 0); });
    AddCall("symlink", {path}, [path](Process& process) { return process.Symlink("z", path); });
    AddTmpfile(path);
    AddLink("/e/f", path);
    for (const std::string_view from : {"/e/f", "/w/o", "/w/p", "/w/k"}) {
      AddRename("rename", Path(from), path, RenameMode::kReplace);
    }
    AddRename("rename noreplace", "/e/f", path, RenameMode::kNoReplace);
  }

  void AddTmpfile(const Path& path) {
    const Path dir = path.substr(0, path.rfind('/'));
    Add("tmpfile", {path},
        {[dir](Process& process, OpenHands& hands) -> Result<void> {
           const OpenHow how{.access = Access::kWrite, .unnamed = true};
           const Result<Process::Fd> fd = process.Open(dir, how, 0640);
           if (!fd.ok()) return fd.error();
           hands.fd = *fd;
           return {};
         },
         [](Process& process, OpenHands& hands) { return WriteAt(process, hands, "unnamed", 0); },
         [path](Process& process, OpenHands& hands) {
           return process.LinkOpenFile(hands.fd, path);
         }});
  }

  void AddLink(const Path& from, const Path& to) {
    AddCall("link", {from, to},
            [from, to](Process& process) { return process.Link(from, to, LastLink::kKeep); });
  }

  void AddRename(std::string_view verb, const Path& from, const Path& to, RenameMode mode) {
    AddCall(verb, {from, to},
            [from, to, mode](Process& process) { return process.Rename(from, to, mode); });
  }

  void AddLinks() {
    for (const Path& to : {scene_.beside, Path("/e/n"), Path("/w/g")}) AddLink(scene_.target, to);
  }

  void AddRemovals() {
    const Path path = scene_.target;
    AddCall("unlink", {path}, [path](Process& process) { return process.Unlink(path); });
    AddCall("rmdir", {path}, [path](Process& process) { return process.Rmdir(path); });
    if (scene_.kind != TargetKind::kFile) return;
    AddCall("rmdir", {"/w/k"}, [](Process& process) { return process.Rmdir("/w/k"); });
  }

  void AddRenames() {
    const Path path = scene_.target;
    for (const Path& to : {scene_.beside, Path("/e/n"), Path("/w/g"), Path("/e/f"), Path("/w/o"),
                           Path("/w/k"), Path("/w/p")}) {
      AddRename("rename", path, to, RenameMode::kReplace);
    }
    for (const Path& to : {scene_.beside, Path("/w/g"), Path("/e/f")}) {
      AddRename("rename noreplace", path, to, RenameMode::kNoReplace);
    }
    for (const Path& with : {Path("/e/f"), Path("/w/k"), Path("/w/p"), Path("/p")}) {
      AddRename("rename exchange", path, with, RenameMode::kExchange);
    }
    AddRename("rename whiteout", path, scene_.beside, RenameMode::kLeaveWhiteout);
  }

  // ── Attributes ──

  void AddAttributes() {
    const Path path = scene_.target;
    AddCall("chmod", {path}, [path](Process& process) { return process.Chmod(path, 0711); });
    AddCall("chown", {path}, [path](Process& process) {
      return process.Chown(path, 7, std::nullopt, LastLink::kKeep);
    });
    AddCall("utimens", {path}, [path](Process& process) {
      const TimeChange at{TimeChange::Kind::kAt, InstantFromSeconds(77, 5)};
      return process.Utimens(path, at, at, LastLink::kKeep);
    });
    for (const std::string_view key : {"user.k", "user.new", "trusted.new"}) {
      AddCall(absl::StrFormat("setxattr %s", key), {path}, [path, key](Process& process) {
        return process.Setxattr(path, key, "set", XattrMode::kSet, LastLink::kKeep);
      });
    }
    AddCall("setxattr missing", {path}, [path](Process& process) {
      return process.Setxattr(path, "user.none", "v", XattrMode::kReplace, LastLink::kKeep);
    });
    AddCall("removexattr", {path}, [path](Process& process) {
      return process.Removexattr(path, "user.k", LastLink::kKeep);
    });
  }

  // ── Bodies ──

  static Result<void> WriteAt(Process& process, OpenHands& hands, std::string_view bytes,
                              std::uint64_t offset) {
    const Result<std::size_t> wrote = process.Pwrite(hands.fd, AsBytes(bytes), offset);
    return wrote.ok() ? Result<void>() : wrote.error();
  }

  OperationCall Opening(const OpenHow& how) const {
    return [path = scene_.target, how](Process& process, OpenHands& hands) -> Result<void> {
      const Result<Process::Fd> fd = process.Open(path, how, 0640);
      if (!fd.ok()) return fd.error();
      hands.fd = *fd;
      return {};
    };
  }

  void AddOpened(std::string_view verb, const OpenHow& how, std::vector<OperationCall> rest) {
    std::vector<OperationCall> calls = {Opening(how)};
    calls.insert(calls.end(), rest.begin(), rest.end());
    Add(verb, {scene_.target}, std::move(calls));
    operations_.back().truncates = how.truncate;
  }

  void AddBodies() {
    const OpenHow write{.access = Access::kReadWrite, .no_follow = true};
    const OpenHow append{.access = Access::kWrite, .append = true, .no_follow = true};
    const OpenHow truncate{.access = Access::kWrite, .truncate = true, .no_follow = true};
    const OpenHow create{.access = Access::kWrite, .create = true, .no_follow = true};
    const auto put = [](std::string_view bytes, std::uint64_t offset) -> OperationCall {
      return [bytes, offset](Process& process, OpenHands& hands) {
        return WriteAt(process, hands, bytes, offset);
      };
    };
    AddOpened("open", write, {});
    AddOpened("pwrite", write, {put("WW", 3), put("far", 9000)});
    AddOpened("append", append, {put("more", 0)});
    AddOpened("create and write", create, {put("C", 0)});
    AddOpened("open truncating", truncate, {});
    AddOpened("fallocate", write, {[](Process& process, OpenHands& hands) {
                return process.Fallocate(hands.fd, 100, 5000, AllocateMode::kExtend);
              }});
    AddOpened("copy range", write, {[](Process& process, OpenHands& hands) -> Result<void> {
                const Result<Process::Fd> from = process.Open("/w/o", {}, 0);
                if (!from.ok()) return from.error();
                const Result<std::uint64_t> copied = process.CopyRange(*from, 0, hands.fd, 1, 4);
                return copied.ok() ? Result<void>() : copied.error();
              }});
    for (const std::uint64_t size : {0, 3, 8192}) {
      const Path path = scene_.target;
      AddCall(absl::StrFormat("truncate %d", size), {path},
              [path, size](Process& process) { return process.Truncate(path, size); });
      operations_.back().truncates = true;
    }
  }

  const Scene& scene_;
  std::vector<Operation> operations_;
};

}  // namespace

std::vector<Operation> OperationsOn(const Scene& scene) { return OperationList(scene).Make(); }

Operation OperationCalled(const Scene& scene, std::string_view name) {
  for (Operation& operation : OperationsOn(scene)) {
    if (operation.name == name) return std::move(operation);
  }
  LAMINA_CHECK(false);
}

bool ConcernsRedirects(const Operation& operation) {
  return operation.name.starts_with("rename ") || operation.name.starts_with("mkdir ");
}

}  // namespace lamina::testing
