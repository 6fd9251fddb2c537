// Why a device-mapper table is refused, or what was made of it.
//
// Threads: plain values.
#ifndef LAMINA_BLOCK_TABLE_RESULT_H_
#define LAMINA_BLOCK_TABLE_RESULT_H_

#include <string>
#include <utility>
#include <variant>

#include "lamina/base/errno.h"

namespace lamina {

// Why a table is refused: the errno that the load fails with, and a sentence for a person.
struct TableError {
  Errno error{};
  std::string message;
};

// A value, or why there is none.
template <typename T>
class [[nodiscard]] TableResult {
 public:
  TableResult(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  TableResult(TableError error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  // Only when ok().
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  // Only when !ok().
  Errno error() const { return std::get<1>(state_).error; }
  const std::string& message() const { return std::get<1>(state_).message; }
  const TableError& failure() const { return std::get<1>(state_); }

 private:
  std::variant<T, TableError> state_;
};

}  // namespace lamina
#endif  // LAMINA_BLOCK_TABLE_RESULT_H_
