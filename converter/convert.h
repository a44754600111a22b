// SPDX-License-Identifier: Apache-2.0
// The converter as a library: Graph + calibration images + options -> .aqm bytes, checked bit for bit against the
// runtime.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "converter/graph.h"
#include "runtime/status.h"

namespace aq::converter {

struct Preprocess {  // input = (pixel - mean) / std, per channel of the network's own channel order
  std::vector<float> mean = {0}, stddev = {1};  // 1 or C entries
  std::string color = "rgb";                    // rgb, bgr, gray: channel order the network wants
  int crop = 0;                                 // centre crop, 0 = none
  bool IsIdentity() const;
};

// Calibration images as the network's uint8 input codes, channels last, after crop and colour order.
class ImageSource {
 public:
  virtual ~ImageSource() = default;
  virtual size_t size() const = 0;
  // [h][w][c] bytes of image i; kCorrupt etc. on failure. Deterministic.
  virtual Status Load(size_t i, std::vector<uint8_t>* pixels) const = 0;
};

// Each 2, 4 or 8. residual: of what a sum adds to its product, may be 0: whatever the other readers asked for.
struct Bits {
  int weights = 8, activations = 8, residual = 0;
};
Result<Bits> ParseRecipe(const std::string& text);  // "w4a8", "w2a2r8"

enum class Edges { kQdrop, kBrecq };
// kCosine: largest cosine similarity, as in EasyQuant. kAciq: the analytic clip of a Laplace distribution.
enum class Ranges { kMinMax, kPercentile, kMse, kCosine, kAciq };
// kSearch: weights to nearest, borders by derivative-free search (algorithms.md 3.5).
enum class Rounding { kNearest, kSearch, kAdaptive };
// How weights are rounded where nothing is learned. kSquant: SQuant flips codes so that errors of a kernel and of a
// channel sum to about zero.
enum class WeightCodes { kNearest, kSquant };
// What adaptive rounding learns besides weights and steps (algorithms.md 1.4), for codes of 2 and 4 bits. Where a class
// cannot be had the next simpler one is used: see unit_network.h.
enum class Border { kNone, kAffine, kAffineChannel, kFree, kFreeChannel };
const char* BorderName(Border border);  // "affine-channel"
// What reconstruction learns at once (units.h). kBlock: residual blocks, as BRECQ and QDrop. kLayer: as AdaRound.
enum class UnitKind { kBlock, kLayer };
const char* UnitKindName(UnitKind kind);  // "block"

struct ConvertOptions {
  Bits bits;
  std::vector<std::pair<std::string, Bits>> layers;  // regex on node names, later wins; after the edges protocol
  Edges edges = Edges::kQdrop;
  Ranges ranges = Ranges::kMse;
  bool asymmetric_weights = true;
  bool bias_correction = true;
  Rounding rounding = Rounding::kNearest;
  WeightCodes weight_codes = WeightCodes::kNearest;
  bool equalize = false;      // cross-layer equalisation (DFQ) before anything else
  bool channel_steps = true;  // channels that depthwise layers read get steps of their own: channel_steps.h
  // For adaptive rounding; chosen on held-back calibration images, docs/accuracy.md.
  Border border = Border::kAffineChannel;
  UnitKind unit_kind = UnitKind::kBlock;
  int64_t iterations = 300;        // of each unit's reconstruction
  bool learn_biases = true;        // reconstruction moves biases, too
  int64_t tune_iterations = 1000;  // of the whole network after the last unit; 0: none
  uint64_t seed = 1;
  int num_threads = 1;
  size_t calibration_count = 256;  // images used, at most the source's size
  size_t check_count = 32;         // images of the final bit-exactness check
  bool measure_borders = false;    // ConvertReport::borders and LayerReport::own_sqnr_db: the check takes twice as long
  size_t max_memory_bytes = size_t{4} << 30;  // of reconstruction's caches; what exceeds it goes to scratch_folder
  std::string scratch_folder = ".";
  std::string checkpoint;   // file written after each unit of reconstruction; empty: none
  bool is_resumed = false;  // continue from `checkpoint` if it exists
  Preprocess preprocess;
  std::map<std::string, std::string> metadata;  // recipe, labels, licence, calibration: stored as given
};

struct LayerReport {
  std::string name, op, kernel_bits;  // "w4a4"
  double sqnr_db = 0;                 // cumulative: quantised network against float, this op's output
  double own_sqnr_db = -1;            // this op alone, on rounded inputs of the float network; negative: not measured
  double weight_sqnr_db = 0;
  double clipped_percent = 0;  // activations outside the range
};
// One reconstructed unit. Losses: squared error of its output, summed over channels, mean over images and pixels.
struct UnitReport {
  std::string first, last;  // node names
  bool is_trained = false;  // false: nothing below 8 bits to learn
  double loss_before = 0, loss_after = 0, seconds = 0;
};
// Tuning of the whole network. Divergences of the quantised from the float outputs on held-back images (losses.h).
struct TuneReport {
  int64_t iterations = 0;  // 0: not tuned
  double rate = 1;         // of the attempt reported: the first, or a slower second one
  double divergence_before = 0, divergence_after = 0, seconds = 0;
  bool is_kept = false;  // false: it did not help, so the file is as before
};
// How one stored activation is rounded: at most one of border, thresholds, and gain with offset is not empty; all empty
// is to nearest.
struct BorderReport {
  std::string tensor;
  int bits = 8, zero_point = 0;
  double scale = 1;
  std::vector<uint8_t> border;       // [16], per tensor
  std::vector<uint16_t> thresholds;  // [c][3], 2 bits
  std::vector<float> gain;           // affine, [1] or [c]: Q.8 value = x * gain * 256 / scale + offset
  std::vector<int32_t> offset;
  double moved_percent = 0;  // of the float network's values: those with another code than the nearest
};
struct ConvertReport {
  TuneReport tuning;
  std::vector<UnitReport> units;  // empty unless the rounding is adaptive
  std::vector<LayerReport> layers;
  std::vector<BorderReport> borders;
  size_t checked_tensors = 0, checked_images = 0, differences = 0;
  double seconds = 0;
  size_t file_bytes = 0;
};

using Progress = std::function<void(const char* stage, size_t done, size_t total)>;

// Without images (size() 0) ranges come from the BatchNorm statistics in the graph: statistics.h.
// The whole file in memory: the caller writes it atomically (WriteFileAtomically). kQuality when the runtime and the
// simulation differ. Same inputs, options and seed -> same bytes, whatever num_threads.
Result<std::vector<uint8_t>> Convert(const Graph& graph, const ImageSource& images, const ConvertOptions& options,
                                     const Progress& progress, ConvertReport* report);

// Temporary file in the same folder, fsync, rename, fsync folder; sweeps stale temporaries of its own.
Status WriteFileAtomically(const std::string& path, const std::vector<uint8_t>& bytes);

}  // namespace aq::converter
