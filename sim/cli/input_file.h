// Files of the command line, read whole.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_INPUT_FILE_H_
#define LAMINA_SIM_CLI_INPUT_FILE_H_

#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace lamina::cli {

// A file that is open for reading; "-" is standard input. Moves, and closes at the end.
class InputFile {
 public:
  // Errors: kNotFound the file cannot be opened. The message is complete.
  static absl::StatusOr<InputFile> Open(const std::string& path);

  // The next `max_bytes`, fewer at the end of the file.
  // Errors: kNotFound the file cannot be read. The message is complete.
  absl::StatusOr<std::string> Read(std::uint64_t max_bytes);

 private:
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };

  InputFile(const std::string& path, std::FILE* file) : path_(path), file_(file) {}

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

// All of a file. Errors: as InputFile.
absl::StatusOr<std::string> ReadInput(const std::string& path);

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_INPUT_FILE_H_
