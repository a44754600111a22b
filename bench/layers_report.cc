// SPDX-License-Identifier: Apache-2.0
// Implements layers.h: the table as md or JSON.
#include "bench/layers.h"
#include "runtime/include/aq/aq.h"
#include "tools/json.h"

namespace aq::bench {
namespace {

using tools::Format;
using tools::JsonString;

double Rate(double macs, double ms) { return ms > 0 ? macs / ms * 1e-6 : 0; }  // GMAC/s

// Of the whole network: each layer as often as it occurs.
struct Totals {
  double macs = 0, aq_ms = 0;
  double at_peak_ms = 0;  // were every layer as fast as its bound
  std::vector<double> rival_ms;
};

// Of the layers whose names begin with `kind`.
Totals TotalsOf(const LayerTable& table, const std::string& kind) {
  Totals totals;
  totals.rival_ms.resize(table.rivals.size());
  for (const LayerTime& layer : table.layers) {
    if (!layer.name.starts_with(kind)) continue;
    const double macs = static_cast<double>(layer.macs) * layer.count;
    totals.macs += macs;
    totals.aq_ms += layer.aq_ms * layer.count;
    if (layer.peak > 0) totals.at_peak_ms += macs / layer.peak * 1e-6;
    for (size_t i = 0; i < layer.rival_ms.size(); ++i) totals.rival_ms[i] += layer.rival_ms[i] * layer.count;
  }
  return totals;
}

std::string RivalCells(double aq_ms, const std::vector<double>& rival_ms) {
  std::string text;
  for (const double ms : rival_ms) text += Format(" %.4f | %.2f |", ms, ms / aq_ms);
  return text;
}

std::string TotalsRow(const char* name, const Totals& totals) {
  return Format("| %s | | | %.2f | | %.4f | %.1f | %.0f |", name, totals.macs * 1e-6, totals.aq_ms,
                Rate(totals.macs, totals.aq_ms), 100 * totals.at_peak_ms / totals.aq_ms) +
         RivalCells(totals.aq_ms, totals.rival_ms) + "\n";
}

std::string BitsName(const LayerBits& bits) { return Format("w%da%d", bits.weights, bits.input); }

std::string Markdown(const LayerTable& table) {
  std::string text = table.network + " " + table.bits + " on " + table.isa + ", borders " +
                     (table.border == Border::kTable ? "table" : "nearest") +
                     "; one thread, CPU time, medians of interleaved calls\n";
  for (const Rival& rival : table.rivals) text += rival.name + ": " + rival.description + "\n";
  text += "\n| layer | bits | count | MMAC | kernel | aq ms | GMAC/s | % of peak |";
  std::string rule = "\n|---|---|---:|---:|---|---:|---:|---:|";
  for (const Rival& rival : table.rivals) {
    text += " " + rival.name + " ms | aq is faster |";
    rule += "---:|---:|";
  }
  text += rule + "\n";
  for (const LayerTime& layer : table.layers) {
    const double macs = static_cast<double>(layer.macs), rate = Rate(macs, layer.aq_ms);
    text += "| " + layer.name + " | " + BitsName(layer.bits);
    text += Format(" | %d | %.2f | ", layer.count, macs * 1e-6) + layer.kernel;
    text += Format(" | %.4f | %.1f | %.0f |", layer.aq_ms, rate, layer.peak > 0 ? 100 * rate / layer.peak : 0) +
            RivalCells(layer.aq_ms, layer.rival_ms) + "\n";
  }
  for (const char* kind : {"conv", "dw", "dense"}) {
    const Totals totals = TotalsOf(table, kind);
    if (totals.macs > 0) text += TotalsRow((std::string("all ") + kind).c_str(), totals);
  }
  text += TotalsRow("network", TotalsOf(table, "")) + "\nPeaks, measured in the same rounds:";
  std::vector<std::string> seen;
  for (const LayerTime& layer : table.layers) {
    bool is_new = true;
    for (const std::string& bound : seen) is_new = is_new && bound != layer.bound;
    if (!is_new) continue;
    seen.push_back(layer.bound);
    text += Format("\n- %s: %.1f GMAC/s (%s)", layer.bound.c_str(), layer.peak, BitsName(layer.bits).c_str());
  }
  return text + "\n";
}

// A peer that did not run is null.
std::string JsonOfRival(const LayerTable& table, const char* name, const std::vector<double>& values) {
  for (size_t i = 0; i < table.rivals.size(); ++i) {
    if (table.rivals[i].name == name) return Format("%.6f", values[i]);
  }
  return "null";
}

std::string JsonTimes(const LayerTable& table, double aq_ms, const std::vector<double>& rival_ms) {
  return Format("\"aq_ms\": %.6f", aq_ms) + ", \"xnnpack_ms\": " + JsonOfRival(table, "xnnpack", rival_ms) +
         ", \"onednn_ms\": " + JsonOfRival(table, "onednn", rival_ms);
}

std::string Json(const LayerTable& table) {
  std::string text =
      "{\n  \"isa\": " + JsonString(table.isa) + ",\n  \"bits\": " + JsonString(table.bits) + ",\n  \"layers\": [";
  const char* separator = "\n";
  for (const LayerTime& layer : table.layers) {
    text += std::string(separator) + "    {\"name\": " + JsonString(layer.name) +
            Format(", \"count\": %d, \"macs\": %llu, ", layer.count, static_cast<unsigned long long>(layer.macs)) +
            JsonTimes(table, layer.aq_ms, layer.rival_ms) + "}";
    separator = ",\n";
  }
  const Totals totals = TotalsOf(table, "");
  std::vector<double> ratios;
  for (const double ms : totals.rival_ms) ratios.push_back(ms / totals.aq_ms);
  return text + "\n  ],\n  \"total\": {" + JsonTimes(table, totals.aq_ms, totals.rival_ms) +
         "},\n  \"ratio\": {\"xnnpack\": " + JsonOfRival(table, "xnnpack", ratios) +
         ", \"onednn\": " + JsonOfRival(table, "onednn", ratios) + "}\n}\n";
}

}  // namespace

std::string ReportLayers(const LayerTable& table, const std::string& format) {
  return format == "json" ? Json(table) : Markdown(table);
}

}  // namespace aq::bench
