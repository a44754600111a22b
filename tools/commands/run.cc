// SPDX-License-Identifier: Apache-2.0
// `aq run`: classifies one image file, or every sample of a .npy, and prints the best classes with their scores.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <numeric>

#include "tools/classifier.h"
#include "tools/commands/commands.h"
#include "tools/exit_codes.h"
#include "tools/file.h"
#include "tools/image_decoder.h"

namespace aq::tools {
namespace {

struct Flags {
  std::string model, image, input, isa;
  int top = 5;
  int threads = 1;
};

void PrintTop(const Classifier& classifier, const void* output, int top) {
  const aq_tensor_info& info = classifier.scores;
  const std::vector<int32_t> values = OutputValues(info, output);
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] > values[b]; });
  order.resize(std::min(order.size(), static_cast<size_t>(top)));
  for (const size_t i : order) {
    const double score = static_cast<double>(info.scale) * (values[i] - info.zero_point);
    std::printf("%10.4f  %4zu%s%s\n", score, i, i < classifier.labels.size() ? "  " : "",
                i < classifier.labels.size() ? classifier.labels[i].c_str() : "");
  }
}

Status ClassifyAll(const Flags& flags) {
  AQ_ASSIGN_OR_RETURN(const Classifier classifier, OpenClassifier(flags.model));
  AQ_ASSIGN_OR_RETURN(const SessionPtr session, CreateSession(classifier.model.get(), flags.threads, flags.isa));
  Image image;
  if (!flags.image.empty()) {
    AQ_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadWholeFile(flags.image, kMaxEncodedBytes));
    AQ_RETURN_IF_ERROR(DecodeImage(bytes, flags.image, &image));
    AQ_RETURN_IF_ERROR(Classify(classifier, image, session.get()));
    PrintTop(classifier, aq_session_output(session.get(), 0), flags.top);
    return {};
  }
  AQ_ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> samples, OpenDataset("npy:" + flags.input));
  for (size_t i = 0; i < samples->size(); ++i) {
    AQ_RETURN_IF_ERROR(samples->Load(i, &image));
    AQ_RETURN_IF_ERROR(Classify(classifier, image, session.get()));
    if (samples->size() > 1) std::printf("sample %zu\n", i);
    PrintTop(classifier, aq_session_output(session.get(), 0), flags.top);
  }
  return {};
}

}  // namespace

Run AddRun(CLI::App* app, const CommonFlags*) {
  const auto flags = std::make_shared<Flags>();
  app->add_option("model,-m,--model", flags->model, "The .aqm file")->required()->type_name("FILE");
  CLI::Option* image = app->add_option("--image", flags->image, "JPEG or PNG of the network's size")->type_name("FILE");
  CLI::Option* input = app->add_option("--input", flags->input, "uint8 samples, .npy [n,h,w,c]")->type_name("FILE");
  image->excludes(input);
  app->add_option("--top", flags->top, "Classes to print (5)")->check(CLI::Range(1, 1000000))->type_name("N");
  app->add_option("-t,--threads", flags->threads, "Threads (1)")->check(CLI::Range(1, 64))->type_name("N");
  app->add_option("--isa", flags->isa, "Instruction set, see `aq cpu`")->type_name("NAME");
  app->callback([flags] {
    if (flags->image.empty() && flags->input.empty()) throw CLI::RequiredError("--image or --input");
  });
  return [flags] {
    const Status status = ClassifyAll(*flags);
    return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
  };
}

}  // namespace aq::tools
