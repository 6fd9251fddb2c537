#include "sim/scenario/pool_source.h"

#include "absl/strings/str_format.h"
#if defined(LAMINA_WITH_THIN_XML)
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>

#include "lamina/block/thin_metadata_disk.h"
#include "lamina/image/thin_xml.h"
#include "sim/scenario/devices.h"
#endif

namespace lamina::sim::internal {
namespace {

constexpr std::string_view kXml = "xml:";

}  // namespace

std::string CheckPoolSource(std::string_view source, bool host_files) {
  if (!source.starts_with(kXml) || source.size() == kXml.size()) {
    return absl::StrFormat("'%s' is not xml:FILE", source);
  }
  if (!host_files) return "files of the host are not allowed here";
  return "";
}

#if defined(LAMINA_WITH_THIN_XML)
namespace {

// A dump from a stranger must not ask for all memory: a short run names very many mappings.
constexpr std::uint64_t kMostMetadataBlocks = (std::uint64_t{1} << 30) / kThinMetadataBlockBytes;

// At most one byte more than `limit`, which tells that there is more.
absl::StatusOr<std::string> ReadText(const std::string& path, std::uint64_t limit) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  while (file && text.size() <= limit) {
    constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
    const std::size_t before = text.size();
    text.resize(before + std::min(kPiece, limit + 1 - before));
    file.read(text.data() + before, static_cast<std::streamsize>(text.size() - before));
    text.resize(before + static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad() || (!file.eof() && text.size() <= limit)) {
    return absl::NotFoundError(
        absl::StrFormat("%s: %s", path, errno != 0 ? std::strerror(errno) : "cannot be read"));
  }
  return text;
}

std::string TooLarge(const ThinDump& dump) {
  if (dump.nr_data_blocks > kMostPoolChunks) {
    return absl::StrFormat("%d data blocks, and a pool here has at most %d", dump.nr_data_blocks,
                           kMostPoolChunks);
  }
  if (dump.data_block_size * dump.nr_data_blocks > PagedBytes::kMaxSizeBytes / kSectorBytes) {
    return absl::StrFormat("%d data blocks of %d sectors are more than a disk here can have",
                           dump.nr_data_blocks, dump.data_block_size);
  }
  if (LeastThinMetadataBlocks(dump) > kMostMetadataBlocks) {
    return "more than 1 GiB of metadata";
  }
  return "";
}

}  // namespace

absl::StatusOr<ImportedPool> ReadPoolSource(const OpContext& op, std::string_view source) {
  ThinXmlOptions options;
  options.file = source.substr(kXml.size());
  const absl::StatusOr<std::string> text = ReadText(options.file, options.max_bytes);
  if (!text.ok()) return text.status();
  const absl::StatusOr<ThinXmlDocument> document = ReadThinXml(*text, options);
  if (!document.ok()) return document.status();
  const ThinDump& dump = document->dump;
  if (const std::string wrong = TooLarge(dump); !wrong.empty()) {
    return absl::ResourceExhaustedError(absl::StrFormat("%s: %s", options.file, wrong));
  }
  const Result<std::unique_ptr<MemDisk>> disk = MakeThinMetadataDisk(op, dump);
  if (!disk.ok()) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: no metadata can be made of it [%s]",
                                                      options.file, ErrnoName(disk.error())));
  }
  return ImportedPool{(*disk)->Capture(), dump.data_block_size,
                      dump.data_block_size * dump.nr_data_blocks};
}
#else
absl::StatusOr<ImportedPool> ReadPoolSource(const OpContext&, std::string_view source) {
  return absl::UnimplementedError(
      absl::StrFormat("'%s': built without thin_dump XML (pugixml)", source));
}
#endif

}  // namespace lamina::sim::internal
