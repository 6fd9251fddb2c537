// Command: one subcommand of the lamina tool. Each lives in a file NAME_command.cc of its own,
// which registers it:
//
//   class RunCommand final : public Command { … };
//   const CommandRegistration kRun([] { return std::unique_ptr<Command>(new RunCommand); });
//
// stdout is the answer, stderr everything else.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_COMMAND_H_
#define LAMINA_SIM_CLI_COMMAND_H_

#include <memory>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace lamina::cli {

// Exit statuses of every command.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;      // an expectation, check, threshold or answer failed
inline constexpr int kExitUsage = 2;       // wrong command line
inline constexpr int kExitUnreadable = 3;  // an input cannot be read
inline constexpr int kExitErrno = 4;       // the modelled operation of a one-shot command failed
inline constexpr int kExitInvariant = 70;  // lamina itself is broken

class Command {
 public:
  virtual ~Command() = default;
  virtual std::string_view name() const = 0;
  virtual std::string_view summary() const = 0;
  // Two example command lines, each with a newline.
  virtual std::string_view examples() const = 0;
  virtual void AddOptions(CLI::App& app) = 0;
  // Returns the exit status.
  virtual int Run() = 0;
};

using CommandFactory = std::unique_ptr<Command> (*)();

// Adds a command to the tool; for constants at namespace scope.
class CommandRegistration {
 public:
  explicit CommandRegistration(CommandFactory make);
};

// Every registered command, by name.
std::vector<std::unique_ptr<Command>> MakeCommands();

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_COMMAND_H_
