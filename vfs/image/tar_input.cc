#include "vfs/image/tar_input.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_format.h"
#include "lamina/base/check.h"

namespace lamina {
namespace {

constexpr std::uint64_t kRatioFreeBytes = std::uint64_t{64} << 20U;
constexpr std::size_t kReadBlockBytes = 64 * 1024;

std::string ErrorText(archive* handle) {
  const char* text = archive_error_string(handle);
  return text == nullptr ? "unknown error" : text;
}

// Turns a packing on when libarchive has it built in: otherwise it would run an external program.
void SupportBuiltIn(archive* handle, int (*support)(archive*)) {
  archive* probe = archive_read_new();
  LAMINA_CHECK(probe != nullptr);
  const bool built_in = support(probe) == ARCHIVE_OK;
  archive_read_free(probe);
  if (built_in) support(handle);
}

}  // namespace

void TarInput::Free::operator()(archive* handle) const { archive_read_free(handle); }

TarInput::Handle TarInput::NewHandle() {
  Handle handle(archive_read_new());
  LAMINA_CHECK(handle != nullptr);
  SupportBuiltIn(handle.get(), archive_read_support_filter_gzip);
  SupportBuiltIn(handle.get(), archive_read_support_filter_zstd);
  SupportBuiltIn(handle.get(), archive_read_support_filter_xz);
  SupportBuiltIn(handle.get(), archive_read_support_filter_bzip2);
  archive_read_support_format_raw(handle.get());
  archive_read_support_format_empty(handle.get());
  return handle;
}

absl::StatusOr<TarInput> TarInput::Start(Handle handle, std::uint64_t max_ratio) {
  archive_entry* whole = nullptr;
  const int found = archive_read_next_header(handle.get(), &whole);
  if (found != ARCHIVE_OK && found != ARCHIVE_EOF) {
    return absl::DataLossError(absl::StrFormat("cannot unpack: %s", ErrorText(handle.get())));
  }
  TarInput input(std::move(handle), max_ratio);
  input.end_ = found == ARCHIVE_EOF;
  return input;
}

absl::StatusOr<TarInput> TarInput::FromBytes(std::string_view bytes, std::uint64_t max_ratio) {
  Handle handle = NewHandle();
  if (archive_read_open_memory(handle.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
    return absl::DataLossError(absl::StrFormat("cannot unpack: %s", ErrorText(handle.get())));
  }
  return Start(std::move(handle), max_ratio);
}

absl::StatusOr<TarInput> TarInput::FromFile(std::string_view path, std::uint64_t max_ratio) {
  Handle handle = NewHandle();
  const std::string name(path);
  if (archive_read_open_filename(handle.get(), name.c_str(), kReadBlockBytes) != ARCHIVE_OK) {
    return absl::NotFoundError(absl::StrFormat("cannot open: %s", ErrorText(handle.get())));
  }
  return Start(std::move(handle), max_ratio);
}

absl::Status TarInput::Fill() {
  const void* block = nullptr;
  std::size_t size = 0;
  std::int64_t offset = 0;
  while (rest_.empty() && !end_) {
    const int read = archive_read_data_block(handle_.get(), &block, &size, &offset);
    if (read == ARCHIVE_EOF) {
      end_ = true;
      break;
    }
    if (read != ARCHIVE_OK) {
      return absl::DataLossError(
          absl::StrFormat("cannot unpack after byte %d of the packed file: %s",
                          archive_filter_bytes(handle_.get(), -1), ErrorText(handle_.get())));
    }
    rest_ = {static_cast<const char*>(block), size};
    unpacked_ += size;
  }
  const auto packed = static_cast<std::uint64_t>(archive_filter_bytes(handle_.get(), -1));
  if (unpacked_ > kRatioFreeBytes && packed > 0 && unpacked_ / packed > max_ratio_) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("unpacks to more than %d times its size (max_ratio)", max_ratio_));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> TarInput::Read(char* into, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    if (rest_.empty()) {
      if (absl::Status filled = Fill(); !filled.ok()) return filled;
      if (rest_.empty()) break;
    }
    const std::size_t part = std::min(size - done, rest_.size());
    std::memcpy(into + done, rest_.data(), part);
    rest_.remove_prefix(part);
    done += part;
    position_ += part;
  }
  return done;
}

absl::StatusOr<std::uint64_t> TarInput::Skip(std::uint64_t size) {
  std::uint64_t done = 0;
  while (done < size) {
    if (rest_.empty()) {
      if (absl::Status filled = Fill(); !filled.ok()) return filled;
      if (rest_.empty()) break;
    }
    const std::uint64_t part = std::min<std::uint64_t>(size - done, rest_.size());
    rest_.remove_prefix(part);
    done += part;
    position_ += part;
  }
  return done;
}

}  // namespace lamina
