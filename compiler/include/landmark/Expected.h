// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors as values. The public API neither throws nor aborts on bad input: what can fail returns an Expected<T>.
#ifndef LANDMARK_EXPECTED_H
#define LANDMARK_EXPECTED_H

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace landmark {

enum class ErrorCode {
  InvalidArgument, ///< an argument is wrong: the message names it, what it got and what is allowed
  Unsupported,     ///< valid, but outside what this build or device can do
  CompileFailed,   ///< the compiler reported diagnostics: see Error::notes
  NotFound,        ///< a file, a tool or a device that was asked for is missing
  IoError,         ///< reading or writing a file failed, or its contents are damaged
  DeviceError,     ///< the CUDA driver reported an error
  Mismatch,        ///< a verification found a result outside its tolerance
};

struct Error {
  ErrorCode code;
  std::string message;
  std::vector<std::string> notes = {};
};

/// Either a value or an Error. Check with `if (!result)`, then read `*result` or `result.error()`.
template <typename T> class [[nodiscard]] Expected {
public:
  Expected(T value) : state(std::in_place_index<0>, std::move(value)) {}
  Expected(Error error) : state(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state.index() == 0; }
  T &operator*() { return std::get<0>(state); }
  const T &operator*() const { return std::get<0>(state); }
  T *operator->() { return &std::get<0>(state); }
  const T *operator->() const { return &std::get<0>(state); }
  const Error &error() const { return std::get<1>(state); }

private:
  std::variant<T, Error> state;
};

/// The result of what yields no value.
template <> class [[nodiscard]] Expected<void> {
public:
  Expected() : failed(false), failure{} {}
  Expected(Error error) : failed(true), failure(std::move(error)) {}

  explicit operator bool() const { return !failed; }
  const Error &error() const { return failure; }

private:
  bool failed;
  Error failure;
};

} // namespace landmark
#endif
