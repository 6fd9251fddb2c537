// Replay: the scenario of one historic bug, run to its end (sim/scenario). The text is the kernel
// oracle's language with an expectation after each operation, so ask_kernel.py can give the same
// text to a kernel.
//
//   const Replay replay(R"(
//     layer lower
//       put /f 0644 "f"
//     layer upper
//     stack lower upper
//     mount
//       unlink /f   -> OK
//       readdir /   -> []
//   )");
//   EXPECT_EQ(replay.Broken(), "");
//   EXPECT_THAT(replay.Layer("upper"), Shows("f whiteout"));
//
// Threads: one. Lifetime: the views end with the Replay.
#ifndef LAMINA_TESTS_HISTORY_REPLAY_H_
#define LAMINA_TESTS_HISTORY_REPLAY_H_

#include <memory>
#include <string>
#include <string_view>

#include "lamina/facade/tree_view.h"
#include "lamina/sim/scenario.h"

namespace lamina::testing {

class Replay {
 public:
  // `text`: version 2 of the language, without the line that says so.
  explicit Replay(std::string_view text);
  ~Replay();

  // What must hold of every history, a line for each that does not:
  //   the text can be read and run
  //   each operation after the first mount has an expectation, and it held
  //   the lowers are what they were
  //   no mount left a temporary in its work directory
  const std::string& Broken() const { return broken_; }

  // What the mount shows at the end; an empty tree, and a failure, when nothing is mounted.
  TreeView Merged() const;
  TreeView Layer(std::string_view name) const;

 private:
  void Run();
  void Complain(std::string_view what);
  void LookForTemporaries(const sim::ScenarioMount& mount);

  sim::Scenario scenario_;
  std::unique_ptr<sim::ScenarioRun> run_;
  std::string broken_;
  std::unique_ptr<MemFs> nothing_;
};

}  // namespace lamina::testing
#endif  // LAMINA_TESTS_HISTORY_REPLAY_H_
