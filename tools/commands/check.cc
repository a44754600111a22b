// SPDX-License-Identifier: Apache-2.0
// `aq check`: reads an .onnx as `convert` would, and prints its size or the list of everything that stands in the way.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "converter/onnx_reader.h"
#include "tools/commands/commands.h"
#include "tools/exit_codes.h"
#include "tools/onnx_opset.h"

namespace aq::tools {
namespace {

int Check(const std::string& path, const CommonFlags& common) {
  std::vector<converter::Unsupported> unsupported;
  const Result<converter::Graph> graph = converter::ReadOnnx(path, {}, &unsupported);
  if (!graph.ok()) {
    if (!unsupported.empty()) std::fputs(converter::FormatUnsupported(unsupported).c_str(), stderr);
    return Fail(graph.status());
  }
  for (const std::string& warning : graph.value().warnings) {
    if (!common.is_quiet) std::fprintf(stderr, "aq: warning: %s\n", warning.c_str());
  }
  if (common.is_verbose) std::fputs(converter::Dump(graph.value()).c_str(), stdout);
  std::printf("ok: %zu nodes, opset %lld, %lld MACs\n", graph.value().nodes.size(),
              static_cast<long long>(OnnxOpset(path)), static_cast<long long>(converter::Macs(graph.value())));
  return kExitOk;
}

}  // namespace

Run AddCheck(CLI::App* app, const CommonFlags* common) {
  const auto path = std::make_shared<std::string>();
  app->add_option("model,-m,--model", *path, "The .onnx file")->required()->type_name("FILE");
  return [path, common] { return Check(*path, *common); };
}

}  // namespace aq::tools
