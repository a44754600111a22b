// SPDX-License-Identifier: Apache-2.0
#include "converter/onnx_tensor.h"

#include <onnx/onnx_pb.h>

#include <bit>
#include <charconv>
#include <cinttypes>
#include <cstring>
#include <limits>

#include "converter/external_data.h"

static_assert(std::endian::native == std::endian::little, "raw_data is read in place");

namespace aq::converter {
namespace {

// Codes of TensorProto.DataType newer than Debian's header.
constexpr int kUint4 = 21, kInt4 = 22;

int BitsOf(int type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::INT32:
    case onnx::TensorProto::UINT32:
      return 32;
    case onnx::TensorProto::DOUBLE:
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::UINT64:
      return 64;
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::UINT16:
      return 16;
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::BOOL:
      return 8;
    case kUint4:
    case kInt4:
      return 4;
    default:
      return 0;
  }
}

float HalfToFloat(uint16_t half) {
  const uint32_t sign = uint32_t{half} >> 15 << 31, exponent = half >> 10 & 31, mantissa = half & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) {  // subnormal: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 5.9604644775390625e-8f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

template <class T>
T LoadAt(const char* bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
  return value;
}

int64_t SaturateUint64(uint64_t value) {
  return static_cast<int64_t>(std::min<uint64_t>(value, static_cast<uint64_t>(std::numeric_limits<int64_t>::max())));
}

void Decode(const char* bytes, int type, size_t n, Constant* out) {
  auto floats = [&](auto load) {
    out->is_float = true;
    out->floats.resize(n);
    for (size_t i = 0; i < n; ++i) out->floats[i] = load(i);
  };
  auto ints = [&](auto load) {
    out->ints.resize(n);
    for (size_t i = 0; i < n; ++i) out->ints[i] = load(i);
  };
  switch (type) {
    case onnx::TensorProto::FLOAT:
      return floats([&](size_t i) { return LoadAt<float>(bytes, i); });
    case onnx::TensorProto::DOUBLE:
      return floats([&](size_t i) { return static_cast<float>(LoadAt<double>(bytes, i)); });
    case onnx::TensorProto::FLOAT16:
      return floats([&](size_t i) { return HalfToFloat(LoadAt<uint16_t>(bytes, i)); });
    case onnx::TensorProto::BFLOAT16:
      return floats([&](size_t i) { return std::bit_cast<float>(uint32_t{LoadAt<uint16_t>(bytes, i)} << 16); });
    case onnx::TensorProto::INT64:
      return ints([&](size_t i) { return LoadAt<int64_t>(bytes, i); });
    case onnx::TensorProto::UINT64:
      return ints([&](size_t i) { return SaturateUint64(LoadAt<uint64_t>(bytes, i)); });
    case onnx::TensorProto::INT32:
      return ints([&](size_t i) { return LoadAt<int32_t>(bytes, i); });
    case onnx::TensorProto::UINT32:
      return ints([&](size_t i) { return LoadAt<uint32_t>(bytes, i); });
    case onnx::TensorProto::INT16:
      return ints([&](size_t i) { return LoadAt<int16_t>(bytes, i); });
    case onnx::TensorProto::UINT16:
      return ints([&](size_t i) { return LoadAt<uint16_t>(bytes, i); });
    case onnx::TensorProto::INT8:
      return ints([&](size_t i) { return LoadAt<int8_t>(bytes, i); });
    case onnx::TensorProto::UINT8:
      return ints([&](size_t i) { return LoadAt<uint8_t>(bytes, i); });
    case onnx::TensorProto::BOOL:
      return ints([&](size_t i) { return LoadAt<uint8_t>(bytes, i) != 0 ? 1 : 0; });
    default:  // 4 bits, first element in the low half
      return ints([&](size_t i) {
        const int code = LoadAt<uint8_t>(bytes, i / 2) >> (i % 2 * 4) & 15;
        return type == kInt4 && code > 7 ? code - 16 : code;
      });
  }
}

Status CountError(const std::string& name, const char* field, int64_t have, int64_t want) {
  return Error(Code::kCorrupt, "tensor %s: %s has %" PRId64 " elements, its dimensions need %" PRId64, name.c_str(),
               field, have, want);
}

Status DecodeTyped(const onnx::TensorProto& tensor, int64_t n, const std::string& name, Constant* out) {
  auto copy = [&](const auto& field, const char* field_name, auto convert, auto* target) -> Status {
    if (field.size() != n) return CountError(name, field_name, field.size(), n);
    for (const auto element : field) target->push_back(convert(element));
    return {};
  };
  auto same = [](auto x) { return static_cast<int64_t>(x); };
  const int type = tensor.data_type();
  switch (type) {
    case onnx::TensorProto::FLOAT:
      out->is_float = true;
      return copy(
          tensor.float_data(), "float_data", [](float x) { return x; }, &out->floats);
    case onnx::TensorProto::DOUBLE:
      out->is_float = true;
      return copy(
          tensor.double_data(), "double_data", [](double x) { return static_cast<float>(x); }, &out->floats);
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
      out->is_float = true;
      return copy(
          tensor.int32_data(), "int32_data",
          [type](int32_t x) {
            const uint16_t bits = static_cast<uint16_t>(x);
            return type == onnx::TensorProto::FLOAT16 ? HalfToFloat(bits) : std::bit_cast<float>(uint32_t{bits} << 16);
          },
          &out->floats);
    case onnx::TensorProto::INT64:
      return copy(tensor.int64_data(), "int64_data", same, &out->ints);
    case onnx::TensorProto::UINT64:
    case onnx::TensorProto::UINT32:
      return copy(
          tensor.uint64_data(), "uint64_data", [](uint64_t x) { return SaturateUint64(x); }, &out->ints);
    case kUint4:
    case kInt4: {
      const int64_t words = n / 2 + n % 2;
      if (tensor.int32_data_size() != words) return CountError(name, "int32_data", tensor.int32_data_size(), words);
      std::string bytes;
      for (int32_t word : tensor.int32_data()) bytes.push_back(static_cast<char>(word));
      Decode(bytes.data(), type, static_cast<size_t>(n), out);
      return {};
    }
    default:
      return copy(tensor.int32_data(), "int32_data", same, &out->ints);
  }
}

Result<uint64_t> ParseNumber(const std::string& text, const char* key, const std::string& name) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error(Code::kCorrupt, "tensor %s: external data %s \"%s\" is not a number", name.c_str(), key, text.c_str());
  }
  return value;
}

