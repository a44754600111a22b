// SPDX-License-Identifier: Apache-2.0
// Names everything that decides what reconstruction learns: network, plan, ranges, options, calibration pixels, and the
// version of this program. Two conversions with one fingerprint may continue each other's checkpoint (checkpoint.h).
#pragma once

#include <string>
#include <vector>

#include "converter/activation_plan.h"
#include "converter/convert.h"
#include "converter/ranges.h"
#include "converter/sha256.h"

namespace aq::converter {

// Feeds plain numbers and containers of them into a hash, lengths included.
class Fingerprint {
 public:
  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void Add(T value) { hash_.Update(&value, sizeof value); }
  void Add(const std::string& text) {
    Add(text.size());
    hash_.Update(text.data(), text.size());
  }
  template <class T>
  void Add(const std::vector<T>& values) {
    Add(values.size());
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      hash_.Update(values.data(), values.size() * sizeof(T));
    } else {
      for (const T& value : values) Add(value);
    }
  }

  void Add(const Bits& bits);
  void Add(const Graph& graph);
  void Add(const ActivationPlan& plan);
  void Add(const Histogram& histogram);
  // Those that reconstruction depends on: an option that changes what is learned must be here.
  void Add(const ConvertOptions& options);

  std::string HexDigest() { return hash_.HexDigest(); }

 private:
  void Add(const Node& node);
  void Add(const Window& window);

  Sha256 hash_;
};

}  // namespace aq::converter
