#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Guards the inner loops of the tiles that Winograd, look-up and direct layers spend their time in against the compiler:
# one spilled register or a missed addressing mode costs up to half the speed and changes no result.
# Usage: check_inner_loops.sh OBJDUMP OBJECT...; or with a compiler that first makes the objects:
#        check_inner_loops.sh OBJDUMP --compiler CXX SOURCE_FOLDER
set -euo pipefail

# function | instruction that does the work | at most so many hundredths of an instruction in the loop for each of them
table="
gemm_avx2_w8a7_6x16|vpmaddubsw|285
gemm_avx2_w16a16_6x16|vpmaddwd|285
gemm_avxvnni_w8a8_6x16|vpdpbusd|185
gemm_avx2_w2a2lut_5x64|vpshufb|355
"
# What it takes: 6 x 16 has 12 of them, 12 additions (none with VNNI), 8 loads, four times over, and 3 or 4 for the loop:
# 275 and 175; 5 x 64 twice unrolled has 20, 20 additions, 10 loads of bytes, 10 of rows, 4 of weights, 3 or 4 for the
# loop: 340.

objdump=$1
shift
if [[ ${1:-} == --compiler ]]; then
  compiler=$2 source=$3
  if ! command -v "$compiler" >/dev/null; then
    echo "skipped: there is no $compiler"
    exit 77
  fi
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  set --
  for isa in avx2 avxvnni; do
    flags=-mavx2
    [[ $isa == avxvnni ]] && flags+=" -mavxvnni"
    # shellcheck disable=SC2086  # flags are words
    "$compiler" -std=c++20 -O3 -DNDEBUG -fPIC -fno-exceptions -fno-rtti $flags -I"$source" -c \
      "$source/kernels/gemm/gemm_$isa.cc" -o "$work/$isa.o"
    set -- "$@" "$work/$isa.o"
  done
fi

"$objdump" -d --no-show-raw-insn -C "$@" | awk -v table="$table" '
  BEGIN {
    rows = split(table, lines, "\n")
    for (i = 1; i <= rows; i++) if (split(lines[i], f, "|") == 3) { work[f[1]] = f[2]; most[f[1]] = f[3]; order[++n] = f[1] }
  }
  function hex(text,   value, i) {
    value = 0
    for (i = 1; i <= length(text); i++) value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
    return value
  }
  # The loop from instruction `first` to `last`: kept if it is the tightest one that does most of the work.
  function consider(first, last,   i, count, spills) {
    for (i = first; i <= last; i++) {
      if (mnemonic[i] == work[name]) count++
      if (operands[i] ~ /\((%rsp|%rbp)/) spills++
    }
    if (count < 8) return
    if (!(name in share) || (last - first + 1) / count < share[name]) {
      share[name] = (last - first + 1) / count; spilled[name] = spills + 0; found[name] = count
    }
  }
  /^[0-9a-f]+ <.*>:$/ {
    name = ""
    for (key in work) if (index($0, "::" key "(") > 0) name = key
    size = 0
    split("", at)
    next
  }
  name != "" && $1 ~ /^[0-9a-f]+:$/ {
    if ($2 ~ /^{/) sub(/{[a-z]+} +/, "")  # {vex}
    address = hex(substr($1, 1, length($1) - 1))
    at[address] = ++size
    mnemonic[size] = $2
    operands[size] = $3 " " $4
    if ($2 ~ /^j[a-z]+$/ && $2 != "jmp" && $3 ~ /^[0-9a-f]+$/) {
      target = hex($3)
      if (target < address && (target in at)) consider(at[target], size)
    }
  }
  END {
    for (i = 1; i <= n; i++) {
      name = order[i]
      if (!(name in share)) { printf "%s: no loop of %s found\n", name, work[name]; failed = 1; continue }
      verdict = share[name] * 100 <= most[name] && spilled[name] == 0 ? "ok" : "TOO SLOW"
      if (verdict != "ok") failed = 1
      printf "%s: %d x %s, %.2f instructions each (at most %.2f), %d on the stack: %s\n", name, found[name], work[name],
             share[name], most[name] / 100, spilled[name], verdict
    }
    exit failed
  }'
