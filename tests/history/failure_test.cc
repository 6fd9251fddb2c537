// Storage that fails or stops, and marks that are garbage. Numbers are those of the table in
// README.md.
#include "tests/history/failing_storage.h"

#include <functional>

#include "lamina/testing/matchers.h"
#include "tests/union/overlay_stack.h"

namespace lamina::testing {
namespace {

using ::testing::IsEmpty;

// An overlay with a little of everything, whose upper is on failing storage.
class SmallMount {
 public:
  SmallMount() : stack_(1), storage_(stack_.failing()) {
    const std::unique_ptr<Process> lower = stack_.OnLower(0);
    PutFile(*lower, "/f", "data of f", 0640);
    EXPECT_THAT(lower->Setxattr("/f", "user.k", "v", XattrMode::kSet, LastLink::kKeep), IsOk());
    EXPECT_THAT(lower->Mkdir("/d", 0750), IsOk());
    PutFile(*lower, "/d/g", "data of g");
    EXPECT_THAT(lower->Symlink("f", "/l"), IsOk());
    EXPECT_THAT(lower->Mkdir("/gone", 0755), IsOk());
    PutFile(*lower, "/gone/h", "data of h");
    EXPECT_THAT(lower->Mkdir("/hollow", 0755), IsOk());
    PutFile(*lower, "/hollow/i", "data of i");
    Mount();
    EXPECT_THAT(process().Unlink("/gone/h"), IsOk());
    EXPECT_THAT(process().Rmdir("/gone"), IsOk());
    EXPECT_THAT(process().Unlink("/hollow/i"), IsOk());
  }

  // Mounts the branches as they are. Ends the mount before.
  void Mount() {
    process_.reset();
    fs_.reset();
    OverlayMount request = stack_.Request();
    request.upper->fs = request.work->fs = &storage_;
    Result<std::unique_ptr<UnionFs>> mounted = stack_.TryMount(request);
    ASSERT_THAT(mounted, IsOk());
    fs_ = *std::move(mounted);
    process_ =
        std::make_unique<Process>(*fs_, fs_->root(), ProcessOptions{.clock = &stack_.clock()});
  }

  FailingStorage& storage() { return storage_; }
  Process& process() { return *process_; }
  TreeView view() { return {*fs_, fs_->root(), "merged"}; }
  std::vector<std::string> temporaries() { return NamesIn(*stack_.OnHome(), "/work/work"); }
  TreeView lower() { return {stack_.lower(0), stack_.lower(0).root(), "lower"}; }

