#include "tests/crash/scenes.h"

#include <array>

#include "lamina/base/check.h"
#include "lamina/sim/choosers.h"
#include "sim/facade/facade_mount.h"

namespace lamina::testing {
namespace {

constexpr Instant kLongAgo = InstantFromSeconds(1000);

std::string_view KindName(TargetKind kind) {
  constexpr std::array<std::string_view, kTargetKinds> kNames = {
      "file", "directory", "empty directory", "symlink", "hard link"};
  return kNames.at(static_cast<std::size_t>(kind));
}

// The target as a layer is written down.
void Draw(NamedLayer& layer, TargetKind kind, const std::string& target) {
  switch (kind) {
    case TargetKind::kFile:
      layer.File(target, "target", 0640);
      break;
    case TargetKind::kDirectory:
      layer.Dir(target, 0750).File(target + "/c", "child");
      break;
    case TargetKind::kEmptyDirectory:
      layer.Dir(target, 0750);
      break;
    case TargetKind::kSymlink:
      layer.Symlink(target, "z");
      layer.Xattr(target, "trusted.k", "v").Owner(target, 1000, 100).Mtime(target, kLongAgo);
      return;
    case TargetKind::kHardLink:
      layer.File(target, "target", 0640).Hardlink(target + '2', target);
      break;
  }
  layer.Xattr(target, "user.k", "v").Owner(target, 1000, 100).Mtime(target, kLongAgo);
}

class SceneMaker {
 public:
  SceneMaker(Presence presence, TargetKind kind)
      : presence_(presence),
        kind_(kind),
        dir_(presence == Presence::kDeepLower ? "/p/q/r" : "/d"),
        target_(dir_ + "/t") {}

  Scene Make(const OverlayOptions& options) {
    NamedLayer low("low");
    low.File("/d/z", "z").File("/e/f", "other").Dir("/p/q/r").File("/p/q/r/z", "z");
    low.File("/w/g", "gone").File("/w/k/x", "1").File("/w/k/y", "2");
    if (presence_ != Presence::kUpperOnly) {
      Draw(low, kind_, target_);
      if (LowerHoldsChild()) low.File(target_ + "/c", "child");
    }
    Stack stack;
    stack.Push(low).Push(NamedLayer("mid").File("/d/m", "mid"));
    if (presence_ == Presence::kDrawn) stack.Upper(Drawn());
    fs_ = stack.MountOrDie({.overlay = options, .atime = AtimePolicy::kNever});
    PrepareOthers();
    PrepareTarget();
    const CrashImage image = fs_->Crash();
    Scene scene{.name = std::string(PresenceName(presence_)) + '/' + std::string(KindName(kind_)),
                .presence = presence_,
                .kind = kind_,
                .image = image,
                .start = image.state().clock.now(),
                .target = target_,
                .beside = dir_ + "/u"};
    fs_.reset();  // the storage is free for the runs
    return scene;
  }

 private:
  // Something to be whited out.
  bool LowerHoldsChild() const {
    return kind_ == TargetKind::kEmptyDirectory &&
           (presence_ == Presence::kBoth || presence_ == Presence::kDrawn);
  }

  NamedLayer Drawn() const {
    NamedLayer upper("upper");
    Draw(upper, kind_, target_);
    if (LowerHoldsChild()) upper.Whiteout(target_ + "/c");
    return upper;
  }

  static void Do(const absl::Status& status) { LAMINA_CHECK(status.ok()); }

  void PrepareOthers() {
    for (const std::string_view path : {"/w/g", "/w/k/x", "/w/k/y"}) Do(fs_->Unlink(path));
    Do(fs_->WriteFile("/w/o", "upper"));
    Do(fs_->Mkdir("/w/p", 0755));
    Do(fs_->WriteFile("/w/p/in", "inside"));
  }

  void PrepareTarget() {
    switch (presence_) {
      case Presence::kLowerOnly:
      case Presence::kDeepLower:
      case Presence::kDrawn:
        break;
      case Presence::kUpperOnly:
        MakeTarget();
        break;
      case Presence::kBoth:
        CopyTargetUp();
        break;
      case Presence::kWhitedOut:
        Do(fs_->RemoveAll(target_));
        if (kind_ == TargetKind::kHardLink) Do(fs_->Unlink(target_ + '2'));
        break;
      case Presence::kOpaqueParent:
        Do(fs_->RemoveAll(dir_));
        Do(fs_->Mkdir(dir_, 0755));
        Do(fs_->WriteFile(dir_ + "/z", "z"));
        MakeTarget();
        break;
    }
  }

  void MakeTarget() {
    switch (kind_) {
      case TargetKind::kFile:
        Do(fs_->WriteFile(target_, "target", 0640));
        break;
      case TargetKind::kDirectory:
        Do(fs_->Mkdir(target_, 0750));
        Do(fs_->WriteFile(target_ + "/c", "child"));
        break;
      case TargetKind::kEmptyDirectory:
        Do(fs_->Mkdir(target_, 0750));
        break;
      case TargetKind::kSymlink:
        Do(fs_->Symlink("z", target_));
        return;
      case TargetKind::kHardLink:
        Do(fs_->WriteFile(target_, "target", 0640));
        Do(fs_->Link(target_, target_ + '2'));
        break;
    }
    Do(fs_->Setxattr(target_, "user.k", "v"));
    Do(fs_->Chown(target_, 1000, 100));
  }

  void CopyTargetUp() {
    switch (kind_) {
      case TargetKind::kFile:
      case TargetKind::kHardLink:
        Do(fs_->Chmod(target_, 0600));
        break;
      case TargetKind::kDirectory:
        Do(fs_->WriteFile(target_ + "/new", "new"));
        break;
      case TargetKind::kEmptyDirectory:
        Do(fs_->Unlink(target_ + "/c"));
        break;
      case TargetKind::kSymlink:
        Do(fs_->Rename(target_, "/d/away"));
        Do(fs_->Rename("/d/away", target_));
        break;
    }
  }

  Presence presence_;
  TargetKind kind_;
  std::string dir_;
  std::string target_;
  FsPtr fs_;
};

}  // namespace

std::string_view PresenceName(Presence presence) {
  constexpr std::array<std::string_view, kPresences> kNames = {
      "lower only", "upper only", "both", "whited out", "opaque parent", "deep lower", "drawn"};
  return kNames.at(static_cast<std::size_t>(presence));
}

Scene MakeScene(Presence presence, TargetKind kind, const OverlayOptions& options) {
  return SceneMaker(presence, kind).Make(options);
}

std::vector<Scene> MakeScenes(Presence presence, const OverlayOptions& options) {
  std::vector<Scene> scenes;
  sim::ExhaustiveChooser chooser;
  do {
    const auto kind = static_cast<TargetKind>(chooser.Choose(kTargetKinds));
    scenes.push_back(MakeScene(presence, kind, options));
  } while (chooser.Next());
  return scenes;
}

}  // namespace lamina::testing
