// SPDX-License-Identifier: Apache-2.0
// Runs a network over a dataset: hits, predictions and a hash over all raw outputs in image order. The .aqm way uses
// the C API only; the .onnx way (evaluate_float.cc, converter builds) the float executor. Results do not depend on the
// number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/status.h"
#include "tools/dataset.h"
#include "tools/preprocess.h"
#include "tools/progress.h"

namespace aq::tools {

struct EvaluateOptions {
  size_t limit = 0;            // the first `limit` images; 0 = all
  int threads = 1;             // .aqm: sessions over images; .onnx: threads of one executor
  int session_threads = 1;     // .aqm: threads within a session
  std::string isa = {};        // .aqm: "" = the best
  Preprocess preprocess = {};  // .onnx only: an .aqm brings its own
};

struct Evaluation {
  size_t images = 0;
  size_t labelled = 0, top1 = 0, top5 = 0;  // counts
  uint64_t output_hash = 0;
  std::vector<size_t> predictions;  // argmax of output 0, per image
};

Result<Evaluation> EvaluateAqm(const std::string& path, const Dataset& dataset, const EvaluateOptions& options,
                               Progress* progress);
// kUnsupported in builds without the converter.
Result<Evaluation> EvaluateOnnx(const std::string& path, const Dataset& dataset, const EvaluateOptions& options,
                                Progress* progress);

// What one image gave; summed up in image order by Summarize.
struct Outcome {
  size_t prediction = 0;
  size_t rank = 0;    // of the true class; only if labelled
  uint64_t hash = 0;  // FNV-1a over the bytes of all outputs
};
Result<Evaluation> Summarize(const std::vector<Outcome>& outcomes, const Dataset& dataset);
// kCorrupt if the label is not one of `classes`.
Status CheckLabel(const Dataset& dataset, size_t i, size_t classes);

}  // namespace aq::tools
