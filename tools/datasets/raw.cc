// SPDX-License-Identifier: Apache-2.0
// Headerless uint8 or int8 samples, with an optional file of one label byte per sample. The SPEC gives the shape and
// what the numbers mean: real = (q - zero) * scale. int8 q becomes the code q + 128.
#include "tools/datasets/readers.h"
#include "tools/datasets/records.h"
#include "tools/file.h"

namespace aq::tools {
namespace {

struct RawSpec {
  std::vector<std::string> files;
  std::string type = "u8";
  std::vector<int64_t> shape;
  float scale = 1, zero = 0;
  bool has_scale = false;
};

Result<RawSpec> ParseSpec(const Arguments& arguments) {
  RawSpec spec;
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    const std::string key = argument.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
    if (equals == std::string::npos) {
      spec.files.push_back(argument);
    } else if (key == "type") {
      spec.type = value;
    } else if (key == "shape") {
      for (const std::string& dim : Split(value, 'x')) {
        AQ_ASSIGN_OR_RETURN(const int64_t parsed, ParseInt(dim, "raw: shape"));
        spec.shape.push_back(parsed);
      }
    } else if (key == "scale") {
      AQ_ASSIGN_OR_RETURN(spec.scale, ParseFloat(value, "raw: scale"));
      spec.has_scale = true;
    } else if (key == "zero") {
      AQ_ASSIGN_OR_RETURN(spec.zero, ParseFloat(value, "raw: zero"));
      spec.has_scale = true;
    } else {
      return Error(Code::kInvalidArgument, "raw: unknown key '%s' (type, shape, scale, zero)", key.c_str());
    }
  }
  if (spec.files.empty() || spec.files.size() > 2)
    return Error(Code::kInvalidArgument, "raw: takes FILE[,LABELS],shape=...");
  if (spec.type != "u8" && spec.type != "i8") {
    return Error(Code::kInvalidArgument, "raw: type '%s', u8 or i8 expected", spec.type.c_str());
  }
  if (spec.shape.empty() || spec.shape.size() > 3) {
    return Error(Code::kInvalidArgument, "raw: shape has %zu dimensions, 1 to 3 expected (HxWxC)", spec.shape.size());
  }
  for (const int64_t dim : spec.shape) {
    if (dim < 1 || dim > 65536)
      return Error(Code::kInvalidArgument, "raw: dimension %lld, 1 to 65536", static_cast<long long>(dim));
  }
  if (!(spec.scale > 0))
    return Error(Code::kInvalidArgument, "raw: scale %g, more than 0 expected", static_cast<double>(spec.scale));
  return spec;
}

}  // namespace

Result<std::unique_ptr<Dataset>> OpenRaw(const Arguments& arguments) {
  AQ_ASSIGN_OR_RETURN(const RawSpec spec, ParseSpec(arguments));
  // One dimension is a feature vector, as for npy: 1 x 1 x k.
  const size_t rank = spec.shape.size();
  Records records{.h = rank >= 2 ? static_cast<int>(spec.shape[0]) : 1,
                  .w = rank >= 2 ? static_cast<int>(spec.shape[1]) : 1,
                  .c = rank == 2 ? 1 : static_cast<int>(spec.shape[rank - 1]),
                  .flip = static_cast<uint8_t>(spec.type == "i8" ? 0x80 : 0)};
  AQ_ASSIGN_OR_RETURN(records.bytes, ReadWholeFile(spec.files[0], kMaxDatasetFileBytes));
  records.stride = static_cast<size_t>(records.h) * static_cast<size_t>(records.w) * static_cast<size_t>(records.c);
  if (records.bytes.size() % records.stride != 0) {
    return Error(Code::kCorrupt, "%s: %zu bytes is not a whole number of %zu-byte samples", spec.files[0].c_str(),
                 records.bytes.size(), records.stride);
  }
  records.count = records.bytes.size() / records.stride;
  if (spec.files.size() == 2) {
    AQ_ASSIGN_OR_RETURN(const std::vector<uint8_t> labels, ReadWholeFile(spec.files[1], kMaxDatasetFileBytes));
    if (labels.size() != records.count) {
      return Error(Code::kCorrupt, "%s: %zu labels for %zu samples", spec.files[1].c_str(), labels.size(),
                   records.count);
    }
    records.labels.assign(labels.begin(), labels.end());
  }
  if (spec.has_scale) {
    converter::Preprocess preprocess;
    preprocess.mean = {spec.zero + (spec.type == "i8" ? 128.0f : 0.0f)};
    preprocess.stddev = {1.0f / spec.scale};
    records.preprocess = preprocess;
  }
  return std::unique_ptr<Dataset>(std::make_unique<RecordDataset>(std::move(records)));
}

}  // namespace aq::tools
