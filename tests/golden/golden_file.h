// Golden files: text that is compared with a file of this folder. LAMINA_UPDATE_GOLDEN=1 rewrites
// the file instead; the difference is then reviewed like code.
#ifndef LAMINA_TESTS_GOLDEN_GOLDEN_FILE_H_
#define LAMINA_TESTS_GOLDEN_GOLDEN_FILE_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace lamina::testing {

inline void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = std::string(LAMINA_SOURCE_DIR "/tests/golden/") + name;
  if (std::getenv("LAMINA_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file.good()) << path << " is missing; LAMINA_UPDATE_GOLDEN=1 makes it";
  const std::string wanted{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(text, wanted) << "LAMINA_UPDATE_GOLDEN=1 rewrites " << path;
}

}  // namespace lamina::testing
#endif  // LAMINA_TESTS_GOLDEN_GOLDEN_FILE_H_
