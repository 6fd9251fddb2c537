#include "sim/cli/command.h"

#include <algorithm>

namespace lamina::cli {
namespace {

std::vector<CommandFactory>& Factories() {
  static std::vector<CommandFactory>* const factories = new std::vector<CommandFactory>;
  return *factories;
}

}  // namespace

CommandRegistration::CommandRegistration(CommandFactory make) { Factories().push_back(make); }

std::vector<std::unique_ptr<Command>> MakeCommands() {
  std::vector<std::unique_ptr<Command>> commands;
  for (CommandFactory make : Factories()) commands.push_back(make());
  std::sort(commands.begin(), commands.end(),
            [](const auto& a, const auto& b) { return a->name() < b->name(); });
  return commands;
}

}  // namespace lamina::cli
