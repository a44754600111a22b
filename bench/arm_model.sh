#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What can be said of ARM speed without ARM hardware, as Markdown on standard output. Two MODELS, no measurement:
#   1. guest instructions per multiply-accumulate of whole layers, counted in qemu, ours and XNNPACK's
#   2. cycles of the tiles' inner loops by llvm-mca: it knows the core's pipes, not its caches or predictors
# Needs scripts/test.sh --cross once (compilers, qemu, sysroot), and llvm for the second.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sysroot=${AQ_SYSROOT:-$PWD/build/sysroot-aarch64}
libraries=$sysroot/usr/lib/aarch64-linux-gnu

[[ -n ${AQ_NO_BUILD:-} ]] || scripts/build.sh aarch64 aq_kernels aq_platforms >&2
gcc -O2 -Wall -Wextra -shared -fPIC -o "$work/count.so" bench/arm_model/count_instructions.c
guest() {  # NAME LIBRARY...
  local name=$1
  shift
  aarch64-linux-gnu-g++ -std=c++20 -O2 -I. -isystem "$sysroot/usr/include" "bench/arm_model/${name}_guest.cc" "$@" \
    -L"$libraries" -Wl,-rpath-link,"$libraries" -lpthreadpool -o "$work/${name}_guest"
}
guest aq build/aarch64/kernels/libaq_kernels.a build/aarch64/platforms/libaq_platforms.a
guest xnnpack -lXNNPACK

# The counts end up between the guest's lines, in order.
count() {  # CPU PROGRAM ARGUMENT
  qemu-aarch64 -cpu "$1" -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH="$libraries" \
    -plugin "$work/count.so" -d plugin -D "$work/counts" "$work/$2" "$3" >"$work/lines"
  paste -d '|' "$work/lines" "$work/counts"
}
{
  count cortex-a72 aq_guest neon
  count cortex-a72 xnnpack_guest "XNNPACK, v8.0"
  count cortex-a76 aq_guest neondot
  count cortex-a76 xnnpack_guest "XNNPACK, dotprod"
  count max aq_guest i8mm
} >"$work/all"

cat <<TEXT
# ARM without ARM hardware: models

