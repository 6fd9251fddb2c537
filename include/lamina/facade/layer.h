// NamedLayer: a layer written down as a list of verbs; it becomes a directory tree at the mount.
//
//   NamedLayer("app").Dir("/srv").File("/srv/run", "#!", 0755).Symlink("/bin", "usr/bin")
//
// Missing parents are made, 0755 and owned by root (here only: LayeredFs behaves like POSIX). Every
// node is owned by root and has the time kSimulationStart unless a verb says otherwise. Paths are
// absolute. A verb that cannot be carried out (a name made a second time, a parent that is a file)
// is an error of the mount, never of the verb.
//
// Threads: a plain value.
#ifndef LAMINA_FACADE_LAYER_H_
#define LAMINA_FACADE_LAYER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "lamina/base/time.h"
#include "lamina/fs/mem_fs.h"
#include "lamina/image/layer_tar.h"

namespace lamina {

namespace internal {
class LayerWriter;
}  // namespace internal

// Chooses the bytes of FileOfSize.
struct Seed {
  std::uint64_t value = 0;
};

// The bytes of FileOfSize: those of `pat:SEED:LENGTH` in a scenario, hence none of its 4096-byte
// blocks is all zeros.
std::string PatternBytes(std::uint64_t length_bytes, Seed seed = {});

class NamedLayer {
 public:
  explicit NamedLayer(std::string_view name) : name_(name) {}

  NamedLayer& Dir(std::string_view path, std::uint16_t mode = 0755);
  NamedLayer& File(std::string_view path, std::string_view content, std::uint16_t mode = 0644);
  NamedLayer& FileOfSize(std::string_view path, std::uint64_t length_bytes, Seed seed = {},
                         std::uint16_t mode = 0644);
  NamedLayer& Symlink(std::string_view path, std::string_view target);
  // One more name, `path`, for the file `existing` of this layer.
  NamedLayer& Hardlink(std::string_view path, std::string_view existing);
  NamedLayer& Fifo(std::string_view path, std::uint16_t mode = 0644);
  // Hides `path` of the layers below. The mark has the form of the union that is mounted
  // (facade/union_dialect.h).
  NamedLayer& Whiteout(std::string_view path);
  // Marks a directory, made when missing: it hides everything the layers below hold in it.
  NamedLayer& Opaque(std::string_view path);
  // Of what `path` names so far, itself when it is a symlink.
  NamedLayer& Xattr(std::string_view path, std::string_view key, std::string_view value);
  NamedLayer& Mode(std::string_view path, std::uint16_t mode);  // not of a symlink
  NamedLayer& Owner(std::string_view path, std::uint32_t uid, std::uint32_t gid);
  // Set after every other verb, so that a later File does not touch its directory again.
  NamedLayer& Mtime(std::string_view path, Instant mtime);
  // Records a mistake in what the layer is made from; WriteTo gives it back.
  NamedLayer& Fail(const absl::Status& status);

  const std::string& name() const { return name_; }
  NamedLayer& Rename(std::string_view name);

  // Carries out the verbs on the directory `root`, with marks in that form.
  // Errors: of the first verb that fails, with its text and the layer's name.
  absl::Status WriteTo(MemFs& fs, NodeId root, WhiteoutForm form = WhiteoutForm::kOverlay) const;

  // A layer that begins with what `fill` puts into the empty tree.
  using Fill = std::function<absl::Status(MemFs& fs, NodeId root, WhiteoutForm form)>;
  static NamedLayer From(std::string_view name, Fill fill);

 private:
  using Step = std::function<absl::Status(internal::LayerWriter& writer)>;

  std::string name_;
  Fill fill_;
  std::vector<Step> steps_;
  std::vector<Step> last_steps_;
};

// A directory of the host: read at the mount (bodies when somebody wants them), never written. See
// image/host_dir.h. Marks in it stay in the form they have. The name is the last component of
// `path` unless one is given. Needs LAMINA_IMAGE.
NamedLayer LayerFromDirectory(std::string_view path, std::string_view name = "");

// A layer tar, packed or not. See image/layer_tar.h. Needs LAMINA_IMAGE.
NamedLayer LayerFromTar(std::string_view bytes, std::string_view name = "tar");

}  // namespace lamina
#endif  // LAMINA_FACADE_LAYER_H_
