#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Draws the learned borders of one tensor as SVG on standard output: one row per channel, one mark per border, dashed
# lines where nearest rounding has its own. Reads what `aq convert --report-json` wrote; needs jq.
set -euo pipefail

if (($# < 1)) || [[ $1 == -h || $1 == --help ]]; then
  echo "Usage: border_picture.sh REPORT.json [TENSOR]   (without TENSOR: the one that moves most values)
Example: aq convert net.onnx -o net.aqm --recipe w2a2 --calib DATA --report-json net.json
         scripts/border_picture.sh net.json > borders.svg"
  exit $(($# < 1 ? 2 : 0))
fi

# Rounding up to code n + 1 begins where the Q.8 value gain * 256 * u + offset reaches 256 n + 128; u = x / scale. With a
# table or thresholds the value is 256 (u + zero point) and what it must exceed is written down.
jq -er --arg tensor "${2:-}" '
  [(.borders // [])[] | select((.gain // .thresholds // .border // []) != [])] as $learned
  | (if $tensor == "" then $learned | max_by(.moved_percent) else $learned[] | select(.tensor == $tensor) end)
  | if . == null then error("no learned border" + (if $tensor == "" then "" else " of " + $tensor end)) else . end
  | .zero_point as $z | (pow(2; .bits) | floor) as $levels
  | (if (.gain // []) != [] then
       [.gain, .offset] | transpose | map(. as [$g, $o] | [range($levels - 1) | (256 * . + 128 - $o) / (256 * $g)])
     elif (.thresholds // []) != [] then
       [.thresholds | _nwise(3) | map((. + 1) / 256 - $z)]
     else [[.border as $b | range($levels - 1) | . + ($b[.] + 1) / 256 - $z]] end) as $rows
  | 640 as $width | 40 as $left | (600 / $levels) as $cell | 7 as $step | (30 + $step * ($rows | length)) as $bottom
  | def at: ($left + (. + $z) * $cell | . * 10 | round / 10);
  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\($width)\" height=\"\($bottom + 44)\" font-family=\"sans-serif\" font-size=\"11\">",
  "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
  "<text x=\"\($left)\" y=\"16\">\(.tensor), \(.bits) bits; \(.moved_percent * 10 | round / 10) % of values get another code</text>",
  (range($levels - 1) | . + 0.5 - $z | "<line x1=\"\(at)\" x2=\"\(at)\" y1=\"24\" y2=\"\($bottom)\" stroke=\"#999\" stroke-dasharray=\"4 3\"/>"),
  ($rows | to_entries[] | .key as $c | .value | to_entries[]
   | "<circle cx=\"\(.value | at)\" cy=\"\(30 + $step * $c)\" r=\"2.5\" fill=\"\(["#1f77b4", "#d62728", "#2ca02c"][.key % 3])\"/>"),
  (range($levels) | . - $z | "<line x1=\"\(at)\" x2=\"\(at)\" y1=\"\($bottom)\" y2=\"\($bottom + 5)\" stroke=\"black\"/><text x=\"\(at)\" y=\"\($bottom + 18)\" text-anchor=\"middle\">\(.)</text>"),
  "<line x1=\"\($left)\" x2=\"\($width)\" y1=\"\($bottom)\" y2=\"\($bottom)\" stroke=\"black\"/>",
  "<text x=\"\($left)\" y=\"\($bottom + 36)\">activation / step; a dot: from here up to the next code; dashed: nearest rounding; one row per channel</text>",
  "</svg>"' "$1"
