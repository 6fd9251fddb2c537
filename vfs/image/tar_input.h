// TarInput: the unpacked bytes of a tar, one after the other, whatever it was packed with.
// PackedSource unpacks gzip, libarchive the rest; the tar format itself is read by TarReader.
//
// Threads: belongs to one thread.
#ifndef LAMINA_IMAGE_TAR_INPUT_H_
#define LAMINA_IMAGE_TAR_INPUT_H_

#include <archive.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "vfs/image/packed_source.h"

namespace lamina {

class TarInput {
 public:
  // `bytes` must outlive the input. `max_ratio` as in LayerTarLimits.
  static absl::StatusOr<TarInput> FromBytes(std::string_view bytes, std::uint64_t max_ratio);
  // Errors: NotFound the host cannot open `path`.
  static absl::StatusOr<TarInput> FromFile(std::string_view path, std::uint64_t max_ratio);

  // Reads exactly `size` bytes, fewer only at the end of the input. Bytes read.
  // Errors: DataLoss the packing is damaged; ResourceExhausted over the ratio.
  absl::StatusOr<std::size_t> Read(char* into, std::size_t size);
  // Moves over `size` bytes, fewer only at the end of the input. Bytes passed. Errors as Read.
  absl::StatusOr<std::uint64_t> Skip(std::uint64_t size);

  // Unpacked bytes read so far.
  std::uint64_t position() const { return position_; }

 private:
  struct Free {
    void operator()(archive* handle) const;
  };
  using Handle = std::unique_ptr<archive, Free>;

  // What libarchive reads from. It stays where it is when the TarInput is moved.
  struct Feed {
    std::unique_ptr<PackedSource> source;
    absl::Status status;  // the first error of the source
    static la_ssize_t Read(archive* handle, void* feed, const void** block);
  };

  TarInput(std::unique_ptr<Feed> feed, std::uint64_t max_ratio);
  // Finds the packing. Errors: DataLoss.
  static absl::StatusOr<TarInput> Start(std::unique_ptr<PackedSource> source,
                                        std::uint64_t max_ratio);
  // Why libarchive stopped. DataLoss.
  absl::Status Failure() const;
  // Makes `rest_` non-empty, or sets `end_`.
  absl::Status Fill();

  std::unique_ptr<Feed> feed_;
  Handle handle_;  // reads from `feed_`
  std::uint64_t max_ratio_;
  std::uint64_t position_ = 0;
  std::string_view rest_;  // unpacked by libarchive, not read yet
  std::uint64_t unpacked_ = 0;
  bool end_ = false;
};

}  // namespace lamina
#endif  // LAMINA_IMAGE_TAR_INPUT_H_
