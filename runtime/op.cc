// SPDX-License-Identifier: Apache-2.0
#include "runtime/op.h"

namespace aq {

#define AQ_OP(name)                                           \
  Status Validate##name(const OpContext& op, uint64_t* work); \
  void Prepare##name(const OpContext& op, const Target& target, ConstantMemory* memory, PreparedOp* prepared);
#include "runtime/ops.inc"
#undef AQ_OP

const OpKind* FindOpKind(schema::OpAttributes attributes) {
  switch (attributes) {
#define AQ_OP(name)                                                      \
  case schema::OpAttributes::name: {                                     \
    static constexpr OpKind kKind{#name, Validate##name, Prepare##name}; \
    return &kKind;                                                       \
  }
#include "runtime/ops.inc"
#undef AQ_OP
    case schema::OpAttributes::NONE:
      break;
  }
  return nullptr;
}

}  // namespace aq
