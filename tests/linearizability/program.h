// Program: what each of several threads does with the tree of a Scene; and running it.
//
// Threads: RunProgram makes its own and waits for them.
#ifndef LAMINA_TESTS_LINEARIZABILITY_PROGRAM_H_
#define LAMINA_TESTS_LINEARIZABILITY_PROGRAM_H_

#include <cstdint>
#include <vector>

#include "lamina/fs/file_system.h"
#include "tests/linearizability/history.h"
#include "tests/store/split_mix.h"

namespace lamina::sim {

// The calls of each thread, in their order.
using Program = std::vector<std::vector<ModelOperation>>;

// 2 to 4 threads with 3 to 6 calls each; `renames` in ten of them are renames.
Program DrawProgram(SplitMix64& random, std::uint64_t renames);

// Runs the threads of the program against `fs`, which is in the state of a fresh Scene, and
// afterwards looks at everything, by calls that are the last of the history. `seed` says where
// threads pause.
History RunProgram(const Program& program, FileSystem& fs, std::uint64_t seed);

}  // namespace lamina::sim
#endif  // LAMINA_TESTS_LINEARIZABILITY_PROGRAM_H_
