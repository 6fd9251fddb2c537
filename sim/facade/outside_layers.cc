// Layers that come from outside: directories and tars of the host.
#include "lamina/facade/layer.h"
#include "lamina/image/host_dir.h"
#include "lamina/image/layer_tar.h"

namespace lamina {

NamedLayer LayerFromDirectory(std::string_view path, std::string_view name) {
  std::string_view shown = path;
  while (shown.size() > 1 && shown.ends_with('/')) shown.remove_suffix(1);
  if (shown.size() > 1) shown.remove_prefix(shown.rfind('/') + 1);
  return NamedLayer::From(name.empty() ? shown : name,
                          [host = std::string(path)](MemFs& fs, NodeId root, WhiteoutForm) {
                            return ReadHostDirectory(host, fs, root).status();
                          });
}

NamedLayer LayerFromTar(std::string_view bytes, std::string_view name) {
  return NamedLayer::From(
      name, [tar = std::string(bytes)](MemFs& fs, NodeId root, WhiteoutForm form) {
        return ReadLayerTar(tar, fs, root, {.whiteouts = form, .limits = {}}).status();
      });
}

}  // namespace lamina
