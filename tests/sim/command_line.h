// CommandLineTest: the lamina command as a user types it, with a scenario file of the test's own.
//
// Threads: one.
#ifndef LAMINA_TESTS_SIM_COMMAND_LINE_H_
#define LAMINA_TESTS_SIM_COMMAND_LINE_H_

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace lamina {

struct Ended {
  int status = -1;
  std::string out;  // stdout
};

class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
    file_ = std::filesystem::path(::testing::TempDir()) /
            (std::string(test.test_suite_name()) + '_' + test.name() + ".scn");
  }
  ~CommandLineTest() override { std::filesystem::remove(file_); }

  void Write(const std::string& scenario) const { std::ofstream(file_) << scenario; }

  // `arguments` and `errors` are the shell's.
  static Ended Run(const std::string& arguments, const std::string& errors = "2>/dev/null") {
    const std::string line = LAMINA_BINARY_DIR "/bin/lamina " + arguments + ' ' + errors;
    Ended ended;
    std::FILE* pipe = popen(line.c_str(), "r");
    if (pipe == nullptr) return ended;
    std::array<char, 4096> piece{};
    while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), pipe)) {
      ended.out.append(piece.data(), got);
    }
    const int status = pclose(pipe);
    if (WIFEXITED(status)) ended.status = WEXITSTATUS(status);
    return ended;
  }

  std::filesystem::path file_;
};

}  // namespace lamina
#endif  // LAMINA_TESTS_SIM_COMMAND_LINE_H_