 private:
  OverlayStack stack_;
  FailingStorage storage_;
  std::unique_ptr<UnionFs> fs_;
  std::unique_ptr<Process> process_;
};

using CallUnderTest = std::function<Result<void>(Process&)>;

bool Same(const TreeView& view, const TreeView& other) {
  return ::testing::Matcher<const TreeView&>(SameTreeAs(other)).Matches(view);
}

// What went wrong, a line each; how many changes the call takes, and how many of those it cannot do
// without.
struct Trial {
  std::string wrong;
  int changes = 0;
  int needed = 0;
};

// The call on fresh mounts, once for each change of the storage it takes, with that one failing. It
// either gives EIO and has changed nothing, or could do without.
Trial FailEachChange(const CallUnderTest& call) {
  Trial trial;
  SmallMount untouched;
  SmallMount after;
  EXPECT_THAT(call(after.process()), IsOk());
  for (int nth = 1;; ++nth) {
    SmallMount mount;
    mount.storage().Arm(nth, FailingStorage::Kind::kOnce);
    Result<void> done = call(mount.process());
    if (!mount.storage().failed()) return trial;
    mount.storage().Arm(0, FailingStorage::Kind::kOnce);
    trial.changes = nth;
    const std::string at = "change " + std::to_string(nth);
    if (!done.ok()) {
      ++trial.needed;
      if (done.error() != Errno::kIo) trial.wrong += at + ": the call is not EIO\n";
      if (!Same(mount.view(), untouched.view())) trial.wrong += at + ": the tree has changed\n";
      done = call(mount.process());
    }
    if (!done.ok()) trial.wrong += at + ": the call cannot be repeated\n";
    if (!mount.temporaries().empty()) trial.wrong += at + ": something is left in work\n";
    if (!Same(mount.view(), after.view())) trial.wrong += at + ": it is not what was called for\n";
    if (!Same(mount.lower(), untouched.lower())) trial.wrong += at + ": the lower has changed\n";
  }
}

Result<void> AppendByte(Process& process, std::string_view path) {
  Result<Process::Fd> fd = process.Open(path, {.access = Access::kWrite, .append = true}, 0);
  if (!fd.ok()) return fd.error();
  Result<std::size_t> written = process.Write(*fd, AsBytes("+"));
  const Result<void> closed = process.Close(*fd);
  return written.ok() ? closed : written.error();
}

// 2: what had been made so far was neither freed nor removed.
TEST(OverlayHistory, K_ab79efab0_ACopyUpThatFailsHalfWayLeavesNothing) {
  const Trial chmod = FailEachChange([](Process& process) { return process.Chmod("/f", 0600); });
  EXPECT_EQ(chmod.wrong, "");
  EXPECT_GE(chmod.needed, 6);
  EXPECT_EQ(chmod.changes, chmod.needed + 1);  // times of the directory are put back if possible
  const Trial append = FailEachChange([](Process& process) { return AppendByte(process, "/d/g"); });
  EXPECT_EQ(append.wrong, "");
  EXPECT_GE(append.needed, 10);  // of the directory, then of the file
  const Trial owner =
      FailEachChange([](Process& process) { return process.Chown("/l", 7, 7, LastLink::kKeep); });
  EXPECT_EQ(owner.wrong, "");
  EXPECT_GE(owner.needed, 4);
}

// The call on fresh mounts whose storage stops for good before the nth change, for each n; then
// what the next mount finds.
Trial StopBeforeEachChange(const CallUnderTest& call) {
  Trial trial;
  SmallMount before;
  SmallMount after;
  EXPECT_THAT(call(after.process()), IsOk());
  for (int nth = 1;; ++nth) {
    SmallMount mount;
    mount.storage().Arm(nth, FailingStorage::Kind::kStop);
    (void)call(mount.process());
    if (!mount.storage().failed()) return trial;
    mount.storage().Arm(0, FailingStorage::Kind::kStop);
    mount.Mount();
    trial.changes = nth;
    const std::string at = "change " + std::to_string(nth);
    if (!mount.temporaries().empty()) trial.wrong += at + ": something is left in work\n";
    if (!Same(mount.view(), before.view()) && !Same(mount.view(), after.view())) {
      trial.wrong += at + ": the tree is neither the old nor the new one\n";
    }
    if (!Same(mount.lower(), before.lower())) trial.wrong += at + ": the lower has changed\n";
    if (!mount.process().Mkdir("/gone/again", 0755).ok() &&
        !mount.process().Mkdir("/gone", 0755).ok()) {
      trial.wrong += at + ": the mount cannot be written\n";
    }
  }
}

// 68: what a crash had left in the work directory made the next mount read-only.
TEST(OverlayHistory, K_eea2fb4851e9_AMountAfterACrashIsWritableAndClean) {
  const auto stopped = [](const CallUnderTest& call) { return StopBeforeEachChange(call).wrong; };
  EXPECT_EQ(stopped([](Process& p) { return p.Chmod("/f", 0600); }), "");
  EXPECT_EQ(stopped([](Process& p) { return AppendByte(p, "/d/g"); }), "");
  EXPECT_EQ(stopped([](Process& p) { return p.Unlink("/f"); }), "");
  EXPECT_EQ(stopped([](Process& p) { return p.Rename("/f", "/d/g", RenameMode::kReplace); }), "");
  EXPECT_EQ(stopped([](Process& p) { return p.Rename("/f", "/d/g", RenameMode::kExchange); }), "");
  EXPECT_EQ(stopped([](Process& p) { return p.Rename("/l", "/gone", RenameMode::kReplace); }), "");
  EXPECT_EQ(stopped([](Process& p) { return p.Link("/d/g", "/gone", LastLink::kKeep); }), "");
  EXPECT_EQ(stopped([](Process& p) { return p.Symlink("f", "/gone"); }), "");
  EXPECT_EQ(stopped([](Process& p) { return p.Mkdir("/gone", 0755); }), "");
  EXPECT_EQ(stopped([](Process& p) { return p.Rmdir("/hollow"); }), "");
  EXPECT_GE(StopBeforeEachChange([](Process& p) { return p.Rmdir("/hollow"); }).changes, 4);
}

// Storage that cannot keep what it is given.
class UnsyncedFs final : public ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  bool broken = false;

