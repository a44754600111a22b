// SPDX-License-Identifier: Apache-2.0
// `aq inspect`: a description of an .aqm as text or JSON. Loading it checks structure, checksums and meaning; --verify
// also plans and prepares it for this machine.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tools/aqm_model.h"
#include "tools/commands/commands.h"
#include "tools/exit_codes.h"

namespace aq::tools {
namespace {

struct Flags {
  std::string model;
  std::string format = "text";
  bool is_verify = false, is_plan = false;
};

int Inspect(const Flags& flags, const CommonFlags& common) {
  const Result<ModelPtr> model = LoadModel(flags.model);
  if (!model.ok()) return Fail(model.status());
  char* description = nullptr;
  const aq_status status = aq_model_describe(model.value().get(), flags.format.c_str(), &description);
  const TextPtr owner(description);
  if (status != AQ_OK) return Fail(Error(CodeOf(status), "%s: %s", flags.model.c_str(), aq_status_string(status)));
  std::fputs(description, stdout);
  const bool shows_plan = flags.is_plan || common.is_verbose;
  if (!flags.is_verify && !shows_plan) return kExitOk;
  const Result<SessionPtr> session = CreateSession(model.value().get(), 1, "");
  if (!session.ok()) return Fail(session.status());
  if (shows_plan && flags.format == "text") std::fputs(aq_session_plan(session.value().get()), stdout);
  // stderr: standard output stays one JSON document.
  if (flags.is_verify) {
    std::fprintf(stderr, "verified: structure, checksums, semantics; %zu bytes of memory to run\n",
                 aq_session_memory(session.value().get()));
  }
  return kExitOk;
}

}  // namespace

Run AddInspect(CLI::App* app, const CommonFlags* common) {
  const auto flags = std::make_shared<Flags>();
  app->add_option("model,-m,--model", flags->model, "The .aqm file")->required()->type_name("FILE");
  app->add_option("-o,--output", flags->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
  app->add_flag("--plan", flags->is_plan,
                "Also which kernel runs each operation here and, for layers, what the alternatives would cost, as a "
                "multiple of the direct tile (text only)");
  app->add_flag("--verify", flags->is_verify, "Also plan and prepare it for this machine");
  return [flags, common] { return Inspect(*flags, *common); };
}

}  // namespace aq::tools
