// SPDX-License-Identifier: Apache-2.0
// Implements convert_report.h.
#include "tools/convert_report.h"

#include <cmath>
#include <cstdio>

#include "tools/json.h"

namespace aq::tools {
namespace {

// JSON has no infinity: an exact layer's SQNR is null.
std::string Number(double value) { return std::isfinite(value) ? Format("%.4g", value) : "null"; }

// "name": [1, 2], with a comma before; nothing if there are no values.
template <class T>
std::string Array(const char* name, const std::vector<T>& values) {
  std::string text;
  for (const T value : values) text += (text.empty() ? "" : ", ") + Format("%.6g", static_cast<double>(value));
  return values.empty() ? "" : Format(", \"%s\": [", name) + text + "]";
}

const char* KindName(const converter::BorderReport& border) {
  if (!border.thresholds.empty()) return "thresholds";
  if (!border.border.empty()) return "table";
  return border.gain.empty() ? "nearest" : "affine";
}

std::string BorderJson(const converter::BorderReport& border) {
  return "{\"tensor\": " + JsonString(border.tensor) + ", \"kind\": \"" + KindName(border) + "\"" +
         Format(", \"bits\": %d, \"zero_point\": %d, \"scale\": %.9g", border.bits, border.zero_point, border.scale) +
         ", \"moved_percent\": " + Number(border.moved_percent) + Array("border", border.border) +
         Array("thresholds", border.thresholds) + Array("gain", border.gain) + Array("offset", border.offset) + "}";
}

}  // namespace

std::string ReportSummary(const std::string& path, const converter::ConvertOptions& options,
                          const converter::ConvertReport& report) {
  return Format("%s: %.1f KiB, w%da%d, %zu layers, %zu calibration images, %.1f s\n", path.c_str(),
                static_cast<double>(report.file_bytes) / 1024, options.bits.weights, options.bits.activations,
                report.layers.size(), options.calibration_count, report.seconds) +
         Format("bit-exact: %zu tensors x %zu images, %zu differences\n", report.checked_tensors, report.checked_images,
                report.differences);
}

std::string ReportTable(const converter::ConvertReport& report) {
  std::string text = "| layer | op | bits | SQNR dB | weight SQNR dB | clipped % |\n|---|---|---|---:|---:|---:|\n";
  for (const converter::LayerReport& layer : report.layers) {
    text += "| " + layer.name + " | " + layer.op + " | " + layer.kernel_bits + " | " +
            Format("%.1f | %.1f | %.2f |\n", layer.sqnr_db, layer.weight_sqnr_db, layer.clipped_percent);
  }
  return text;
}

std::string ReportJson(const std::string& path, const converter::ConvertReport& report) {
  std::string layers;
  for (const converter::LayerReport& layer : report.layers) {
    layers += layers.empty() ? "\n" : ",\n";
    layers += Format("    {\"name\": ") + JsonString(layer.name) + ", \"op\": " + JsonString(layer.op) +
              ", \"bits\": " + JsonString(layer.kernel_bits) + ", \"sqnr_db\": " + Number(layer.sqnr_db) +
              ", \"own_sqnr_db\": " + (layer.own_sqnr_db < 0 ? "null" : Number(layer.own_sqnr_db)) +
              ", \"weight_sqnr_db\": " + Number(layer.weight_sqnr_db) +
              ", \"clipped_percent\": " + Number(layer.clipped_percent) + "}";
  }
  std::string units;
  for (const converter::UnitReport& unit : report.units) {
    units += units.empty() ? "\n" : ",\n";
    units += "    {\"first\": " + JsonString(unit.first) + ", \"last\": " + JsonString(unit.last) +
             ", \"trained\": " + (unit.is_trained ? "true" : "false") +
             ", \"loss_before\": " + Number(unit.loss_before) + ", \"loss_after\": " + Number(unit.loss_after) +
             Format(", \"seconds\": %.2f}", unit.seconds);
  }
  const converter::TuneReport& tuning = report.tuning;
  const std::string tuned =
      Format("  \"tuning\": {\"iterations\": %lld, \"kept\": %s, \"rate\": %.1f, \"divergence_before\": ",
             static_cast<long long>(tuning.iterations), tuning.is_kept ? "true" : "false", tuning.rate) +
      Number(tuning.divergence_before) + ", \"divergence_after\": " + Number(tuning.divergence_after) +
      Format(", \"seconds\": %.2f},\n", tuning.seconds);
  std::string borders;
  for (const converter::BorderReport& border : report.borders)
    borders += (borders.empty() ? "\n    " : ",\n    ") + BorderJson(border);
  return "{\n  \"schema_version\": 1,\n  \"model\": " + JsonString(path) +
         Format(",\n  \"file_bytes\": %zu,\n  \"seconds\": %.3f,\n", report.file_bytes, report.seconds) +
         Format("  \"checked_tensors\": %zu,\n  \"checked_images\": %zu,\n  \"differences\": %zu,\n",
                report.checked_tensors, report.checked_images, report.differences) +
         (units.empty() ? "" : "  \"units\": [" + units + "\n  ],\n") + (tuning.iterations == 0 ? "" : tuned) +
         (borders.empty() ? "" : "  \"borders\": [" + borders + "\n  ],\n") + "  \"layers\": [" + layers + "\n  ]\n}\n";
}

}  // namespace aq::tools
