#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Configures and builds one preset of CMakePresets.json into build/PRESET; binaries land in build/PRESET/bin.
# demo.sh and test.sh call it. Run again it builds only what changed; a fresh clone gets its objects from ccache.
set -euo pipefail
cd "$(dirname "$0")/.."

if (($# == 0)) || [[ "$1" == -* ]]; then
  echo "Usage: build.sh PRESET [TARGET]...   (release, debug, scalar, aarch64, armv7; JOBS=N, default: all cores)" >&2
  exit 2
fi
preset=$1
shift

arguments=()
if command -v ccache >/dev/null; then
  # Hash the compiler itself, not its date, and paths relative to the checkout: clones share objects.
  export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
  arguments+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
targets=()
(($# == 0)) || targets=(--target "$@")

echo "build: $preset"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake --preset "$preset" "${arguments[@]}" >"$log" 2>&1; then
  cat "$log" >&2
  echo "build.sh: configuring preset $preset failed" >&2
  exit 1
fi
started=$SECONDS
cmake --build --preset "$preset" -j "${JOBS:-$(nproc)}" "${targets[@]}"
echo "build: $preset done in $((SECONDS - started)) s: build/$preset/bin"
