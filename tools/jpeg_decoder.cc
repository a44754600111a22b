// SPDX-License-Identifier: Apache-2.0
// JPEG through libjpeg-turbo with its accurate defaults (slow integer DCT, smooth upsampling), so that pixels equal
// those of the common Python loaders. libjpeg reports errors by longjmp: all state lives in one struct outside of it.
#include "tools/image_decoder.h"

// clang-format off: jpeglib.h needs FILE and size_t before it
#include <csetjmp>
#include <cstdio>
#include <jpeglib.h>
// clang-format on

namespace aq::tools {
namespace {

struct Decoder {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX] = {};
  bool is_too_long = false;
  bool is_damaged = false;
};

Decoder* DecoderOf(j_common_ptr info) { return static_cast<Decoder*>(info->client_data); }

void OnError(j_common_ptr info) {
  info->err->format_message(info, DecoderOf(info)->message);
  std::longjmp(DecoderOf(info)->escape, 1);
}

// Level -1 is a warning of damaged data ("premature end of JPEG file"): the picture would be partly made up.
void OnMessage(j_common_ptr info, int level) {
  if (level >= 0 || DecoderOf(info)->is_damaged) return;
  DecoderOf(info)->is_damaged = true;
  info->err->format_message(info, DecoderOf(info)->message);
}

void OnProgress(j_common_ptr info) {
  const int scan = reinterpret_cast<j_decompress_ptr>(info)->input_scan_number;
  if (scan <= kMaxJpegScans) return;
  DecoderOf(info)->is_too_long = true;
  std::longjmp(DecoderOf(info)->escape, 1);
}

enum class Step { kHeader, kPixels };

// No object with a destructor lives in this frame: a longjmp may leave it from any call.
bool RunStep(Decoder* decoder, Step step, uint8_t* pixels, size_t row_bytes) {
  if (setjmp(decoder->escape) != 0) return false;
  jpeg_decompress_struct* jpeg = &decoder->jpeg;
  if (step == Step::kHeader) {
    jpeg_read_header(jpeg, TRUE);
    return true;
  }
  jpeg_start_decompress(jpeg);
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW row = pixels + jpeg->output_scanline * row_bytes;
    jpeg_read_scanlines(jpeg, &row, 1);
  }
  jpeg_finish_decompress(jpeg);
  return true;
}

Status Decode(const std::vector<uint8_t>& bytes, const std::string& name, Decoder* decoder, Image* image) {
  jpeg_decompress_struct* jpeg = &decoder->jpeg;
  const auto failure = [&] {
    if (decoder->is_too_long) {
      return Error(Code::kLimit, "%s: more than %d progressive scans", name.c_str(), kMaxJpegScans);
    }
    return Error(Code::kCorrupt, "%s: JPEG: %s", name.c_str(), decoder->message);
  };
  jpeg_mem_src(jpeg, bytes.data(), static_cast<unsigned long>(bytes.size()));
  if (!RunStep(decoder, Step::kHeader, nullptr, 0)) return failure();
  if (jpeg->num_components != 1 && jpeg->num_components != 3) {
    return Error(Code::kUnsupported, "%s: JPEG of %d components, 1 or 3 expected", name.c_str(), jpeg->num_components);
  }
  const int channels = jpeg->num_components;
  jpeg->out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  AQ_RETURN_IF_ERROR(CheckImageSize(jpeg->image_height, jpeg->image_width, static_cast<uint64_t>(channels), name));
  image->h = static_cast<int>(jpeg->image_height);
  image->w = static_cast<int>(jpeg->image_width);
  image->c = channels;
  const size_t row_bytes = static_cast<size_t>(image->w) * static_cast<size_t>(channels);
  image->pixels.assign(static_cast<size_t>(image->h) * row_bytes, 0);
  if (!RunStep(decoder, Step::kPixels, image->pixels.data(), row_bytes) || decoder->is_damaged) return failure();
  return {};
}

}  // namespace

Status DecodeJpeg(const std::vector<uint8_t>& bytes, const std::string& name, Image* image) {
  Decoder decoder;
  decoder.jpeg.err = jpeg_std_error(&decoder.errors);
  decoder.errors.error_exit = OnError;
  decoder.errors.emit_message = OnMessage;
  decoder.progress.progress_monitor = OnProgress;
  decoder.jpeg.client_data = &decoder;
  if (setjmp(decoder.escape) != 0) return Error(Code::kInternal, "%s: libjpeg: %s", name.c_str(), decoder.message);
  jpeg_create_decompress(&decoder.jpeg);  // keeps err and client_data
  decoder.jpeg.progress = &decoder.progress;
  decoder.jpeg.mem->max_memory_to_use = static_cast<long>(kMaxImageBytes);
  const Status status = Decode(bytes, name, &decoder, image);
  jpeg_destroy_decompress(&decoder.jpeg);
  return status;
}

}  // namespace aq::tools
