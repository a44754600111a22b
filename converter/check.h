// SPDX-License-Identifier: Apache-2.0
// The last gate of a conversion: the file, loaded and run by the real runtime through its C API, must give exactly the
// codes the simulation gave, for every tensor an op writes.
#pragma once

#include <memory>
#include <span>

#include "converter/simulate.h"
#include "runtime/status.h"

struct aq_model;
struct aq_session;

namespace aq::converter {

class RuntimeCheck {
 public:
  static Result<std::unique_ptr<RuntimeCheck>> Create(std::span<const uint8_t> file, const IntegerModel* integer);
  ~RuntimeCheck();

  // Runs one image and counts the differences to `expected`.
  Status Compare(std::span<const uint8_t> pixels, const ImageCodes& expected);

  size_t tensors() const { return tensors_; }  // compared per image
  size_t images() const { return images_; }
  size_t differences() const { return differences_; }
  // kQuality naming the first tensor, position and both values, if anything differed.
  Status Verdict() const { return verdict_; }

 private:
  explicit RuntimeCheck(const IntegerModel* integer) : integer_(integer) {}
  void CompareOp(size_t op, const void* const* outputs, size_t count);

  const IntegerModel* integer_;
  aq_model* model_ = nullptr;
  aq_session* session_ = nullptr;
  const ImageCodes* expected_ = nullptr;
  size_t ops_seen_ = 0, tensors_ = 0, images_ = 0, differences_ = 0;
  Status verdict_;
};

}  // namespace aq::converter
