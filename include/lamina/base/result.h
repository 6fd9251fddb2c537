// Result<T>: a value or an Errno. The error type of the data plane.
//
//   Result<Stat> stat = fs.GetAttr(op, node);
//   if (!stat.ok()) return stat.error();
//   Use(stat->size_bytes);
//
// Threads: a plain value.
#ifndef LAMINA_BASE_RESULT_H_
#define LAMINA_BASE_RESULT_H_

#include <optional>
#include <utility>
#include <variant>

#include "lamina/base/check.h"
#include "lamina/base/errno.h"

namespace lamina {

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Errno error) : state_(std::in_place_index<1>, error) {}

  bool ok() const { return state_.index() == 0; }

  // The value. Only when ok().
  T& operator*() & { return *checked(); }
  const T& operator*() const& { return *checked(); }
  T&& operator*() && { return std::move(*checked()); }
  T* operator->() { return checked(); }
  const T* operator->() const { return checked(); }

  // The error. Only when !ok().
  Errno error() const {
    const Errno* error = std::get_if<1>(&state_);
    LAMINA_CHECK(error != nullptr);
    return *error;
  }

 private:
  T* checked() {
    T* value = std::get_if<0>(&state_);
    LAMINA_CHECK(value != nullptr);
    return value;
  }
  const T* checked() const {
    const T* value = std::get_if<0>(&state_);
    LAMINA_CHECK(value != nullptr);
    return value;
  }

  std::variant<T, Errno> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Errno error) : error_(error) {}

  bool ok() const { return !error_.has_value(); }
  Errno error() const {
    LAMINA_CHECK(error_.has_value());
    return *error_;
  }

 private:
  std::optional<Errno> error_;
};

}  // namespace lamina
#endif  // LAMINA_BASE_RESULT_H_
