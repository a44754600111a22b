// SPDX-License-Identifier: Apache-2.0
// Implements report.h.
#include "bench/report.h"

#include <filesystem>

#include "bench/statistics.h"
#include "runtime/include/aq/aq.h"
#include "tools/json.h"

namespace aq::bench {
namespace {

using tools::Format;
using tools::JsonString;

std::string ModelName(const MeasureOptions& options) {
  return options.name.empty() ? std::filesystem::path(options.model).stem().string() : options.name;
}

double Rate(uint64_t macs, double ms) { return ms > 0 ? static_cast<double>(macs) / ms * 1e-6 : 0; }  // GMAC/s

double Total(const std::vector<OpTime>& ops) {
  double ms = 0;
  for (const OpTime& op : ops) ms += op.ms;
  return ms;
}

double Mebibytes(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::string Markdown(const std::vector<Run>& runs) {
  std::string text =
      "| model | size MiB | threads | runs | mean ms | sd | min | p50 | p90 | p99 | first | load | GMAC/s | peak "
      "MiB | cpu p50 |\n"
      "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const auto& [options, m] : runs) {
    const Statistics s = Summarize(m.samples_ns);
    text += "| " + ModelName(options);
    text +=
        Format(" | %.2f | %d | %zu | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f | %.2f | %.1f | %.1f | %.3f |\n",
               Mebibytes(m.file_bytes), options.num_threads, m.samples_ns.size(), s.mean, s.sd, s.min, s.median, s.p90,
               s.p99, m.first_run_ms, m.load_ms + m.prepare_ms, Rate(m.macs, s.mean), Mebibytes(m.peak_rss_bytes),
               Summarize(m.cpu_samples_ns).median);
  }
  for (const auto& [options, m] : runs) {
    if (m.ops.empty()) continue;
    text += Format("\n| op, threads: %d | type | kernel | ms | %% | GMAC/s |\n|---|---|---|---:|---:|---:|\n",
                   options.num_threads);
    const double total = Total(m.ops);
    for (const OpTime& op : m.ops) {
      text += "| " + op.name + " | " + op.type + " | " + op.kernel;
      text += Format(" | %.4f | %.1f | %.1f |\n", op.ms, total > 0 ? 100 * op.ms / total : 0, Rate(op.macs, op.ms));
    }
  }
  return text;
}

// A name with a comma or quote is quoted, as in RFC 4180.
std::string Cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

std::string OpsCsv(const std::vector<Run>& runs) {
  std::string text = "op,type,kernel,ms,percent,gmac_per_s,num_threads\n";
  for (const auto& [options, m] : runs) {
    const double total = Total(m.ops);
    for (const OpTime& op : m.ops) {
      text += Cell(op.name) + "," + Cell(op.type) + "," + Cell(op.kernel);
      text += Format(",%.6f,%.2f,%.3f,%d\n", op.ms, total > 0 ? 100 * op.ms / total : 0, Rate(op.macs, op.ms),
                     options.num_threads);
    }
  }
  return text;
}

std::string Csv(const std::vector<Run>& runs) {
  if (!runs.front().measurement.ops.empty()) return OpsCsv(runs);
  std::string text =
      "model,file_bytes,num_threads,runs,mean_ms,sd_ms,min_ms,median_ms,p90_ms,p99_ms,first_run_ms,load_ms,"
      "prepare_ms,macs,gmac_per_s,session_bytes,peak_rss_bytes,median_cpu_ms\n";
  for (const auto& [options, m] : runs) {
    const Statistics s = Summarize(m.samples_ns);
    text += Cell(ModelName(options));
    text += Format(",%llu,%d,%zu,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%llu,%.3f,%llu,%llu,%.6f\n",
                   static_cast<unsigned long long>(m.file_bytes), options.num_threads, m.samples_ns.size(), s.mean,
                   s.sd, s.min, s.median, s.p90, s.p99, m.first_run_ms, m.load_ms, m.prepare_ms,
                   static_cast<unsigned long long>(m.macs), Rate(m.macs, s.mean),
                   static_cast<unsigned long long>(m.session_bytes), static_cast<unsigned long long>(m.peak_rss_bytes),
                   Summarize(m.cpu_samples_ns).median);
  }
  return text;
}

std::string JsonOfRun(const Run& run) {
  const auto& [options, m] = run;
  const Statistics s = Summarize(m.samples_ns);
  std::string text =
      "{\n  \"schema_version\": 1,\n  \"model\": " + JsonString(options.name.empty() ? options.model : options.name) +
      ",\n  \"version\": " + JsonString(aq_version()) + ",\n  \"build\": " + JsonString(aq_build_info()) +
      ",\n  \"cpu\": " + JsonString(aq_cpu_name()) +
      ",\n  \"isa\": " + JsonString(options.isa.empty() ? aq_isa_usable() : options.isa);
  text += Format(",\n  \"num_threads\": %d,\n  \"runs\": %zu,\n  \"mean_ms\": %.6f,\n  \"sd_ms\": %.6f,\n",
                 options.num_threads, m.samples_ns.size(), s.mean, s.sd);
  text += Format("  \"min_ms\": %.6f,\n  \"median_ms\": %.6f,\n  \"p90_ms\": %.6f,\n  \"p99_ms\": %.6f,\n", s.min,
                 s.median, s.p90, s.p99);
  text += Format("  \"max_ms\": %.6f,\n  \"first_run_ms\": %.6f,\n  \"load_ms\": %.6f,\n  \"prepare_ms\": %.6f,\n",
                 s.max, m.first_run_ms, m.load_ms, m.prepare_ms);
  text += Format("  \"macs\": %llu,\n  \"gmac_per_s\": %.3f,\n", static_cast<unsigned long long>(m.macs),
                 Rate(m.macs, s.mean));
  text += Format("  \"file_bytes\": %llu,\n  \"session_bytes\": %llu,\n  \"peak_rss_bytes\": %llu,\n",
                 static_cast<unsigned long long>(m.file_bytes), static_cast<unsigned long long>(m.session_bytes),
                 static_cast<unsigned long long>(m.peak_rss_bytes));
  text += Format("  \"median_cpu_ms\": %.6f,\n", Summarize(m.cpu_samples_ns).median);
  text += "  \"samples_ns\": [";
  for (size_t i = 0; i < m.samples_ns.size(); ++i) {
    text += Format("%s%llu", i == 0 ? "" : ", ", static_cast<unsigned long long>(m.samples_ns[i]));
  }
  text += "],\n  \"ops\": [";
  for (size_t i = 0; i < m.ops.size(); ++i) {
    const OpTime& op = m.ops[i];
    text += Format("%s\n    {\"name\": ", i == 0 ? "" : ",");
    text += JsonString(op.name) + ", \"type\": " + JsonString(op.type) + ", \"kernel\": " + JsonString(op.kernel);
    text += Format(", \"ms\": %.6f, \"macs\": %llu}", op.ms, static_cast<unsigned long long>(op.macs));
  }
  return text + (m.ops.empty() ? "]\n}" : "\n  ]\n}");
}

// One object; with several numbers of threads an array of them.
std::string Json(const std::vector<Run>& runs) {
  if (runs.size() == 1) return JsonOfRun(runs.front()) + "\n";
  std::string text;
  for (const Run& run : runs) text += (text.empty() ? "[" : ",\n") + JsonOfRun(run);
  return text + "]\n";
}

// What compare.py needs of an entry; wall time stands for CPU time, which is not measured.
std::string GoogleBenchmarkEntry(const Run& run, size_t family, const char* aggregate, double ms) {
  const std::string name = ModelName(run.options) + "/threads:" + std::to_string(run.options.num_threads);
  const bool is_run = aggregate[0] == 0;
  const std::string suffix = is_run ? "" : std::string("_") + aggregate;
  std::string text = "    {\"name\": " + JsonString(name + suffix) + ", \"run_name\": " + JsonString(name);
  text += Format(", \"run_type\": \"%s\", ", is_run ? "iteration" : "aggregate");
  if (!is_run) text += Format("\"aggregate_name\": \"%s\", \"aggregate_unit\": \"time\", ", aggregate);
  text += Format("\"family_index\": %zu, \"per_family_instance_index\": 0, \"repetitions\": 1, \"threads\": %d, ",
                 family, run.options.num_threads);
  if (is_run) text += "\"repetition_index\": 0, ";
  return text + Format("\"iterations\": %zu, \"real_time\": %.6f, \"cpu_time\": %.6f, \"time_unit\": \"ms\"}",
                       run.measurement.samples_ns.size(), ms, ms);
}

std::string GoogleBenchmark(const std::vector<Run>& runs) {
  std::string text = "{\n  \"context\": {\"executable\": \"aq_bench\", \"library_build_type\": \"release\", \"cpu\": " +
                     JsonString(aq_cpu_name()) + ", \"aq_version\": " + JsonString(aq_version()) +
                     "},\n  \"benchmarks\": [";
  for (size_t i = 0; i < runs.size(); ++i) {
    const Statistics s = Summarize(runs[i].measurement.samples_ns);
    text += (i == 0 ? "\n" : ",\n") + GoogleBenchmarkEntry(runs[i], i, "", s.mean) + ",\n" +
            GoogleBenchmarkEntry(runs[i], i, "mean", s.mean) + ",\n" +
            GoogleBenchmarkEntry(runs[i], i, "median", s.median) + ",\n" +
            GoogleBenchmarkEntry(runs[i], i, "stddev", s.sd);
  }
  return text + "\n  ]\n}\n";
}

struct Writer {
  const char* format;
  std::string (*write)(const std::vector<Run>&);
};
constexpr Writer kWriters[] = {{"md", Markdown}, {"csv", Csv}, {"json", Json}, {"gbench", GoogleBenchmark}};

}  // namespace

std::string Report(const std::string& format, const std::vector<Run>& runs) {
  for (const Writer& writer : kWriters) {
    if (format == writer.format) return writer.write(runs);
  }
  return {};
}

std::string Context(const std::string& isa) {
  return std::string("aq_bench ") + aq_version() + " (" + aq_build_info() + ")  " + aq_cpu_name() + "  isa " +
         (isa.empty() ? aq_isa_usable() : isa.c_str()) + "\n";
}

}  // namespace aq::bench
