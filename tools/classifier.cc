// SPDX-License-Identifier: Apache-2.0
// Implements classifier.h.
#include "tools/classifier.h"

#include <cstring>

#include "tools/file.h"

namespace aq::tools {

Result<Classifier> OpenClassifier(const std::string& path) {
  Classifier classifier;
  AQ_ASSIGN_OR_RETURN(classifier.model, LoadModel(path));
  const aq_model* model = classifier.model.get();
  if (aq_model_num_inputs(model) != 1 || aq_model_num_outputs(model) < 1) {
    return Error(Code::kUnsupported, "%s: %zu inputs and %zu outputs, one image in and scores out expected",
                 path.c_str(), aq_model_num_inputs(model), aq_model_num_outputs(model));
  }
  AQ_ASSIGN_OR_RETURN(const aq_tensor_info input, InputInfo(model, 0));
  AQ_ASSIGN_OR_RETURN(classifier.scores, OutputInfo(model, 0));
  if (input.type != AQ_TYPE_U8 || input.bits != 8 || (input.rank != 2 && input.rank != 4)) {
    return Error(Code::kUnsupported, "%s: input '%s' of rank %d with %d bits, an 8-bit image or vector expected",
                 path.c_str(), input.name, input.rank, input.bits);
  }
  classifier.input =
      input.rank == 4 ? InputShape{input.dims[1], input.dims[2], input.dims[3]} : InputShape{1, 1, input.dims[1]};
  AQ_ASSIGN_OR_RETURN(classifier.preprocess, PreprocessFromMetadata([&](const char* key, std::string* value) {
                        return Metadata(model, key, value);
                      }));
  std::string labels;
  if (Metadata(model, "aq.labels", &labels)) {
    while (labels.ends_with('\n')) labels.pop_back();
    classifier.labels = Split(labels, '\n');
  }
  return classifier;
}

Status Classify(const Classifier& classifier, const Image& image, aq_session* session) {
  std::vector<uint8_t> codes;
  AQ_RETURN_IF_ERROR(ToInputCodes(image, classifier.preprocess, classifier.input, &codes));
  std::memcpy(aq_session_input(session, 0), codes.data(), codes.size());
  if (const aq_status status = aq_session_run(session); status != AQ_OK) {
    return Error(CodeOf(status), "run: %s", aq_status_string(status));
  }
  return {};
}

}  // namespace aq::tools
