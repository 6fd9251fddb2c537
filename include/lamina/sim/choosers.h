// The Choosers beside RandomChooser: every sequence of choices, one that was recorded, one that a
// fuzzer wrote.
//
//   ExhaustiveChooser chooser;                        // all ways through Run, depth first
//   do {
//     Run(chooser);                                   // same choices, same questions
//   } while (chooser.Next());
//
//   RecordingChooser recorder(random);  Run(recorder);
//   puts(ChoicesText(recorder.choices()).c_str());    // "3,0,7": the line of a bug report
//   ReplayChooser replay(*ParseChoices("3,0,7"));  Run(replay);
//
// Threads: belong to one simulation.
#ifndef LAMINA_SIM_CHOOSERS_H_
#define LAMINA_SIM_CHOOSERS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/base/bytes.h"
#include "lamina/sim/chooser.h"

namespace lamina::sim {

using Choices = std::vector<std::uint64_t>;

// Every sequence of choices, in the order of counting: the last choice changes first.
class ExhaustiveChooser final : public Chooser {
 public:
  // The same choices so far must lead to the same bound as in the run before.
  std::uint64_t Choose(std::uint64_t bound) override;

  // Ends a run and prepares the next one; false when that was the last. Must be called when the run
  // has made as many choices as it repeats of the run before.
  bool Next();

  std::uint64_t runs() const { return runs_; }  // begun so far, the present one included
  Choices choices() const;                      // of the present run

 private:
  struct Fork {
    std::uint64_t taken = 0;
    std::uint64_t bound = 1;
  };
  std::vector<Fork> forks_;
  std::size_t used_ = 0;  // forks the present run has passed
  std::uint64_t runs_ = 1;
};

// Passes the choices of another on and remembers them.
class RecordingChooser final : public Chooser {
 public:
  explicit RecordingChooser(Chooser& source) : source_(source) {}
  std::uint64_t Choose(std::uint64_t bound) override;
  const Choices& choices() const { return choices_; }

 private:
  Chooser& source_;  // not owned
  Choices choices_;
};

// Gives recorded choices again. When the program has changed since, a recorded choice may be too
// large (it is taken modulo the bound) or missing (0): the run goes on and `faithful` is false.
class ReplayChooser final : public Chooser {
 public:
  explicit ReplayChooser(Choices choices) : choices_(std::move(choices)) {}
  std::uint64_t Choose(std::uint64_t bound) override;
  // Every choice so far was one that was recorded, and none is left.
  bool faithful() const { return faithful_ && used_ == choices_.size(); }

 private:
  Choices choices_;
  std::size_t used_ = 0;
  bool faithful_ = true;
};

// Choices from the bytes of a fuzzer: as few bytes a choice as its bound needs (none for 1), lowest
// byte first, modulo the bound. 0 when the bytes are used up.
class BytesChooser final : public Chooser {
 public:
  explicit BytesChooser(Bytes bytes) : rest_(bytes) {}
  std::uint64_t Choose(std::uint64_t bound) override;
  bool exhausted() const { return rest_.empty(); }

 private:
  Bytes rest_;  // not owned
};

// "3,0,7"; "" for none.
std::string ChoicesText(const Choices& choices);
// The reverse. Nothing: not such a text, or a number over 64 bits.
std::optional<Choices> ParseChoices(std::string_view text);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_CHOOSERS_H_
