// The lamina tool: finds the command, parses its options, runs it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/cli/answer.h"
#include "sim/cli/command.h"

namespace lamina::cli {
namespace {

// Edits (insert, delete, replace) between two words.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

int UnknownCommand(const std::vector<std::unique_ptr<Command>>& commands, const std::string& name) {
  std::string_view nearest;
  std::size_t least = 3;  // further away it is no typing error
  for (const auto& command : commands) {
    const std::size_t distance = Distance(name, command->name());
    if (distance >= least) continue;
    least = distance;
    nearest = command->name();
  }
  std::fprintf(stderr, "lamina: no command '%s'", name.c_str());
  if (!nearest.empty()) {
    std::fprintf(stderr, "; did you mean '%.*s'?", static_cast<int>(nearest.size()),
                 nearest.data());
  }
  std::fputs("\n", stderr);
  return kExitUsage;
}

void PrintCommandHelp(const Command& command, const CLI::App& app) {
  const std::string_view examples = command.examples();
  std::printf("%.*s\n%s", static_cast<int>(examples.size()), examples.data(),
              app.help("", CLI::AppFormatMode::Sub).c_str());
}

// Says why the command line cannot be read; as a document when it asks for one.
int Refuse(const CLI::App& app, const CLI::ParseError& error,
           const std::vector<std::string>& words) {
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  if (!json || error.get_exit_code() == 0) return app.exit(error) == 0 ? kExitDone : kExitUsage;
  Answer answer(words.front().starts_with('-') ? "lamina/1" : "lamina-" + words.front() + "/1");
  answer.json = true;
  return answer.Complain(absl::InvalidArgumentError(error.what()), kExitUsage);
}

int Main(int argc, char** argv) {
  const std::vector<std::unique_ptr<Command>> commands = MakeCommands();
  CLI::App app("lamina: layered storage, modelled in memory", "lamina");
  app.require_subcommand(1);
  std::vector<CLI::App*> parts;
  for (const auto& command : commands) {
    CLI::App* part =
        app.add_subcommand(std::string(command->name()), std::string(command->summary()));
    command->AddOptions(*part);
    parts.push_back(part);
  }
  std::string topic;
  CLI::App* help = app.add_subcommand("help", "examples and options of a command");
  help->add_option("COMMAND", topic);

  const auto known = [&](const std::string& name) {
    return std::any_of(commands.begin(), commands.end(),
                       [&](const auto& command) { return command->name() == name; });
  };
  if (argc > 1 && argv[1][0] != '-' && std::string_view(argv[1]) != "help" && !known(argv[1])) {
    return UnknownCommand(commands, argv[1]);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Refuse(app, error, std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
  }
  if (help->parsed()) {
    if (topic.empty()) {
      std::fputs(app.help().c_str(), stdout);
      return kExitDone;
    }
    if (!known(topic)) return UnknownCommand(commands, topic);
  }
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (help->parsed() && commands[i]->name() == topic) PrintCommandHelp(*commands[i], *parts[i]);
    if (parts[i]->parsed()) return commands[i]->Run();
  }
  return kExitDone;
}

// An answer that did not reach its reader is no answer: a full disk must not look like success.
int AfterAnswer(int exit_status) {
  errno = 0;
  const bool failed = std::ferror(stdout) != 0;
  if (std::fflush(stdout) == 0 && !failed) return exit_status;
  std::fprintf(stderr, "lamina: standard output: %s\n",
               errno == 0 ? "not everything was written" : std::strerror(errno));
  return exit_status == kExitDone ? kExitErrno : exit_status;
}

}  // namespace
}  // namespace lamina::cli

int main(int argc, char** argv) { return lamina::cli::AfterAnswer(lamina::cli::Main(argc, argv)); }
