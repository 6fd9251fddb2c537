// TextStyle: how text for people looks. Every colour has a letter beside it, so text without colour
// says the same.
//
// Threads: plain values and pure functions.
#ifndef LAMINA_SIM_TEXT_STYLE_H_
#define LAMINA_SIM_TEXT_STYLE_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace lamina::sim {

struct TextStyle {
  bool colour = false;  // escape sequences of a terminal, the 8 basic foreground colours
  bool ascii = false;   // no characters outside ASCII
};

// "192 KiB", "5 B": exact when it divides, else one decimal.
std::string SizeText(std::uint64_t size_bytes);

// `text` on one line: control characters as \xHH.
std::string OneLine(std::string_view text);

// `text` in the colour of the branch called `label`: the upper or b0, then three that repeat.
std::string Painted(const TextStyle& style, std::string_view label, std::string_view text);

// `text` in bold or dim.
std::string Emphasized(const TextStyle& style, std::string_view text);
std::string Dimmed(const TextStyle& style, std::string_view text);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_TEXT_STYLE_H_
