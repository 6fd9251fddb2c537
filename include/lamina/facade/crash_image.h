// CrashImage: what a mount's layers held when the machine stopped.
//
//   fs->Inject(Fault::On(Op::kRename).AtBranch("upper").Crash());
//   absl::Status cut = fs->Unlink("/etc/hosts");            // EIO: the whiteout was never placed
//   FsPtr next = *Reopen(fs->Crash());                      // /etc/hosts is there
//
// The layers are in memory and have no cache to lose: an image holds every change that was made
// before the crash. (A file system on a device with a cache of its own may lose more; that is the
// business of the device.)
//
// Threads: a plain value; O(1) to copy.
// Lifetime: keeps what it needs alive; independent of the mount it was taken from.
#ifndef LAMINA_FACADE_CRASH_IMAGE_H_
#define LAMINA_FACADE_CRASH_IMAGE_H_

#include <memory>
#include <utility>

namespace lamina {

namespace internal {
struct CrashState;
}  // namespace internal

// Made by LayeredFs::Crash, used by Reopen (facade/layered_fs.h).
class CrashImage {
 public:
  explicit CrashImage(std::shared_ptr<const internal::CrashState> state)
      : state_(std::move(state)) {}
  const internal::CrashState& state() const { return *state_; }

 private:
  std::shared_ptr<const internal::CrashState> state_;
};

}  // namespace lamina
#endif  // LAMINA_FACADE_CRASH_IMAGE_H_
