// Operation: a row of the operation table: a name, the arguments it takes, what it does.
//
// Threads: the table is constant.
#ifndef LAMINA_SIM_SCENARIO_OPERATION_H_
#define LAMINA_SIM_SCENARIO_OPERATION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "lamina/base/result.h"
#include "sim/scenario/arguments.h"

namespace lamina::sim::internal {

class World;

// What a call answered. Built from whatever the body of an operation has at hand.
class Outcome {
 public:
  Outcome(Result<void> result) {
    if (!result.ok()) error_ = result.error();
  }
  Outcome(Result<std::string> result) {
    if (result.ok()) {
      value_ = *std::move(result);
    } else {
      error_ = result.error();
    }
  }
  Outcome(Errno error) : error_(error) {}
  Outcome(std::string value) : value_(std::move(value)) {}
  // The scenario itself is wrong, as only running it shows; the message says what.
  Outcome(absl::Status malformed) : malformed_(std::move(malformed)) {}

  // OK, a value, or the name of the errno.
  std::string text() const {
    if (error_) return std::string(ErrnoName(*error_));
    return value_;
  }
  const std::optional<Errno>& error() const { return error_; }
  const absl::Status& malformed() const { return malformed_; }

 private:
  std::string value_ = "OK";
  std::optional<Errno> error_;
  absl::Status malformed_;
};

// The arguments of a call and where it works.
struct Call {
  World& world;
  const Statement& statement;
  Process* process;  // the target; null when the operation runs without one

  bool has(std::size_t i) const { return i < statement.args.size(); }
  const std::string& text(std::size_t i) const { return statement.args[i].text; }
  std::int64_t number(std::size_t i) const { return statement.args[i].number; }
  std::int64_t number(std::size_t i, std::int64_t otherwise) const {
    return has(i) ? number(i) : otherwise;
  }
  std::uint16_t mode(std::size_t i, std::uint16_t otherwise) const {
    return static_cast<std::uint16_t>(number(i, otherwise));
  }
};

enum class OperationClass : std::uint8_t {
  kSilent,    // changes the surroundings, prints nothing
  kPrinted,   // prints `L<line> <text> = <result>`
  kSpeaking,  // prints its own lines
  kFile,      // works on the target; set-up when that is a layer before the first mount
  kDevice,    // works on a device: printed and counted like a file operation
  kBlock,     // repeat, end, rand: gone after parsing
  kForeign,   // of the language, not supported here
};

// The arguments an operation takes: `least` to `most`, the last kind repeated if asked.
struct Signature {
  std::size_t least = 0;
  std::size_t most = 0;
  bool repeats = false;
  std::array<ArgumentKind, 5> kinds{};

  ArgumentKind kind(std::size_t i) const { return kinds[i < most ? i : most - 1]; }
};

template <typename... Kinds>
constexpr Signature Takes(std::size_t least, Kinds... kinds) {
  return {least, sizeof...(kinds), false, {kinds...}};
}
template <typename... Kinds>
constexpr Signature TakesMany(std::size_t least, Kinds... kinds) {
  return {least, sizeof...(kinds), true, {kinds...}};
}

struct Operation {
  std::string_view name;
  OperationClass kind = OperationClass::kFile;
  Signature signature;
  Outcome (*run)(const Call& call) = nullptr;
  bool without_target = false;  // also runs after a mount that failed
  int version = 1;              // of the language, from which on it exists
  // A check of all arguments together: what is wrong and the index of the argument, if any.
  std::optional<std::pair<std::size_t, std::string>> (*check)(
      const ArgumentRules& rules, const std::vector<ScenarioArgument>& args) = nullptr;
};

std::span<const Operation> ControlOperations();
std::span<const Operation> PathOperations();
std::span<const Operation> HandleOperations();
std::span<const Operation> DeviceOperations();

// The row called `name`; null when there is none.
const Operation* FindOperation(std::string_view name);

// Is it a row of DeviceOperations?
bool WorksOnDevices(const Operation& operation);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_OPERATION_H_
