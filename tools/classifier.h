// SPDX-License-Identifier: Apache-2.0
// An .aqm that takes one image and gives class scores: the model with its own preprocessing and labels, ready to feed.
// What `aq run` and `aq eval` share; uses only the C API.
#pragma once

#include <string>
#include <vector>

#include "tools/aqm_model.h"
#include "tools/dataset.h"
#include "tools/preprocess.h"

namespace aq::tools {

struct Classifier {
  ModelPtr model;
  InputShape input;
  Preprocess preprocess;
  aq_tensor_info scores{};          // output 0
  std::vector<std::string> labels;  // empty if the file has none
};

// kUnsupported if the model does not have exactly one uint8 input of rank 2 or 4.
Result<Classifier> OpenClassifier(const std::string& path);
// Puts the image into the session's input and runs it.
Status Classify(const Classifier& classifier, const Image& image, aq_session* session);

}  // namespace aq::tools
