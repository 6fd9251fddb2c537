// Result<T>: a value or an Errno. The error type of the data plane.
//
//   Result<Stat> stat = fs.GetAttr(op, node);
//   if (!stat.ok()) return stat.error();
//   Use(stat->size_bytes);
//
// Threads: a plain value.
#ifndef LAMINA_BASE_RESULT_H_
#define LAMINA_BASE_RESULT_H_

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "lamina/base/check.h"
#include "lamina/base/errno.h"

namespace lamina {

namespace internal {

// What a Result holds. The value and the error are words of their own, whatever T is made of: a
// small Result travels in registers, and what is written of it is read back as it was written. (A
// word put together from narrower stores waits for all stores before it, a page of 4 KiB too.)
template <typename T>
class ResultState {
 public:
  explicit ResultState(T value) : value_(std::move(value)) {}
  explicit ResultState(Errno error) : error_(error) {}

  bool has_value() const { return value_.has_value(); }
  Errno error() const { return error_; }
  T& value() { return *value_; }
  const T& value() const { return *value_; }

 private:
  std::optional<T> value_;
  Errno error_{};
};

template <typename T>
requires std::is_trivially_copyable_v<T>
class ResultState<T> {
 public:
  explicit ResultState(T value) : value_(value) {}
  explicit ResultState(Errno error) : none_(), error_(error) {}

  bool has_value() const { return error_ == Errno{}; }
  Errno error() const { return error_; }
  T& value() { return value_; }
  const T& value() const { return value_; }

 private:
  union {
    unsigned char none_;
    T value_;
  };
  Errno error_{};
};

}  // namespace internal

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::move(value)) {}
  Result(Errno error) : state_(error) { LAMINA_CHECK(error != Errno{}); }

  bool ok() const { return state_.has_value(); }

  // The value. Only when ok().
  T& operator*() & { return *checked(); }
  const T& operator*() const& { return *checked(); }
  T&& operator*() && { return std::move(*checked()); }
  T* operator->() { return checked(); }
  const T* operator->() const { return checked(); }

  // The error. Only when !ok().
  Errno error() const {
    LAMINA_CHECK(!ok());
    return state_.error();
  }

 private:
  T* checked() {
    LAMINA_CHECK(ok());
    return std::addressof(state_.value());
  }
  const T* checked() const {
    LAMINA_CHECK(ok());
    return std::addressof(state_.value());
  }

  internal::ResultState<T> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Errno error) : error_(error) { LAMINA_CHECK(error != Errno{}); }

  bool ok() const { return error_ == Errno{}; }
  Errno error() const {
    LAMINA_CHECK(error_ != Errno{});
    return error_;
  }

 private:
  Errno error_{};  // no error is 0
};

}  // namespace lamina
#endif  // LAMINA_BASE_RESULT_H_
