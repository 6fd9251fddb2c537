// The model's own path resolution, after path_resolution(7) and Linux fs/namei.c: '/', ".", "..",
// symlinks on the way, trailing slashes, search permission on every directory.
//
// Threads: pure functions of the view.
#ifndef LAMINA_SIM_MODEL_RESOLVER_H_
#define LAMINA_SIM_MODEL_RESOLVER_H_

#include <cstdint>
#include <string>

#include "lamina/base/result.h"
#include "sim/model/rules.h"
#include "sim/model/view.h"

namespace lamina::sim {

inline constexpr int kModelSymlinkLimit = 40;
inline constexpr std::size_t kModelPathLimit = 4095;

// Everything but the last component has been walked.
struct Located {
  enum class Last : std::uint8_t { kName, kRoot, kDot, kDotDot };
  std::string parent;  // a directory that exists and may be searched; "/" for kRoot
  Last last = Last::kName;
  std::string name;  // for kName
  bool trailing_slash = false;

  // Where it leads; for kDot and kDotDot a directory that exists.
  std::string path() const;
};

enum class FinalLink : std::uint8_t { kFollow, kKeep };

// Walks `path`, starting in the directory `from`, up to the last component. `links` counts the
// symlinks followed so far.
// Errors: kNameTooLong the path or a component; kNoEnt "" or a missing directory; kAccess; kNotDir;
// kLoop.
Result<Located> Locate(const ModelView& view, const ModelCaller& caller, const std::string& from,
                       const std::string& path, int& links);

// The path of an existing object. A trailing slash asks for a directory and follows a symlink.
// Errors: as Locate; kNoEnt; kNotDir a trailing slash after something else.
Result<std::string> Resolve(const ModelView& view, const ModelCaller& caller,
                            const std::string& path, FinalLink final_link);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_RESOLVER_H_
