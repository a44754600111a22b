// SPDX-License-Identifier: Apache-2.0
// Locale-independent: numbers are written with to_chars, text is escaped, invalid UTF-8 becomes U+FFFD.
#include "runtime/describe.h"

#include <charconv>
#include <string_view>

#include "runtime/validate.h"

namespace aq {
namespace {

template <class T>
std::string Number(T value) {
  char digits[64];
  const auto result = std::to_chars(digits, digits + sizeof digits, value);
  return std::string(digits, result.ptr);
}

// Length of the valid UTF-8 sequence at the start of `text`, 0 if there is none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  if (byte(0) < 0x80) return 1;
  if (byte(0) >= 0xc2 && byte(0) <= 0xdf && continues(1)) return 2;
  if (byte(0) >= 0xe0 && byte(0) <= 0xef && continues(1) && continues(2)) {
    const bool is_overlong = byte(0) == 0xe0 && byte(1) < 0xa0;
    const bool is_surrogate = byte(0) == 0xed && byte(1) > 0x9f;
    return is_overlong || is_surrogate ? 0 : 3;
  }
  if (byte(0) >= 0xf0 && byte(0) <= 0xf4 && continues(1) && continues(2) && continues(3)) {
    const bool is_overlong = byte(0) == 0xf0 && byte(1) < 0x90;
    const bool is_too_big = byte(0) == 0xf4 && byte(1) > 0x8f;
    return is_overlong || is_too_big ? 0 : 4;
  }
  return 0;
}

// The inside of a JSON string; also safe for a terminal.
std::string Escape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const auto c = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += text[0];
    } else if (c < 0x20 || c == 0x7f) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string Quoted(std::string_view text) { return '"' + Escape(text) + '"'; }

template <class T>
std::string List(std::span<const T> values) {
  std::string out = "[";
  for (size_t i = 0; i < values.size(); ++i) out += (i ? ", " : "") + Number(values[i]);
  return out + "]";
}

const schema::Weights* WeightsOf(const ModelOp& op) {
  if (const auto* conv = op.table->attributes_as_Conv2D()) return conv->weights();
  if (const auto* dense = op.table->attributes_as_Dense()) return dense->weights();
  return nullptr;
}

std::string_view View(const flatbuffers::String* text) { return {text->c_str(), text->size()}; }

std::string ConvAttributes(const schema::Conv2D& conv) {
  const int32_t kernel[] = {conv.kernel_h(), conv.kernel_w()}, stride[] = {conv.stride_h(), conv.stride_w()};
  const int32_t dilation[] = {conv.dilation_h(), conv.dilation_w()};
  const int32_t pads[] = {conv.pad_top(), conv.pad_left(), conv.pad_bottom(), conv.pad_right()};
  return "\"kernel\": " + List<int32_t>(kernel) + ", \"stride\": " + List<int32_t>(stride) +
         ", \"dilation\": " + List<int32_t>(dilation) + ", \"pads\": " + List<int32_t>(pads) +
         ", \"groups\": " + Number(conv.groups());
}

std::string PoolAttributes(const schema::Pool& pool) {
  const int32_t kernel[] = {pool.kernel_h(), pool.kernel_w()}, stride[] = {pool.stride_h(), pool.stride_w()};
  const int32_t pads[] = {pool.pad_top(), pool.pad_left(), pool.pad_bottom(), pool.pad_right()};
  return std::string("\"kind\": ") + (pool.kind() == schema::PoolKind::Max ? "\"max\"" : "\"average\"") +
         ", \"kernel\": " + List<int32_t>(kernel) + ", \"stride\": " + List<int32_t>(stride) +
         ", \"pads\": " + List<int32_t>(pads);
}

// JSON members of the attributes people ask for; the text form prints the same.
std::string Attributes(const ModelOp& op) {
  std::string out;
  if (const auto* conv = op.table->attributes_as_Conv2D()) out = ConvAttributes(*conv);
  if (const auto* pool = op.table->attributes_as_Pool()) out = PoolAttributes(*pool);
  if (const auto* concat = op.table->attributes_as_Concat()) out = "\"axis\": " + Number(concat->axis());
  if (const schema::Weights* weights = WeightsOf(op)) {
    out += (out.empty() ? "" : ", ") + std::string("\"weight_bits\": ") + Number(static_cast<int>(weights->bits()));
    out += weights->zero_point() ? ", \"weights\": \"asymmetric\"" : ", \"weights\": \"symmetric\"";
    if (weights->codebook()) out += ", \"codebook\": " + List(Elements(weights->codebook()));
  }
  return out;
}

