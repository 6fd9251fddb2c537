// Layers whose content comes from outside: directories of the host, layer tars, images of ext. With
// pool_source.h the only file of the scenario runner that knows lamina/image.
//
//   dir:PATH            a directory of the host
//   tar:FILE[,FILE..]   layer tars, the lowest first, put one onto the other
//   ext4:FILE           the tree of an image of ext2, ext3 or ext4, copied
//
// Threads: pure functions.
#ifndef LAMINA_SIM_SCENARIO_HOST_LAYERS_H_
#define LAMINA_SIM_SCENARIO_HOST_LAYERS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "lamina/fs/mem_fs.h"

namespace lamina::sim::internal {

// What is wrong with a SOURCE; empty when nothing is.
std::string CheckLayerSource(std::string_view source, bool host_files);

// The kind of a SOURCE that the language knows and this build does not read ("oci"); else empty.
std::string UnsupportedLayerSource(std::string_view source);

struct LayerSourceOptions {
  Instant now;             // of directories no entry of a tar describes; ctimes of a copy
  bool userxattr = false;  // marks in the user namespace
  bool aufs = false;       // marks of AUFS
};

// Reads `source` into the directory `root`. Errors: what reading gives, with the path in it.
absl::Status ReadLayerSource(std::string_view source, const LayerSourceOptions& options, MemFs& fs,
                             NodeId root);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_HOST_LAYERS_H_
