#include "vfs/image/tar_input.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_format.h"
#include "lamina/base/check.h"

namespace lamina {
namespace {

constexpr std::uint64_t kRatioFreeBytes = std::uint64_t{64} << 20U;

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

la_ssize_t TarInput::Feed::Read(archive* handle, void* feed, const void** block) {
  Feed& self = *static_cast<Feed*>(feed);
  const absl::StatusOr<std::string_view> next = self.source->Next();
  if (!next.ok()) {
    self.status = next.status();
    archive_set_error(handle, EIO, "the source failed");
    return -1;
  }
  *block = next->data();
  return static_cast<la_ssize_t>(next->size());
}

TarInput::TarInput(std::unique_ptr<Feed> feed, std::uint64_t max_ratio)
    : feed_(std::move(feed)), handle_(archive_read_new()), max_ratio_(max_ratio) {
  LAMINA_CHECK(handle_ != nullptr);
  SupportBuiltIn(handle_.get(), archive_read_support_filter_zstd);
  SupportBuiltIn(handle_.get(), archive_read_support_filter_xz);
  SupportBuiltIn(handle_.get(), archive_read_support_filter_bzip2);
  archive_read_support_format_raw(handle_.get());
  archive_read_support_format_empty(handle_.get());
}

absl::StatusOr<TarInput> TarInput::Start(std::unique_ptr<PackedSource> source,
                                         std::uint64_t max_ratio) {
  auto feed = std::make_unique<Feed>();
  feed->source = std::move(source);
  TarInput input(std::move(feed), max_ratio);
  archive* handle = input.handle_.get();
  if (archive_read_open(handle, input.feed_.get(), nullptr, Feed::Read, nullptr) != ARCHIVE_OK) {
    return input.Failure();
  }
  archive_entry* whole = nullptr;
  const int found = archive_read_next_header(handle, &whole);
  if (found != ARCHIVE_OK && found != ARCHIVE_EOF) return input.Failure();
  input.end_ = found == ARCHIVE_EOF;
  return input;
}

absl::StatusOr<TarInput> TarInput::FromBytes(std::string_view bytes, std::uint64_t max_ratio) {
  return Start(PackedSource::FromBytes(bytes), max_ratio);
}

absl::StatusOr<TarInput> TarInput::FromFile(std::string_view path, std::uint64_t max_ratio) {
  absl::StatusOr<std::unique_ptr<PackedSource>> source = PackedSource::FromFile(path);
  if (!source.ok()) return source.status();
  return Start(*std::move(source), max_ratio);
}

absl::Status TarInput::Failure() const {
  if (!feed_->status.ok()) return feed_->status;
  return absl::DataLossError(absl::StrFormat("damaged: near byte %d of the packed file: %s",
                                             feed_->source->packed_bytes(),
                                             ErrorText(handle_.get())));
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
    if (read != ARCHIVE_OK) return Failure();
    rest_ = {static_cast<const char*>(block), size};
    unpacked_ += size;
  }
  const std::uint64_t packed = feed_->source->packed_bytes();
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
