// Style options of a command: --color and --ascii. Colour is used when stdout is a terminal,
// NO_COLOR is unset and TERM is not dumb; --color=always or never wins.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_STYLE_H_
#define LAMINA_SIM_CLI_STYLE_H_

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lamina/sim/text_style.h"

namespace lamina::cli {

class StyleOptions {
 public:
  void AddTo(CLI::App& app) {
    app.add_option("--color", colour_, "when to colour")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->capture_default_str();
    app.add_flag("--ascii", ascii_, "no characters outside ASCII");
  }

  sim::TextStyle style() const {
    sim::TextStyle style;
    style.ascii = ascii_;
    style.colour = colour_ == "always" || (colour_ == "auto" && SuitsTerminal());
    return style;
  }

 private:
  static bool SuitsTerminal() {
    const char* no_colour = std::getenv("NO_COLOR");
    if (no_colour != nullptr && *no_colour != '\0') return false;
    const char* terminal = std::getenv("TERM");
    if (terminal == nullptr || std::string_view(terminal) == "dumb") return false;
    return isatty(STDOUT_FILENO) == 1;
  }

  std::string colour_ = "auto";
  bool ascii_ = false;
};

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_STYLE_H_
