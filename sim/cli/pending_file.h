// PendingFile: a file that takes its name only when it is complete; what has the name stays as it
// is until then.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_PENDING_FILE_H_
#define LAMINA_SIM_CLI_PENDING_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lamina::cli {

class PendingFile {
 public:
  // An empty file beside `target`, which is missing or a file (a symlink to one is followed).
  // Errors: kUnavailable  the host refuses. The messages are complete.
  static absl::StatusOr<PendingFile> Create(const std::string& target);

  PendingFile(PendingFile&& other) noexcept;
  PendingFile& operator=(PendingFile&& other) = delete;
  ~PendingFile();  // removes what was not kept

  const std::string& path() const { return path_; }
  // Of what has the name now; 0: nothing has.
  std::uint64_t replaced_bytes() const { return replaced_bytes_; }
  // Gives it the name, with mode and owner of what had it. Errors: kUnavailable.
  absl::Status Keep();

 private:
  PendingFile(std::string target, std::string path)
      : target_(std::move(target)), path_(std::move(path)) {}

  std::string target_;
  std::string path_;  // empty: kept, or moved from
  std::uint64_t replaced_bytes_ = 0;
};

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_PENDING_FILE_H_
