// Contrasts: where overlayfs and AUFS answer differently after the same calls on the same layers,
// an empty writable one above `below`. The table of README.md is made from it, and a test carries
// each row out on both views.
//
// Threads: constants.
#ifndef LAMINA_SIM_MODEL_CONTRAST_H_
#define LAMINA_SIM_MODEL_CONTRAST_H_

#include <span>
#include <string>
#include <string_view>

namespace lamina::sim {

struct Contrast {
  std::string_view what;
  std::string_view below;    // calls that made the lower layers, separated by "; ", topmost first;
                             // " / " stands between two layers
  std::string_view calls;    // then these on the union; "{243}" is a name of 243 bytes
  std::string_view overlay;  // the outcome of the last one
  std::string_view aufs;
  std::string_view source;  // sections of overlayfs.md and of aufs.md
};

std::span<const Contrast> Contrasts();

// The table of README.md, Markdown, with a final newline.
std::string ContrastTable();

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_CONTRAST_H_
