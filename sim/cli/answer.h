// The two ways a command speaks: the answer to stdout, complaints to stderr; with --json one
// document to stdout in both cases.
//
// Threads: the tool has one.
#ifndef LAMINA_SIM_CLI_ANSWER_H_
#define LAMINA_SIM_CLI_ANSWER_H_

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "sim/cli/command.h"

namespace lamina::cli {

using Json = nlohmann::ordered_json;

class Answer {
 public:
  // `format` names the JSON documents: "lamina-tree/1".
  explicit Answer(std::string_view format) : format_(format) {}

  bool json = false;  // --json

  static void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

  // Prints `document` with the format in front. Bytes that are no UTF-8 are replaced.
  void PrintJson(const Json& document) const {
    Json whole = {{"format", format_}};
    whole.update(document);
    Print(whole.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
  }

  // Says what is wrong, and returns `exit_status`.
  int Complain(const absl::Status& status, int exit_status) const {
    const std::string message(status.message());
    if (json) {
      PrintJson({{"error", {{"message", message}}}});
    } else {
      std::fprintf(stderr, "%s\n", message.c_str());
    }
    return exit_status;
  }

 private:
  std::string format_;
};

}  // namespace lamina::cli
#endif  // LAMINA_SIM_CLI_ANSWER_H_
