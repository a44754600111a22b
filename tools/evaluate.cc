// SPDX-License-Identifier: Apache-2.0
// Implements evaluate.h for .aqm files, and the summary both ways share.
#include "tools/evaluate.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "tools/classifier.h"
#include "tools/metrics.h"

namespace aq::tools {
namespace {

// One worker's loop: takes the next image until none is left or another worker failed.
class AqmWorkers {
 public:
  AqmWorkers(const Classifier& classifier, const Dataset& dataset, size_t count, Progress* progress)
      : classifier_(classifier), dataset_(dataset), progress_(progress), outcomes_(count) {}

  void Work(aq_session* session) {
    for (size_t i = next_++; i < outcomes_.size() && !has_failed_; i = next_++) {
      const Status status = EvaluateOne(i, session);
      const std::lock_guard lock(mutex_);
      if (!status.ok()) {
        // The first failing image of all, so that the message does not depend on the threads' order.
        if (!has_failed_ || i < failed_image_) {
          failure_ = Error(status.code(), "image %zu: %s", i, status.message().c_str());
          failed_image_ = i;
        }
        has_failed_ = true;
        return;
      }
      progress_->Update("eval", ++done_, outcomes_.size());
    }
  }

  const Status& failure() const { return failure_; }
  const std::vector<Outcome>& outcomes() const { return outcomes_; }

 private:
  Status EvaluateOne(size_t i, aq_session* session) {
    Image image;
    AQ_RETURN_IF_ERROR(dataset_.Load(i, &image));
    AQ_RETURN_IF_ERROR(Classify(classifier_, image, session));
    const aq_model* model = classifier_.model.get();
    Outcome& outcome = outcomes_[i];
    outcome.hash = kFnvBasis;
    for (size_t o = 0; o < aq_model_num_outputs(model); ++o) {
      AQ_ASSIGN_OR_RETURN(const aq_tensor_info info, OutputInfo(model, o));
      outcome.hash = Fnv1a({static_cast<const uint8_t*>(aq_session_output(session, o)), info.bytes}, outcome.hash);
    }
    const std::vector<int32_t> values = OutputValues(classifier_.scores, aq_session_output(session, 0));
    const std::span<const int32_t> scores(values);
    AQ_RETURN_IF_ERROR(CheckLabel(dataset_, i, scores.size()));
    outcome.prediction = Argmax(scores);
    if (dataset_.label(i) >= 0) outcome.rank = RankOf(scores, static_cast<size_t>(dataset_.label(i)));
    return {};
  }

  const Classifier& classifier_;
  const Dataset& dataset_;
  Progress* progress_;
  std::vector<Outcome> outcomes_;
  std::atomic<size_t> next_ = 0;
  std::atomic<bool> has_failed_ = false;
  std::mutex mutex_;  // guards what follows
  size_t done_ = 0;
  size_t failed_image_ = 0;
  Status failure_;
};

}  // namespace

Status CheckLabel(const Dataset& dataset, size_t i, size_t classes) {
  const int label = dataset.label(i);
  if (label < 0 || static_cast<size_t>(label) < classes) return {};
  return Error(Code::kCorrupt, "label %d, the network has %zu classes", label, classes);
}

Result<Evaluation> Summarize(const std::vector<Outcome>& outcomes, const Dataset& dataset) {
  Evaluation evaluation;
  evaluation.images = outcomes.size();
  evaluation.output_hash = kFnvBasis;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    evaluation.predictions.push_back(outcome.prediction);
    uint8_t bytes[8];
    for (int b = 0; b < 8; ++b) bytes[b] = static_cast<uint8_t>(outcome.hash >> (8 * b));
    evaluation.output_hash = Fnv1a(bytes, evaluation.output_hash);
    if (dataset.label(i) < 0) continue;
    ++evaluation.labelled;
    evaluation.top1 += outcome.rank < 1;
    evaluation.top5 += outcome.rank < 5;
  }
  return evaluation;
}

Result<Evaluation> EvaluateAqm(const std::string& path, const Dataset& dataset, const EvaluateOptions& options,
                               Progress* progress) {
  AQ_ASSIGN_OR_RETURN(const Classifier classifier, OpenClassifier(path));
  const size_t count = options.limit == 0 ? dataset.size() : std::min(options.limit, dataset.size());
  const size_t workers = std::clamp<size_t>(static_cast<size_t>(options.threads), 1, count);
  std::vector<SessionPtr> sessions;
  for (size_t i = 0; i < workers; ++i) {
    AQ_ASSIGN_OR_RETURN(SessionPtr session,
                        CreateSession(classifier.model.get(), options.session_threads, options.isa));
    sessions.push_back(std::move(session));
  }
  AqmWorkers work(classifier, dataset, count, progress);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 1; i < workers; ++i) threads.emplace_back([&work, &sessions, i] { work.Work(sessions[i].get()); });
    work.Work(sessions[0].get());
  }
  if (!work.failure().ok()) return work.failure();
  return Summarize(work.outcomes(), dataset);
}

#ifndef AQ_HAVE_CONVERTER
Result<Evaluation> EvaluateOnnx(const std::string& path, const Dataset&, const EvaluateOptions&, Progress*) {
  return Error(Code::kUnsupported, "%s: this aq was built without the converter and reads only .aqm", path.c_str());
}
#endif

}  // namespace aq::tools
