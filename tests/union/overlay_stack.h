// A small overlay for tests: lowers built by path, an upper and a work directory on one MemFs.
//
// Threads: one.
#ifndef LAMINA_TESTS_UNION_OVERLAY_STACK_H_
#define LAMINA_TESTS_UNION_OVERLAY_STACK_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lamina/fs/forwarding.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/fs/process.h"
#include "lamina/union/overlay.h"

namespace lamina {

// Fails the nth branch call of one kind, counted from 1; 0 never.
class FailingFs final : public ForwardingFileSystem {
 public:
  explicit FailingFs(FileSystem& target) : ForwardingFileSystem(target) {}

  int fail_at = 0;
  int calls = 0;
  Errno error = Errno::kIo;

  Result<NodeId> Create(const OpContext& op, Place place, const NewNode& node) override {
    if (Fails()) return error;
    return ForwardingFileSystem::Create(op, place, node);
  }
  Result<Opened> CreateUnnamed(const OpContext& op, NodeId dir, const NewNode& node,
                               OpenFlags flags) override {
    if (Fails()) return error;
    return ForwardingFileSystem::CreateUnnamed(op, dir, node, flags);
  }
  Result<void> LinkHandle(const OpContext& op, HandleId handle, Place place) override {
    if (Fails()) return error;
    return ForwardingFileSystem::LinkHandle(op, handle, place);
  }
  Result<void> Rename(const OpContext& op, Place from, Place to, RenameMode mode) override {
    if (Fails()) return error;
    return ForwardingFileSystem::Rename(op, from, to, mode);
  }
  Result<void> SetAttr(const OpContext& op, NodeId node, const AttrChange& change) override {
    if (Fails()) return error;
    return ForwardingFileSystem::SetAttr(op, node, change);
  }
  Result<void> SetXattr(const OpContext& op, NodeId node, std::string_view key,
                        std::string_view value, XattrMode mode) override {
    if (Fails()) return error;
    return ForwardingFileSystem::SetXattr(op, node, key, value, mode);
  }
  Result<void> AdoptContent(const OpContext& op, HandleId handle,
                            std::shared_ptr<const PagedBytes> content) override {
    if (Fails()) return error;
    return ForwardingFileSystem::AdoptContent(op, handle, std::move(content));
  }

 private:
  bool Fails() { return ++calls == fail_at; }
};

class OverlayStack {
 public:
  // `lowers` empty file systems, topmost first.
  explicit OverlayStack(int lowers)
      : lowers_(static_cast<std::size_t>(lowers)), home_(), failing_(home_) {
    Process home(home_, home_.root(), {.clock = &clock_});
    EXPECT_TRUE(home.Mkdir("/upper", 0755).ok());
    EXPECT_TRUE(home.Mkdir("/work", 0755).ok());
  }

  Clock& clock() { return clock_; }
  MemFs& lower(int index) { return lowers_[static_cast<std::size_t>(index)]; }
  FailingFs& failing() { return failing_; }

  // Calls on one lower, or on the file system that holds /upper and /work.
  std::unique_ptr<Process> OnLower(int index) { return On(lower(index), lower(index).root()); }
  std::unique_ptr<Process> OnHome() { return On(home_, home_.root()); }

  DirectoryRef HomeDirectory(std::string_view name) {
    const OpContext op{credentials_, clock_.now(), Probe()};
    Result<NodeId> node = home_.Lookup(op, {home_.root(), name});
    EXPECT_TRUE(node.ok());
    return {&failing_, *node, {home_.root()}, std::string(name)};
  }

  OverlayMount Request() {
    OverlayMount mount;
    for (MemFs& lower : lowers_) mount.lowers.push_back({&lower, lower.root(), {}, "lower"});
    mount.upper = HomeDirectory("upper");
    mount.work = HomeDirectory("work");
    return mount;
  }

  Result<std::unique_ptr<UnionFs>> TryMount(const OverlayMount& mount) {
    return MountOverlay(OpContext{credentials_, clock_.now(), Probe()}, mount);
  }

  void Mount() { Mount(Request()); }
  // Ends the mount before.
  void Mount(const OverlayMount& mount) {
    process_.reset();
    union_.reset();
    Result<std::unique_ptr<UnionFs>> mounted = TryMount(mount);
    ASSERT_TRUE(mounted.ok());
    union_ = *std::move(mounted);
    process_ = On(*union_, union_->root());
  }

  UnionFs& fs() { return *union_; }
  Process& process() { return *process_; }
  OpContext Op() { return OpContext{credentials_, clock_.now(), Probe()}; }

 private:
  std::unique_ptr<Process> On(FileSystem& fs, NodeId root) {
    auto process = std::make_unique<Process>(fs, root, ProcessOptions{.clock = &clock_});
    process->set_umask(0);
    return process;
  }

  Clock clock_;
  Credentials credentials_ = RootCredentials();
  std::vector<MemFs> lowers_;
  MemFs home_;
  FailingFs failing_;
  std::unique_ptr<UnionFs> union_;
  std::unique_ptr<Process> process_;
};

// Writes a file in one go; fails the test when that does not work.
inline void PutFile(Process& process, std::string_view path, std::string_view content,
                    std::uint16_t mode = 0644) {
  Result<Process::Fd> fd =
      process.Open(path, {.access = Access::kWrite, .create = true, .truncate = true}, mode);
  ASSERT_TRUE(fd.ok()) << path << ": " << ErrnoName(fd.error());
  ASSERT_TRUE(process.Write(*fd, AsBytes(content)).ok());
  ASSERT_TRUE(process.Close(*fd).ok());
}

inline std::vector<std::string> NamesIn(Process& process, std::string_view path) {
  std::vector<std::string> names;
  Result<std::vector<ProcessEntry>> entries = process.ListDirectory(path);
  EXPECT_TRUE(entries.ok());
  if (!entries.ok()) return names;
  for (const ProcessEntry& entry : *entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace lamina
#endif  // LAMINA_TESTS_UNION_OVERLAY_STACK_H_