Written by \`bench/arm_model.sh >bench/arm_model.md\` ($(date -u +%F)). Nothing here is a measured time. XNNPACK is
Debian 12's (0.0~git20220216), its int8 convolution (qc8), on the emulated Cortex-A72 (v8.0) and Cortex-A76 (dotprod);
it does not know the emulated core's name, so it may choose other kernels than on hardware. It has no i8mm kernels.
Direct rows take the direct tile although Winograd or looking up pairs (last table) would be chosen for the layer.

TEXT
echo "## Guest instructions per MAC (MODEL: counted in qemu, one thread, no hardware behind it)"
echo
echo "Whole layers: gathering, decoding, multiplying, rounding. Fewer is better; in brackets: times fewer than our W8A8"
echo "on the same instruction set. $(qemu-aarch64 --version | head -n 1), $(aarch64-linux-gnu-g++ --version | head -n 1)."
echo
awk -F '|' '
  { key = $1 SUBSEP $3; value = $6 / $5; if ($2 == "W8A8") base[key] = base[$1 ", Winograd" SUBSEP $3] = value
    if (!(($1) in who)) { who[$1]; order[++n] = $1 }
    if (!(($3) in seen)) { seen[$3]; layer[++m] = $3 }
    if (!(($2) in width)) { width[$2]; bits[++b] = $2 }
    cell[key, $2] = value; kernel[key, $2] = $4 }
  END {
    for (l = 1; l <= m; l++) {
      printf "### %s\n\n|  |", layer[l]
      for (i = 1; i <= b; i++) printf " %s |", bits[i]
      printf "\n|---|"; for (i = 1; i <= b; i++) printf "---|"; printf "\n"
      for (w = 1; w <= n; w++) {
        key = order[w] SUBSEP layer[l]
        if (order[w] ~ /Winograd/ && !((key, "W4A4") in cell)) continue
        printf "| %s |", order[w]
        for (i = 1; i <= b; i++) {
          if (!((key, bits[i]) in cell)) { printf " - |"; continue }
          printf " %.3f", cell[key, bits[i]]
          if (bits[i] != "W8A8") printf " (%.2fx)", base[key] / cell[key, bits[i]]
          printf " |"
        }
        printf "\n"
      }
      printf "\n"
    }
  }' "$work/all"

command -v llvm-mca >/dev/null || { echo "llvm-mca is not installed: no cycles." ; exit 0; }
echo "## Cycles of the inner loops (MODEL: llvm-mca, no caches, no branches)"
echo
echo "MACs per cycle of one iteration as compiled; in-order cores suffer from the compiler's order. A72 uses LLVM's A57."
echo "W4A4 takes F(2x2,3x3); W2A2 takes F(3x3,3x3), on dotprod and i8mm only for large images (28x28, not 14x14). Widening"
echo "of int16 sums and the transforms are not in the loop; they are in the instructions above."
echo "$(llvm-mca --version | sed -n 's/^ *\(Debian \)\?LLVM version/LLVM/p')."
echo
echo "| kernel | instructions | MACs | MACs per instruction | A53 | A55 | A57 (for A72) | N1 (for A76) |"
echo "|---|---|---|---|---|---|---|---|"
# The innermost loop of a function: the shortest stretch between a backward branch and its target with multiplies, or
# looked-up products, in it.
innermost_loop() {  # OBJECT SYMBOL-PATTERN
  aarch64-linux-gnu-objdump -d --no-show-raw-insn -C "$1" | awk -v pattern="$2" '
    /^[0-9a-f]+ </ { inside = index($0, pattern) > 0; n = 0; next }
    !inside || !/^ *[0-9a-f]+:/ { next }
    {
      split($0, parts, ":"); address = parts[1]; gsub(/ /, "", address)
      text = substr($0, index($0, ":") + 1); gsub(/^[ \t]+/, "", text)
      at[address] = ++n; line[n] = text
      if (match(text, /^(b\.[a-z]+|b|cbn?z|tbn?z)[ \t].*[0-9a-f]+ </)) {
        target = text; sub(/ <.*/, "", target); sub(/.*[ \t]/, "", target)
        if (target in at) {
          muls = 0
          for (i = at[target]; i <= n; i++) if (line[i] ~ /^(smull|smlal|mla|sdot|usmmla|tbl)/) muls++
          if (muls > 0 && (best == 0 || n - at[target] < best)) { best = n - at[target]; first = at[target]; last = n }
        }
      }
    }
    best && last == n { delete kept; for (i = first; i <= last; i++) kept[i] = line[i] }
    END { for (i = first; i < last; i++) { sub(/[ \t]*\/\/.*/, "", kept[i]); print kept[i] } }'
}
cycles() {  # FILE CPU ATTRIBUTES -> cycles of one iteration
  llvm-mca -mtriple=aarch64 -mcpu="$2" -mattr="$3" -iterations=200 "$1" 2>/dev/null |
    awk '/^Total Cycles:/ { printf "%.2f", $3 / 200 }'
}
models=(cortex-a53 cortex-a55 cortex-a57 neoverse-n1)
objects=build/aarch64/kernels/CMakeFiles/aq_kernels.dir/gemm
row() {  # ISA LABEL MR NR COLUMNS-PER-PASS KR [M of F(MxM,3x3): MACs of the convolution that the products stand for]
  local name=gemm_$1_$2_$3x$4 macs=$(($3 * $5 * $6)) cpu loop=$work/loop count cells="" technique=""
  if [[ -n ${7:-} ]]; then
    macs=$((macs * 9 * $7 * $7 / (($7 + 2) * ($7 + 2)))) technique=", F($7x$7,3x3)"
  fi
  innermost_loop "$objects/gemm_$1.cc.o" "$name(" >"$loop"
  if [[ ! -s $loop ]]; then echo "arm_model.sh: no loop found in $name" >&2; exit 1; fi
  count=$(($(wc -l <"$loop") + 1))
  for cpu in "${models[@]}"; do
    # dotprod is missing in A53 and A57, i8mm in all four.
    if [[ $1 == i8mm || ($1 == neondot && $cpu == cortex-a5[37]) ]]; then cells+=" - |"; continue; fi
    cells+=" $(awk -v m="$macs" -v c="$(cycles "$loop" "$cpu" +dotprod)" 'BEGIN { printf "%.1f", m / c }') |"
  done
  echo "| $1_$2_$3x$4$technique | $count | $macs | $(awk -v m="$macs" -v c="$count" 'BEGIN { printf "%.1f", m / c }') |$cells"
}
row neon w8a8pair 6 16 4 16
row neon w4a8 6 16 4 16
row neon w4a4 6 16 4 16
row neon w2a2 6 16 4 16
row neon w2a2lut 5 64 64 4
row neondot w8a8 8 16 8 16
row neondot w8a7 8 16 8 16
row i8mm w8a8 8 16 8 8
row neon w4a4 6 16 4 16 2
row neondot w8a7 8 16 8 16 2
row i8mm w8a8 8 16 8 8 2
row neon w4a4 6 16 4 16 3
row neondot w8a7 8 16 8 16 3
row i8mm w8a8 8 16 8 8 3