std::string TensorJson(const Tensor& tensor) {
  std::string out = "{\"name\": " + Quoted(tensor.name) + ", \"shape\": " + List(tensor.shape.span()) +
                    ", \"bits\": " + Number(tensor.bits()) + ", \"scale\": " + Number(tensor.scale) +
                    ", \"zero_point\": " + Number(tensor.zero_point);
  if (!tensor.thresholds.empty()) {
    out += ", \"channel_thresholds\": " + List(tensor.thresholds);
  } else if (!tensor.is_wide()) {
    out += ", \"border\": " + List(std::span<const uint8_t>(tensor.rounding.border));
  }
  return out + "}";
}

std::string TensorText(const Tensor& tensor) {
  std::string out = Escape(tensor.name) + " " + List(tensor.shape.span()) + " " + Number(tensor.bits()) +
                    " bits, scale " + Number(tensor.scale) + ", zero point " + Number(tensor.zero_point);
  if (!tensor.thresholds.empty()) return out + ", thresholds per channel";
  if (tensor.is_wide()) return out;
  const std::span<const uint8_t> border(tensor.rounding.border);
  for (const uint8_t entry : border) {
    if (entry != kNearestBorder) return out + ", border " + List(border);
  }
  return out + ", border nearest";
}

}  // namespace

std::string DescribeText(const Model& model) {
  std::string out = "aqm format revision " + Number(model.root->format_revision()) + ": " +
                    Number(model.tensors.size()) + " tensors, " + Number(model.ops.size()) + " ops, " +
                    Number(model.segments.size()) + " bytes of weights\n\nmetadata\n";
  for (uint32_t i = 0; model.root->metadata() && i < model.root->metadata()->size(); ++i) {
    const schema::KeyValue& pair = *model.root->metadata()->Get(i);
    out += "  " + Escape(View(pair.key())) + " = " + Escape(View(pair.value())) + "\n";
  }
  out += "\ninputs " + List(model.inputs) + ", outputs " + List(model.outputs) + "\n\ntensors\n";
  for (size_t i = 0; i < model.tensors.size(); ++i) out += "  " + Number(i) + " " + TensorText(model.tensors[i]) + "\n";
  out += "\nops\n";
  for (const ModelOp& op : model.ops) {
    const std::string attributes = Attributes(op);
    out += "  " + Number(op.index) + " " + op.kind->type + " " + Escape(op.name) + " " + List(op.inputs) + " -> " +
           List(op.outputs) + (attributes.empty() ? "" : " {" + attributes + "}") + "\n";
  }
  return out;
}

std::string DescribeJson(const Model& model) {
  std::string out = "{\n  \"format_revision\": " + Number(model.root->format_revision()) + ",\n  \"metadata\": {";
  for (uint32_t i = 0; model.root->metadata() && i < model.root->metadata()->size(); ++i) {
    const schema::KeyValue& pair = *model.root->metadata()->Get(i);
    out += (i ? ",\n    " : "\n    ") + Quoted(View(pair.key())) + ": " + Quoted(View(pair.value()));
  }
  out += "\n  },\n  \"inputs\": " + List(model.inputs) + ",\n  \"outputs\": " + List(model.outputs) +
         ",\n  \"tensors\": [";
  for (size_t i = 0; i < model.tensors.size(); ++i) out += (i ? ",\n    " : "\n    ") + TensorJson(model.tensors[i]);
  out += "\n  ],\n  \"ops\": [";
  for (const ModelOp& op : model.ops) {
    const std::string attributes = Attributes(op);
    out += (op.index ? ",\n    " : "\n    ") + std::string("{\"name\": ") + Quoted(op.name) +
           ", \"type\": " + Quoted(op.kind->type) + ", \"inputs\": " + List(op.inputs) +
           ", \"outputs\": " + List(op.outputs) + (attributes.empty() ? "" : ", " + attributes) + "}";
  }
  return out + "\n  ]\n}\n";
}

}  // namespace aq
