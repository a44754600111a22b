// SPDX-License-Identifier: Apache-2.0
#include "converter/check.h"

#include <algorithm>
#include <cstring>

#include "aq/aq.h"

namespace aq::converter {

Result<std::unique_ptr<RuntimeCheck>> RuntimeCheck::Create(std::span<const uint8_t> file, const IntegerModel* integer) {
  std::unique_ptr<RuntimeCheck> check(new RuntimeCheck(integer));
  char error[512] = "";
  aq_load_options load{};
  load.struct_size = sizeof load;
  load.error = error;
  load.error_size = sizeof error;
  if (const aq_status status = aq_model_load_buffer(file.data(), file.size(), &load, &check->model_); status != AQ_OK)
    return Error(static_cast<Code>(status), "the runtime refuses the converted model: %s", error);
  aq_session_options options{};
  options.struct_size = sizeof options;
  options.num_threads = 1;
  options.error = error;
  options.error_size = sizeof error;
  if (const aq_status status = aq_session_create(check->model_, &options, &check->session_); status != AQ_OK)
    return Error(static_cast<Code>(status), "the runtime cannot run the converted model: %s", error);
  const aq_op_callback observe = [](void* user, const aq_op_event* event) {
    static_cast<RuntimeCheck*>(user)->CompareOp(event->index, event->outputs, event->num_outputs);
  };
  if (aq_session_set_observer(check->session_, observe, check.get()) != AQ_OK)
    return Error(Code::kInternal, "the runtime refuses an observer");
  return check;
}

RuntimeCheck::~RuntimeCheck() {
  if (session_) aq_session_destroy(session_);
  aq_model_destroy(model_);
}

Status RuntimeCheck::Compare(std::span<const uint8_t> pixels, const ImageCodes& expected) {
  expected_ = &expected;
  ops_seen_ = tensors_ = 0;
  std::memcpy(aq_session_input(session_, 0), pixels.data(), pixels.size());
  if (const aq_status status = aq_session_run(session_); status != AQ_OK)
    return Error(static_cast<Code>(status), "the runtime failed: %s", aq_status_string(status));
  if (ops_seen_ != integer_->model.ops.size())
    return Error(Code::kInternal, "the runtime reported %zu ops, the model has %zu", ops_seen_,
                 integer_->model.ops.size());
  ++images_;
  return {};
}

void RuntimeCheck::CompareOp(size_t op_index, const void* const* outputs, size_t count) {
  const schema::OpT& op = *integer_->model.ops[op_index];
  ++ops_seen_;
  for (size_t o = 0; o < std::min(count, op.outputs.size()); ++o) {
    ++tensors_;
    const Codes& expected = (*expected_)[static_cast<size_t>(op.outputs[o])];
    const bool is_wide = !expected.wide.empty();
    const size_t elements = is_wide ? expected.wide.size() : expected.codes.size();
    for (size_t i = 0; i < elements; ++i) {
      const int32_t wanted = is_wide ? expected.wide[i] : expected.codes[i];
      const int32_t got =
          is_wide ? static_cast<const int32_t*>(outputs[o])[i] : static_cast<const uint8_t*>(outputs[o])[i];
      if (wanted == got) continue;
      if (differences_++ == 0)
        verdict_ = Error(
            Code::kQuality, "not bit-exact: op %s, tensor %s, image %zu, element %zu of %zu: runtime %d, simulation %d",
            op.name.c_str(), integer_->Tensor(op.outputs[o]).name.c_str(), images_, i, elements, got, wanted);
    }
  }
}

}  // namespace aq::converter