Status DecodeExternal(const onnx::TensorProto& tensor, uint64_t bytes, size_t n, const TensorSource& source,
                      Constant* out) {
  const std::string& name = tensor.name();
  if (!source.allow_external_data) {
    return Error(Code::kUnsupported, "tensor %s: external data is not allowed here", name.c_str());
  }
  std::string location;
  uint64_t offset = 0, length = bytes;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") {
      AQ_ASSIGN_OR_RETURN(offset, ParseNumber(entry.value(), "offset", name));
    }
    if (entry.key() == "length") {
      AQ_ASSIGN_OR_RETURN(length, ParseNumber(entry.value(), "length", name));
    }
  }
  if (length != bytes) {
    return Error(Code::kCorrupt, "tensor %s: external data has %" PRIu64 " bytes, its dimensions need %" PRIu64,
                 name.c_str(), length, bytes);
  }
  AQ_ASSIGN_OR_RETURN(const FileBytes data, ReadExternalData(source.folder, location, offset, length, name));
  if (source.digest) source.digest->Update(data.data(), data.size());
  Decode(reinterpret_cast<const char*>(data.data()), tensor.data_type(), n, out);
  return {};
}

}  // namespace

Constant IntConstant(Shape shape, std::vector<int64_t> ints) {
  return {.shape = std::move(shape), .is_float = false, .floats = {}, .ints = std::move(ints)};
}
Constant FloatConstant(Shape shape, std::vector<float> floats) {
  return {.shape = std::move(shape), .is_float = true, .floats = std::move(floats), .ints = {}};
}

std::vector<float> ToFloats(const Constant& constant) {
  if (constant.is_float) return constant.floats;
  return std::vector<float>(constant.ints.begin(), constant.ints.end());
}

Result<int64_t> CheckedElements(const Shape& shape, const std::string& name, int64_t limit) {
  int64_t elements = 1;
  for (int64_t dim : shape) {
    if (dim < 0) return Error(Code::kCorrupt, "tensor %s: negative dimension %" PRId64, name.c_str(), dim);
    if (dim > limit || elements * dim > limit) {
      return Error(Code::kCorrupt, "tensor %s: more than %" PRId64 " elements", name.c_str(), limit);
    }
    elements *= dim;
  }
  return elements;
}

Result<Constant> ReadTensor(const onnx::TensorProto& tensor, const TensorSource& source) {
  const std::string& name = tensor.name();
  const int bits = BitsOf(tensor.data_type());
  if (bits == 0) {
    return Error(Code::kUnsupported, "tensor %s: element type %d is not a number", name.c_str(), tensor.data_type());
  }
  if (tensor.has_segment()) return Error(Code::kUnsupported, "tensor %s: segmented tensors", name.c_str());
  Constant out;
  out.shape.assign(tensor.dims().begin(), tensor.dims().end());
  AQ_ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(out.shape, name, kMaxElements));
  const size_t n = static_cast<size_t>(elements);
  const uint64_t bytes = (static_cast<uint64_t>(n) * static_cast<uint64_t>(bits) + 7) / 8;
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
    AQ_RETURN_IF_ERROR(DecodeExternal(tensor, bytes, n, source, &out));
  } else if (tensor.has_raw_data()) {
    if (tensor.raw_data().size() != bytes) {
      return Error(Code::kCorrupt, "tensor %s: raw_data has %zu bytes, its dimensions need %" PRIu64, name.c_str(),
                   tensor.raw_data().size(), bytes);
    }
    Decode(tensor.raw_data().data(), tensor.data_type(), n, &out);
  } else {
    AQ_RETURN_IF_ERROR(DecodeTyped(tensor, elements, name, &out));
  }
  return out;
}

}  // namespace aq::converter
