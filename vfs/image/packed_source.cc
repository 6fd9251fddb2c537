#include "vfs/image/packed_source.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "lamina/base/check.h"

namespace lamina {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr int kGzipWindow = 15 + 16;  // zlib: the largest window, gzip's header and trailer
constexpr char kGzipFirst = '\x1f';
constexpr char kGzipSecond = '\x8b';

}  // namespace

std::unique_ptr<PackedSource> PackedSource::FromBytes(std::string_view bytes) {
  std::unique_ptr<PackedSource> source(new PackedSource);
  source->rest_ = bytes;
  source->packed_bytes_ = bytes.size();
  source->end_ = true;
  return source;
}

absl::StatusOr<std::unique_ptr<PackedSource>> PackedSource::FromFile(std::string_view path) {
  std::unique_ptr<PackedSource> source(new PackedSource);
  source->file_.reset(std::fopen(std::string(path).c_str(), "rbe"));
  if (source->file_ == nullptr) {
    return absl::NotFoundError(absl::StrFormat("cannot be opened: %s", std::strerror(errno)));
  }
  source->read_buffer_.resize(kBlockBytes);
  return source;
}

PackedSource::~PackedSource() {
  if (gzip_ != nullptr) ::inflateEnd(gzip_.get());
}

absl::Status PackedSource::Fill() {
  if (!rest_.empty() || end_) return absl::OkStatus();
  const std::size_t size = std::fread(read_buffer_.data(), 1, read_buffer_.size(), file_.get());
  if (std::ferror(file_.get()) != 0) {
    return absl::DataLossError(absl::StrFormat("cannot be read: %s", std::strerror(errno)));
  }
  rest_ = {read_buffer_.data(), size};
  packed_bytes_ += size;
  end_ = size == 0;
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> PackedSource::Next() {
  if (absl::Status filled = Fill(); !filled.ok()) return filled;
  if (!started_) {
    started_ = true;
    if (rest_.size() >= 2 && rest_[0] == kGzipFirst && rest_[1] == kGzipSecond) {
      gzip_ = std::make_unique<z_stream_s>();
      LAMINA_CHECK(::inflateInit2(gzip_.get(), kGzipWindow) == Z_OK);
      unpacked_.resize(kBlockBytes);
    }
  }
  if (gzip_ != nullptr) return Inflate();
  return std::exchange(rest_, {});
}

absl::StatusOr<std::string_view> PackedSource::Inflate() {
  z_stream& stream = *gzip_;
  stream.next_out = reinterpret_cast<Bytef*>(unpacked_.data());
  stream.avail_out = static_cast<uInt>(unpacked_.size());
  while (!finished_ && stream.avail_out == unpacked_.size()) {
    if (absl::Status filled = Fill(); !filled.ok()) return filled;
    if (rest_.empty()) return absl::DataLossError("truncated: gzip ends without its checksum");
    const std::size_t part = std::min(rest_.size(), std::size_t{1} << 30U);      // uInt is 32 bits
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));  // zlib only reads
    stream.avail_in = static_cast<uInt>(part);
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    rest_.remove_prefix(part - stream.avail_in);
    if (result == Z_STREAM_END) {
      const absl::StatusOr<bool> more = NextMember();
      if (!more.ok()) return more.status();
      finished_ = !*more;
      continue;
    }
    if (result == Z_OK || result == Z_BUF_ERROR) continue;
    return absl::DataLossError(
        absl::StrFormat("damaged: gzip near byte %d of the packed file: %s", packed_bytes(),
                        stream.msg == nullptr ? "cannot be unpacked" : stream.msg));
  }
  return std::string_view(unpacked_.data(), unpacked_.size() - stream.avail_out);
}

absl::StatusOr<bool> PackedSource::NextMember() {
  if (absl::Status filled = Fill(); !filled.ok()) return filled;
  if (rest_.empty() || rest_[0] != kGzipFirst) return false;
  LAMINA_CHECK(::inflateReset(gzip_.get()) == Z_OK);
  return true;
}

}  // namespace lamina
