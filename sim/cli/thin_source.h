// A thin pool of the command line: thin_dump XML or binary metadata, told apart by the magic number
// of the superblock.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_THIN_SOURCE_H_
#define LAMINA_SIM_CLI_THIN_SOURCE_H_

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/block/block_device.h"
#include "lamina/block/thin_check.h"
#include "lamina/block/thin_dump.h"

namespace lamina::cli {

class ThinSource {
 public:
  // "-" is standard input.
  // Errors: kNotFound  the file cannot be read; kInvalidArgument  it is neither of the two. The
  // messages of all of this are complete.
  static absl::StatusOr<ThinSource> Open(const std::string& path);
  // XML that is at hand already; `path` is for messages.
  static ThinSource OfXml(std::string path, std::string text) {
    return ThinSource(std::move(path), std::move(text));
  }

  // The pool, canonical.
  // Errors: those of ReadThinXml; kDataLoss  the metadata is damaged or too large.
  absl::StatusOr<ThinDump> Dump() const;

  // What is wrong with it; empty: nothing. Errors: those of ReadThinXml; kDataLoss  the metadata
  // cannot be read at all.
  absl::StatusOr<std::vector<ThinFinding>> Check() const;

 private:
  using Xml = std::string;
  using Metadata = std::unique_ptr<BlockDevice>;

  ThinSource(std::string path, std::variant<Xml, Metadata> content)
      : path_(std::move(path)), content_(std::move(content)) {}

  absl::StatusOr<ThinDump> DumpOfMetadata(BlockDevice& metadata) const;
  absl::StatusOr<std::vector<ThinFinding>> CheckOfXml(const Xml& text) const;

  std::string path_;
  std::variant<Xml, Metadata> content_;
};

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_THIN_SOURCE_H_
