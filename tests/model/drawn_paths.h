// Paths to draw calls from: what a view shows, and names that are free, odd or nowhere.
//
// Threads: pure functions.
#ifndef LAMINA_TESTS_MODEL_DRAWN_PATHS_H_
#define LAMINA_TESTS_MODEL_DRAWN_PATHS_H_

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "sim/model/view.h"

namespace lamina::sim {

using Choose = std::function<int(int count)>;  // one of 0 … count - 1

template <typename T, std::size_t N>
const T& OneOf(const std::array<T, N>& values, const Choose& choose) {
  return values.at(static_cast<std::size_t>(choose(static_cast<int>(N))));
}

const std::string& OneOf(const std::vector<std::string>& values, const Choose& choose);

// What a view shows, by what one wants to do with it.
struct Shown {
  std::vector<std::string> all;          // without "/", unless there is nothing else
  std::vector<std::string> directories;  // with "/"
  std::vector<std::string> files;
  std::vector<std::string> symlinks;
  std::vector<std::string> others;  // everything but directories
};

Shown ShownBy(const ModelView& view);

std::string DrawName(const Choose& choose);
// A name in a directory that is there.
std::string DrawFreePath(const Shown& shown, const Choose& choose);
// Most often one that is there.
std::string DrawPath(const Shown& shown, const Choose& choose);
// Most often one that is not.
std::string DrawNewPath(const Shown& shown, const Choose& choose);
// One of `wanted` most of the time.
std::string DrawPathLike(const std::vector<std::string>& wanted, const Shown& shown,
                         const Choose& choose);

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_MODEL_DRAWN_PATHS_H_
