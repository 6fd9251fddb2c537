// PackedSource: the bytes of a tar as they are kept, in blocks; gzip is unpacked on the way,
// because libarchive does not compare gzip's checksums, and a layer with a wrong bit must be
// noticed.
//
// Source: RFC 1952. Several members one after the other are one stream; what follows the last one
// and is no member is padding.
//
// Threads: belongs to one thread.
#ifndef LAMINA_IMAGE_PACKED_SOURCE_H_
#define LAMINA_IMAGE_PACKED_SOURCE_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct z_stream_s;

namespace lamina {

class PackedSource {
 public:
  // `bytes` must outlive the source.
  static std::unique_ptr<PackedSource> FromBytes(std::string_view bytes);
  // Errors: NotFound the host cannot open `path`.
  static absl::StatusOr<std::unique_ptr<PackedSource>> FromFile(std::string_view path);
  ~PackedSource();
  PackedSource(const PackedSource&) = delete;
  PackedSource& operator=(const PackedSource&) = delete;

  // The next block, valid until the next call; empty at the end.
  // Errors: DataLoss the host cannot read, or gzip is cut or damaged.
  absl::StatusOr<std::string_view> Next();

  // Bytes taken from the file so far.
  std::uint64_t packed_bytes() const { return packed_bytes_ - rest_.size(); }

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  PackedSource() = default;
  // Makes `rest_` non-empty, or sets `end_`.
  absl::Status Fill();
  absl::StatusOr<std::string_view> Inflate();
  // After a member: false when no other one follows.
  absl::StatusOr<bool> NextMember();

  std::unique_ptr<std::FILE, CloseFile> file_;  // none: all bytes are in `rest_`
  std::vector<char> read_buffer_;
  std::string_view rest_;  // taken from the file, not used yet
  std::uint64_t packed_bytes_ = 0;
  bool end_ = false;       // of the file
  bool started_ = false;   // it is known whether this is gzip
  bool finished_ = false;  // after the last member
  std::unique_ptr<z_stream_s> gzip_;
  std::vector<char> unpacked_;
};

}  // namespace lamina
#endif  // LAMINA_IMAGE_PACKED_SOURCE_H_
