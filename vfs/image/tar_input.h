// TarInput: the unpacked bytes of a tar, one after the other, whatever it was packed with.
// libarchive unpacks; the tar format itself is read by TarReader.
//
// Threads: belongs to one thread.
#ifndef LAMINA_IMAGE_TAR_INPUT_H_
#define LAMINA_IMAGE_TAR_INPUT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct archive;

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

  TarInput(Handle handle, std::uint64_t max_ratio)
      : handle_(std::move(handle)), max_ratio_(max_ratio) {}
  static Handle NewHandle();
  // After the open call gave `opened`: finds the packing. Errors: DataLoss.
  static absl::StatusOr<TarInput> Start(Handle handle, std::uint64_t max_ratio);
  // Makes `rest_` non-empty, or sets `end_`.
  absl::Status Fill();

  Handle handle_;
  std::uint64_t max_ratio_;
  std::uint64_t position_ = 0;
  std::string_view rest_;  // unpacked by libarchive, not read yet
  std::uint64_t unpacked_ = 0;
  bool end_ = false;
};

}  // namespace lamina
#endif  // LAMINA_IMAGE_TAR_INPUT_H_
