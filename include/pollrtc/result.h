// Result<T, E>: a value or an error, for code without exceptions.
//
// The names are those of std::expected, which gcc 12 and clang 14 lack in C++20 mode, so that this can become
// an alias.
//
//   Result<int> parse(std::string_view text);
//   if (auto n = parse("12")) use(*n); else report(n.error());
#pragma once

#include <cstdlib>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "pollrtc/error.h"

namespace pollrtc {

// What a function returns to say that it failed: `return Unexpected{error};`.
template <class E>
struct Unexpected {
  E error;  // why
};
template <class E>
// `Unexpected{error}` needs no type.
Unexpected(E)->Unexpected<E>;

// A value or an error; see the top of this file.
template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  // As in std::expected:
  using value_type = T;
  using error_type = E;

  template <class U = T>
  requires(std::is_constructible_v<T, U&&> && !std::is_same_v<std::remove_cvref_t<U>, Result>)
      Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}  // NOLINT: conversions are the point
  template <class F>
  // No value, for that reason.
  requires std::is_constructible_v<E, F> Result(Unexpected<F> failure)
      : state_(std::in_place_index<1>, std::move(failure.error)) {}

  // True: operator* has the value. False: error() has the reason.
  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }  // as has_value()

  // Only when has_value(); else the program is wrong, and stops at a null pointer rather than going on with
  // garbage.
  T& operator*() & { return *std::get_if<0>(&state_); }
  // As above.
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  // As above.
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  // As operator*.
  T* operator->() { return std::get_if<0>(&state_); }
  // As operator*.
  const T* operator->() const { return std::get_if<0>(&state_); }
  // Only when !has_value(); else the program is wrong, and ends here.
  const E& error() const {
    if (has_value()) std::abort();
    return *std::get_if<1>(&state_);
  }

  // The value, or `other` where there is none.
  template <class U>
  T value_or(U&& other) const {
    return has_value() ? **this : static_cast<T>(std::forward<U>(other));
  }

 private:
  std::variant<T, E> state_;
};

// Done, or an error.
template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  // As in std::expected:
  using value_type = void;
  using error_type = E;

  Result() = default;
  template <class F>
  // Not done, for that reason.
  requires std::is_constructible_v<E, F> Result(Unexpected<F> failure) : error_(std::move(failure.error)) {}

  // True: done. False: error() has the reason.
  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }  // as has_value()
  // Only when !has_value(); else the program is wrong, and ends here.
  const E& error() const {
    if (!error_) std::abort();
    return *error_;
  }

 private:
  std::optional<E> error_;
};

// What calls give that can be refused and have nothing to say else.
using Status = Result<void, Error>;

// `return fail(ErrorCode::TooLarge, "label is longer than 65535 bytes");` The text must live for ever (a
// literal).
inline Unexpected<Error> fail(ErrorCode code, std::string_view detail) {
  return Unexpected{Error(code, detail)};
}

}  // namespace pollrtc
