#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures everything in bench/report.md and prints it as that file. Not a test: nothing fails when it is slow.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ "${1:-}" == -h || "${1:-}" == --help ]]; then
  cat <<'TEXT'
Usage: report.sh [BIN] >bench/report.md
BIN is the folder with aq_bench (build/release/bin); MIN_SECS (0.5) the seconds at least for each layer and network.
TEXT
  exit 0
fi
bench=${1:-build/release/bin}/aq_bench
min_secs=${MIN_SECS:-0.5}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

load() { cut -d ' ' -f 1 /proc/loadavg; }
layers() { "$bench" --quiet --min-secs "$min_secs" --layers "$@"; }
# An ISA that this machine, and kernels of this build, have.
has_isa() {
  "$bench" --quiet --synthetic mobilenet_v2 --isa "$1" --num-runs 1 --min-secs 0 --warmup-runs 0 >"$folder/isa" 2>&1
}

# network -> one JSON file per ISA and bits in $folder, over those of the network before.
measure_all() {
  local isa bits
  for isa in "${isas[@]}"; do
    for bits in w8a8 w4a8 w2a8 w4a4 w2a2; do
      layers "$1" --bits "$bits" --isa "$isa" --against xnnpack,onednn -o json >"$folder/${isa}_$bits.json"
    done
  done
}
# isa bits -> "| isa | bits | aq | xnnpack | faster | onednn | faster |" of the layers whose names begin with `$3`.
sum_row() {
  jq -r --arg kind "$3" '
    def ms: . * 1000 | round / 1000;
    def ratio: . * 100 | round / 100;
    [.layers[] | select(.name | startswith($kind))] as $l
    | [($l | map(.count * .aq_ms) | add), ($l | map(.count * .xnnpack_ms) | add), ($l | map(.count * .onednn_ms) | add)]
      as [$aq, $xnnpack, $onednn]
    | "| \(.isa) | \(.bits) | \($aq | ms) | \($xnnpack | ms) | \($xnnpack / $aq | ratio) | \($onednn | ms) " +
      "| \($onednn / $aq | ratio) |"
    ' "$folder/$1_$2.json"
}
sum_table() {
  echo "| isa | bits | aq ms | xnnpack ms | aq is faster | onednn ms | aq is faster |"
  echo "|---|---|---:|---:|---:|---:|---:|"
  local isa bits
  for isa in "${isas[@]}"; do
    for bits in w8a8 w4a8 w2a8 w4a4 w2a2; do sum_row "$isa" "$bits" "$1"; done
  done
}

isas=()
for isa in avx2 avxvnni avx512vnni; do
  if has_isa "$isa"; then isas+=("$isa"); fi
done
load_before=$(load)

cat <<TEXT
# Measured

Made by \`bench/report.sh >bench/report.md\`; each table is one call of \`aq_bench\`, whose \`--help\` shows the modes.

- $("$bench" --synthetic mobilenet_v2 --num-runs 1 --min-secs 0 --warmup-runs 0 2>&1 >"$folder/none" | tr -s ' ')
- $(nproc) cores, $(date -u +%Y-%m-%d); 1-minute load when this began: $load_before, when it ended: last line. A load above the number of
  cores means that the machine was busy with other jobs: then wall times and 2 threads say nothing.
- Times of layers are CPU time of one thread, medians; ours, the peers' and the instructions that bound us take turns
  call by call, so ratios and percentages hold on a busy machine, milliseconds less so.
- "aq is faster" is their time through ours. XNNPACK and oneDNN run int8 whatever the bits of ours; on avx2 oneDNN adds
  byte products with saturation (pmaddubsw), so its results may differ from the exact ones; ours do not.
- First and last layer are 8-bit throughout. A layer is timed without its residual; a network with it.

## Limits of this core

$("$bench" --quiet --peak --num-runs 201)

TEXT

measure_all resnet18
echo "## ResNet-18, sum of its layers"
echo
sum_table ""
echo
echo "Its first layer, 7x7 with 3 channels:"
echo
echo "| isa | bits | aq ms | xnnpack ms | aq is faster | onednn ms | aq is faster |"
echo "|---|---|---:|---:|---:|---:|---:|"
for isa in "${isas[@]}"; do sum_row "$isa" w8a8 "conv 7x7"; done
echo
for isa in "${isas[@]}"; do
  for bits in w8a8 w2a2; do
    echo "### Its layers: $isa, $bits"
    echo
    layers resnet18 --bits "$bits" --isa "$isa" --against xnnpack,onednn
    echo
  done
done

measure_all mobilenet_v2
echo "## MobileNetV2, sum of its layers"
echo
sum_table ""
echo
echo "Its depthwise layers:"
echo
sum_table "dw"
echo

echo "## Learned borders against nearest, ResNet-18"
echo
echo "| isa | bits | table ms | nearest ms | nearest through table |"
echo "|---|---|---:|---:|---:|"
for isa in "${isas[@]}"; do
  for bits in w8a8 w4a4 w2a2; do
    layers resnet18 --bits "$bits" --isa "$isa" --border table |
      awk -F '|' -v isa="$isa" -v bits="$bits" '$2 == " network " { print "| " isa " | " bits " |" $7 "|" $10 "|" $11 "|" }'
  done
done
echo
echo "## Whole networks, made-up weights"
echo
echo "Wall time of a run, CPU time of a run (all threads), file, peak memory of the process (MiB). Of three processes each"
echo "the one with the least median: two virtual cores may be one core for a while, and then 2 threads take half as long again."
echo
for network in resnet18 mobilenet_v2; do
  for bits in w8a8 w4a8 w4a4 w2a2; do
    for _ in 1 2 3; do
      "$bench" --quiet --synthetic "$network" --bits "$bits" --num-threads 1,2 --min-secs "$min_secs"
    done
  done
done | awk -F '|' '
  NR <= 2 { print }
  $2 ~ /_/ {
    key = $2 SUBSEP $4; median = $9 + 0
    if (!(key in least)) order[++n] = key
    if (!(key in least) || median < least[key]) { least[key] = median; row[key] = $0 }
  }
  END { for (i = 1; i <= n; i++) print row[order[i]] }'
echo
echo "1-minute load at the end: $(load)."
