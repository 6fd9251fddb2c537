// Content arguments: the bytes an operation writes, spelled out or described.
//
//   "text"   fill:C:LEN   hex:HH..   pat:SEED:LEN  (byte i = (SEED*31 + i*7 + (i>>8)) & 255)
//
// Threads: pure functions.
#ifndef LAMINA_SIM_SCENARIO_CONTENT_H_
#define LAMINA_SIM_SCENARIO_CONTENT_H_

#include <string>
#include <string_view>

#include "sim/scenario/arguments.h"

namespace lamina::sim::internal {

// What is wrong with a content argument; empty when nothing is.
std::string CheckContent(const ArgumentRules& rules, std::string_view text);

}  // namespace lamina::sim::internal
#endif  // LAMINA_SIM_SCENARIO_CONTENT_H_
