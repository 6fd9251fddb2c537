// Explanation: why a path is what it is, as a value: one line for each thing that was looked at.
//
//   lookup /etc/hosts
//     upper   whiteout (char 0:0)         stop, ENOENT
//     app     not searched
//     base    regular, 20 B               hidden
//
// Of an AUFS each line begins with the branch, its index and its mode:
//
//     b0 rw     upper  whiteout (.wh.hosts)  stop, ENOENT
//
// Threads: a plain value.
#ifndef LAMINA_FACADE_EXPLANATION_H_
#define LAMINA_FACADE_EXPLANATION_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lamina/fs/file_system.h"

namespace lamina {

struct ExplainStep {
  std::string layer;             // where
  std::string outcome;           // what is there, or is done there
  std::string detail;            // what follows from it
  std::string name;              // ExplainDir: the entry it is about
  std::uint64_t bytes_read = 0;  // ExplainWrite: what the step would read and write
  std::uint64_t bytes_written = 0;
  std::string branch = {};  // "b1 ro+wh"; empty where the union is no AUFS
};

class Explanation {
 public:
  Explanation(std::string question, std::vector<ExplainStep> steps,
              absl::StatusOr<lamina::Stat> answer, std::string layer)
      : question_(std::move(question)),
        steps_(std::move(steps)),
        answer_(std::move(answer)),
        layer_(std::move(layer)) {}

  const std::string& question() const { return question_; }  // "lookup /etc/hosts"
  const std::vector<ExplainStep>& steps() const { return steps_; }
  // What the call gives: Lstat of the path (ExplainWrite: of the file), or its error.
  const absl::StatusOr<lamina::Stat>& answer() const { return answer_; }
  // The layer whose object is shown, or whose object hides the name; empty when none does.
  const std::string& layer() const { return layer_; }

  std::uint64_t bytes_read() const;     // sum over the steps
  std::uint64_t bytes_written() const;  // sum over the steps

  // The form at the top; every line ends in '\n'.
  std::string ToString() const;
  // One JSON object, {"format":"lamina-explain/1", …}. Bytes of a name that are no UTF-8 are shown
  // as \xNN, so the text is always valid.
  std::string ToJson() const;

 private:
  std::string question_;
  std::vector<ExplainStep> steps_;
  absl::StatusOr<lamina::Stat> answer_;
  std::string layer_;
};

}  // namespace lamina
#endif  // LAMINA_FACADE_EXPLANATION_H_