  Result<void> Sync(const OpContext& op, HandleId handle, SyncMode mode) override {
    return broken ? Errno::kIo : ForwardingFileSystem::Sync(op, handle, mode);
  }
  Result<void> SyncAll(const OpContext& op) override {
    return broken ? Errno::kIo : ForwardingFileSystem::SyncAll(op);
  }
};

// 67: sync and fsync said that all was well.
TEST(OverlayHistory, K_5679897eb104_ErrorsOfASyncAreReported) {
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/f", "f");
  PutFile(*stack.OnLower(0), "/low", "l");
  UnsyncedFs storage(stack.failing());
  OverlayMount request = stack.Request();
  request.upper->fs = request.work->fs = &storage;
  Result<std::unique_ptr<UnionFs>> fs = stack.TryMount(request);
  ASSERT_THAT(fs, IsOk());
  Process process(**fs, (*fs)->root(), {.clock = &stack.clock()});
  const Process::Fd written = *process.Open("/f", {.access = Access::kWrite}, 0);
  const Process::Fd read = *process.Open("/f", {}, 0);
  const Process::Fd lower = *process.Open("/low", {}, 0);
  storage.broken = true;
  EXPECT_THAT(process.Fsync(written, SyncMode::kAll), IsErrno(Errno::kIo));
  EXPECT_THAT(process.Fsync(written, SyncMode::kData), IsErrno(Errno::kIo));
  EXPECT_THAT(process.Fsync(read, SyncMode::kAll), IsErrno(Errno::kIo));
  EXPECT_THAT(process.Fsync(lower, SyncMode::kAll), IsOk());  // nothing of it is in the upper
  EXPECT_THAT((*fs)->SyncAll(stack.Op()), IsErrno(Errno::kIo));
  EXPECT_THAT(process.Chmod("/low", 0600), IsErrno(Errno::kIo));  // its copy would not be safe
  EXPECT_THAT(NamesIn(*stack.OnHome(), "/upper"), ::testing::ElementsAre("f"));
  storage.broken = false;
  EXPECT_THAT(process.Fsync(written, SyncMode::kAll), IsOk());
  EXPECT_THAT(process.Chmod("/low", 0600), IsOk());
}

// 67: a volatile mount asks for no sync at all.
TEST(OverlayHistory, K_5679897eb104_AVolatileMountSyncsNothing) {
  OverlayStack stack(1);
  PutFile(*stack.OnLower(0), "/f", "f");
  UnsyncedFs storage(stack.failing());
  storage.broken = true;
  OverlayMount request = stack.Request();
  request.upper->fs = request.work->fs = &storage;
  request.options.volatile_upper = true;
  Result<std::unique_ptr<UnionFs>> fs = stack.TryMount(request);
  ASSERT_THAT(fs, IsOk());
  Process process(**fs, (*fs)->root(), {.clock = &stack.clock()});
  EXPECT_THAT(process.Chmod("/f", 0600), IsOk());
  const Process::Fd fd = *process.Open("/f", {.access = Access::kWrite}, 0);
  EXPECT_THAT(process.Fsync(fd, SyncMode::kAll), IsOk());
  EXPECT_THAT((*fs)->SyncAll(stack.Op()), IsOk());
}

// The origin mark that a copy-up of /f makes.
std::string OriginOfACopy(OverlayStack& stack) {
  stack.Mount();
  EXPECT_THAT(stack.process().Chmod("/f", 0600), IsOk());
  Result<std::string> mark =
      stack.OnHome()->Getxattr("/upper/f", "trusted.overlay.origin", LastLink::kKeep);
  EXPECT_THAT(mark, IsOk());
  return mark.ok() ? *mark : "";
}

// Handles that are nearly right: cut, lengthened, each byte turned over.
std::vector<std::string> BrokenHandles(const std::string& right) {
  std::vector<std::string> handles = {std::string(65536, '\xff'), std::string(right.size(), '\0')};
  for (std::size_t length = 0; length < right.size(); ++length) {
    handles.push_back(right.substr(0, length));
    handles.push_back(right);
    handles.back()[length] = static_cast<char>(~handles.back()[length]);
  }
  handles.push_back(right + '\0');
  return handles;
}

// The marks of /f and /d with which the tree is not what it should be.
std::vector<std::string> MarksThatHurt(Toggle index) {
  OverlayStack wanted(1);
  OverlayStack stack(1);
  for (OverlayStack* each : {&wanted, &stack}) {
    const std::unique_ptr<Process> lower = each->OnLower(0);
    PutFile(*lower, "/f", "f");
    EXPECT_THAT(lower->Mkdir("/d", 0755), IsOk());
    PutFile(*lower, "/d/g", "g");
  }
  const std::string right = OriginOfACopy(stack);
  EXPECT_THAT(stack.process().Chmod("/d", 0700), IsOk());
  EXPECT_THAT(wanted.OnLower(0)->Chmod("/f", 0600), IsOk());
  EXPECT_THAT(wanted.OnLower(0)->Chmod("/d", 0700), IsOk());
  const TreeView tree(wanted.lower(0), wanted.lower(0).root(), "wanted");
  std::vector<std::string> bad;
  for (const std::string& handle : BrokenHandles(right)) {
    const std::unique_ptr<Process> home = stack.OnHome();
    for (const std::string_view path : {"/upper/f", "/upper/d"}) {
      EXPECT_THAT(
          home->Setxattr(path, "trusted.overlay.origin", handle, XattrMode::kSet, LastLink::kKeep),
          IsOk());
    }
    OverlayMount request = stack.Request();
    request.options.index = index;
    Result<std::unique_ptr<UnionFs>> fs = stack.TryMount(request);
    const bool shown = fs.ok() && Same({**fs, (*fs)->root(), "merged"}, tree);
    if (!shown) bad.push_back(Quoted(handle.substr(0, 40)));
  }
  return bad;
}

// 65: a handle that was not well-formed was decoded all the same.
TEST(OverlayHistory, K_9aafc1b01873_AMalformedOriginCountsAsUnknown) {
  EXPECT_THAT(MarksThatHurt(Toggle::kOff), IsEmpty());
  EXPECT_THAT(MarksThatHurt(Toggle::kOn), IsEmpty());
}

}  // namespace
}  // namespace lamina::testing
