// SPDX-License-Identifier: Apache-2.0
// --preset --mean --std --color --crop, the same for `convert` and `eval`.
#pragma once

#include <CLI/CLI.hpp>

#include "tools/preprocess.h"

namespace aq::tools {

inline void AddPreprocessFlags(CLI::App* app, PreprocessFlags* flags) {
  app->add_option("--preset", flags->preset, "mean, std and colour order: imagenet, half, caffe or raw (raw)")
      ->check(CLI::IsMember({"imagenet", "half", "caffe", "raw"}))
      ->type_name("NAME");
  app->add_option("--mean", flags->mean, "input = (pixel - mean) / std, pixels 0..255; one value or one per channel")
      ->type_name("R,G,B");
  app->add_option("--std", flags->stddev, "See --mean")->type_name("R,G,B");
  app->add_option("--color", flags->color, "Channel order the network wants: rgb, bgr or gray (rgb)")
      ->check(CLI::IsMember({"rgb", "bgr", "gray"}))
      ->type_name("ORDER");
  app->add_option("--crop", flags->crop, "Centre crop of N x N pixels; images are never resized")
      ->check(CLI::Range(0, 65536))
      ->type_name("N");
}

}  // namespace aq::tools
