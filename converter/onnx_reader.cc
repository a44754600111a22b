// SPDX-License-Identifier: Apache-2.0
#include "converter/onnx_reader.h"

#include <google/protobuf/io/coded_stream.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <exception>
#include <filesystem>
#include <limits>
#include <new>

#include "converter/onnx_import.h"
#include "converter/passes.h"
#include "platforms/memory.h"

namespace aq::converter {
namespace {

// Nested graphs (If, Loop) are refused, so real files are shallow.
constexpr int kMaxProtobufDepth = 64;

Status Parse(const std::string& path, const FileBytes& bytes, onnx::ModelProto* model) {
  google::protobuf::io::CodedInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(kMaxProtobufDepth);
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  if (!model->ParsePartialFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return Error(Code::kCorrupt, "%s: not an ONNX file, or cut short (%zu bytes)", path.c_str(), bytes.size());
  }
  if (!model->has_graph() || model->graph().node_size() == 0) {
    return Error(Code::kCorrupt, "%s: not an ONNX file, or it has no nodes (%zu bytes)", path.c_str(), bytes.size());
  }
  return {};
}

Result<Graph> Read(const std::string& path, const ReadOptions& options, std::vector<Unsupported>* unsupported) {
  const uint64_t limit = std::min<uint64_t>(options.max_file_bytes, std::numeric_limits<int>::max());
  Sha256 digest;
  onnx::ModelProto model;
  {
    FileBytes bytes;
    if (const int error = FileBytes::Read(path.c_str(), limit, &bytes)) {
      return Error(error == EFBIG ? Code::kLimit : Code::kIo, "%s: %s", path.c_str(), std::strerror(error));
    }
    digest.Update(bytes.data(), bytes.size());
    AQ_RETURN_IF_ERROR(Parse(path, bytes, &model));
  }
  ImportState state;
  const std::string folder = std::filesystem::path(path).parent_path().string();
  state.source = {
      .folder = folder.empty() ? "." : folder, .allow_external_data = options.allow_external_data, .digest = &digest};
  const Status status = ImportGraph(model, &state);
  if (unsupported) *unsupported = state.unsupported;
  if (!status.ok()) return Error(status.code(), "%s: %s", path.c_str(), status.message().c_str());
  Graph graph = std::move(state.graph);
  graph.source_sha256 = digest.HexDigest();
  AQ_RETURN_IF_ERROR(Lower(&graph));
  return graph;
}

}  // namespace

Result<Graph> ReadOnnx(const std::string& path, const ReadOptions& options, std::vector<Unsupported>* unsupported) {
  if (unsupported) unsupported->clear();
  // protobuf and the standard library may throw when memory is short; nothing leaves this function.
  try {
    return Read(path, options, unsupported);
  } catch (const std::bad_alloc&) {
    return Error(Code::kOutOfMemory, "%s: out of memory", path.c_str());
  } catch (const std::exception& error) {
    return Error(Code::kInternal, "%s: %s", path.c_str(), error.what());
  }
}

std::string FormatUnsupported(const std::vector<Unsupported>& unsupported) {
  std::vector<std::vector<std::string>> rows = {{"node", "op", "opset", "input shape", "reason", "hint"}};
  for (const Unsupported& row : unsupported) {
    rows.push_back({row.node, row.op, std::to_string(row.opset), row.shape, row.reason, row.hint});
  }
  std::vector<size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text += std::string(widths[i] - row[i].size() + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

}  // namespace aq::converter
