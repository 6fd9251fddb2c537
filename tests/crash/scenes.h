// Scenes: the states a union operation can meet, each as the image of a stopped machine.
//
//   low    /d/z  /e/f  /p/q/r/  /w/g  /w/k/{x,y}     and the target, where it is a lower one
//   mid    /d/m
//   upper  /w/ with g and both names of k whited out, a file o, a directory p with a file in it
//
// The target is called t; u is a name beside it that no layer holds.
//
// Threads: plain values.
#ifndef LAMINA_TESTS_CRASH_SCENES_H_
#define LAMINA_TESTS_CRASH_SCENES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "lamina/lamina.h"

namespace lamina::testing {

// Where the target is.
enum class Presence : std::uint8_t {
  kLowerOnly,     // in low
  kUpperOnly,     // made on the mount
  kBoth,          // in low, and copied up by a change
  kWhitedOut,     // in low, and removed
  kOpaqueParent,  // made on the mount, in a directory that hides one of low
  kDeepLower,     // in low, three directories down that are in no other layer
  kDrawn,         // in low and in upper, put there by hand: without the marks of a copy-up
};
inline constexpr std::uint64_t kPresences = 7;

enum class TargetKind : std::uint8_t {
  kFile,
  kDirectory,       // with a file in it
  kEmptyDirectory,  // with whiteouts in it where it is in both
  kSymlink,
  kHardLink,  // a file with a second name, t2
};
inline constexpr std::uint64_t kTargetKinds = 5;

struct Scene {
  std::string name;  // "both/directory"
  Presence presence{};
  TargetKind kind{};
  CrashImage image;
  Instant start;       // what happens on the mount is later
  std::string target;  // "/d/t"
  std::string beside;  // "/d/u"
};

std::string_view PresenceName(Presence presence);  // "lower only"
inline constexpr Presence kEveryPresence[] = {
    Presence::kLowerOnly,    Presence::kUpperOnly, Presence::kBoth, Presence::kWhitedOut,
    Presence::kOpaqueParent, Presence::kDeepLower, Presence::kDrawn};

// The scene of one presence and kind.
Scene MakeScene(Presence presence, TargetKind kind, const OverlayOptions& options);
// Every kind of target in one presence.
std::vector<Scene> MakeScenes(Presence presence, const OverlayOptions& options);

}  // namespace lamina::testing
#endif  // LAMINA_TESTS_CRASH_SCENES_H_
