// TarReader: the entries of a tar, one after the other, with everything that describes an entry
// (long names, pax records, sparse maps) already put together. It knows the format; what an entry
// means for a layer is decided by its caller.
//
//   while (true) {
//     absl::StatusOr<bool> more = reader.Next(entry);
//     if (!more.ok() || !*more) break;
//     reader.ReadBody(entry, content);       // or not: Next moves over what was not read
//   }
//
// Messages of errors do not name the tar; position() and `entry` say where.
//
// Threads: belongs to one thread.
#ifndef LAMINA_IMAGE_TAR_READER_H_
#define LAMINA_IMAGE_TAR_READER_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lamina/image/layer_tar.h"
#include "lamina/store/paged_bytes.h"
#include "vfs/image/pax_records.h"
#include "vfs/image/sparse_map.h"
#include "vfs/image/tar_header.h"
#include "vfs/image/tar_input.h"

namespace lamina {

enum class TarEntryType : std::uint8_t {
  kFile,
  kHardLink,
  kSymlink,
  kCharDevice,
  kBlockDevice,
  kDirectory,
  kFifo,
  kVolumeName,  // a label; no file
};

struct TarEntry {
  std::uint64_t offset_bytes = 0;  // of its own header in the unpacked tar
  TarEntryType type = TarEntryType::kFile;
  std::string name;
  std::string link;
  std::uint16_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size_bytes = 0;  // of the file
  SparseMap extents;             // of a file: what its body holds; the rest is a hole
  Instant mtime;
  Instant atime;
  Instant ctime;
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::map<std::string, std::string, std::less<>> xattrs;
  std::uint64_t ignored_records = 0;
};

class TarReader {
 public:
  TarReader(TarInput input, const LayerTarLimits& limits)
      : input_(std::move(input)), limits_(limits) {}

  // The next entry; false after the last one, when the rest of the input is read too (so that a
  // damaged packing is noticed).
  // Errors: InvalidArgument, DataLoss, ResourceExhausted as ReadLayerTar.
  absl::StatusOr<bool> Next(TarEntry& entry);

  // The body of the file that Next just gave. Errors: DataLoss.
  absl::Status ReadBody(const TarEntry& entry, PagedBytes& content);

  // Where the header stands that was read last, in bytes of the unpacked tar.
  std::uint64_t header_offset_bytes() const { return header_offset_bytes_; }

 private:
  // What extension headers said about the entry that follows.
  struct Extensions {
    PaxRecords records;
    std::string gnu_name;
    std::string gnu_link;
    std::uint64_t bytes = 0;
    bool any = false;
  };

  absl::Status ReadBlock(TarBlock& block);
  // False at the end mark.
  absl::StatusOr<bool> ReadHeader(TarBlock& block);
  absl::Status SkipRest();  // of the body before
  absl::Status ReadTrailer();
  absl::Status ReadExtension(const TarHeader& header, Extensions& extensions);
  absl::StatusOr<std::string> ReadExtensionText(const TarHeader& header, Extensions& extensions);
  absl::Status Assemble(TarHeader header, const TarBlock& block, Extensions extensions,
                        TarEntry& entry);
  absl::Status ReadExtents(const TarBlock& block, char type, const PaxRecords& records,
                           TarEntry& entry);
  absl::Status ReadOldExtents(const TarBlock& block, TarEntry& entry);
  absl::Status ReadInlineMap(TarEntry& entry);
  absl::Status CheckSizes(const TarEntry& entry);

  TarInput input_;
  LayerTarLimits limits_;
  PaxRecords global_;
  std::uint64_t header_offset_bytes_ = 0;
  std::uint64_t body_left_bytes_ = 0;  // of the entry read last
  std::uint64_t padding_bytes_ = 0;    // behind it, up to the next block
  std::uint64_t content_bytes_ = 0;    // of all files so far
};

}  // namespace lamina
#endif  // LAMINA_IMAGE_TAR_READER_H_
