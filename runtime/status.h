// SPDX-License-Identifier: Apache-2.0
// Errors as values: a code and a message that names the thing and both numbers. Codes are those of aq.h.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace aq {

enum class Code : int32_t {
  kOk = 0,
  kInvalidArgument = 1,
  kOutOfMemory = 2,
  kInvalidState = 3,
  kUnsupported = 4,
  kNotFound = 5,
  kIo = 100,
  kCorrupt = 101,
  kVersion = 102,
  kLimit = 103,
  kCancelled = 200,
  kQuality = 201,  // a check of the converter failed (not bit-exact, gate missed)
  kInternal = 900,
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

// A value or the Status that explains its absence.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }
  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

// printf-style message; the only formatting the runtime needs (no iostream, no locale).
[[gnu::format(printf, 2, 3)]] Status Error(Code code, const char* format, ...);

#define AQ_RETURN_IF_ERROR(expression)                                            \
  do {                                                                            \
    if (::aq::Status aq_status = (expression); !aq_status.ok()) return aq_status; \
  } while (0)

#define AQ_CONCAT_INNER(a, b) a##b
#define AQ_CONCAT(a, b) AQ_CONCAT_INNER(a, b)
// AQ_ASSIGN_OR_RETURN(auto x, F()): x = F().value(), or return its Status.
#define AQ_ASSIGN_OR_RETURN(lhs, expression) AQ_ASSIGN_OR_RETURN_INNER(AQ_CONCAT(aq_result_, __LINE__), lhs, expression)
#define AQ_ASSIGN_OR_RETURN_INNER(result, lhs, expression) \
  auto result = (expression);                              \
  if (!result.ok()) return result.status();                \
  lhs = std::move(result).value()

}  // namespace aq
