#include "sim/cli/input_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_format.h"

namespace lamina::cli {

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrFormat("%s: %s", path, std::strerror(errno)));
  }
  return InputFile(path, file);
}

absl::StatusOr<std::string> InputFile::Read(std::uint64_t max_bytes) {
  std::string text;
  std::array<char, 1U << 16U> piece{};
  while (text.size() < max_bytes) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), max_bytes - text.size()));
    const std::size_t got = std::fread(piece.data(), 1, wanted, file_.get());
    text.append(piece.data(), got);
    if (got < wanted) break;
  }
  if (std::ferror(file_.get()) != 0) {
    return absl::NotFoundError(absl::StrFormat("%s: %s", path_, std::strerror(errno)));
  }
  return text;
}

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  return file->Read(std::numeric_limits<std::uint64_t>::max());
}

}  // namespace lamina::cli
