#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages aq is built with, only those that are missing. The other scripts call it first;
# on a machine that has everything it needs neither root nor the network. Package lists live here and nowhere else.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: install_packages.sh [--cross] [--train] [--list]
  (always)   compilers, libraries of runtime, converter and tools, test framework, the demo's images
  --cross    also the aarch64 cross compiler and qemu
  --train    also python3-torch, needed only to train the demo network again
  --list     print the names and install nothing
TEXT
}

# Runtime and build: the compiler, flatc for the schema, CPU detection, thread pool.
packages=(g++ cmake ninja-build ccache pkg-config flatbuffers-compiler libflatbuffers-dev libcpuinfo-dev
  libpthreadpool-dev)
# Converter and tools: float execution, ONNX, command line, JSON, image and .gz readers.
packages+=(libdnnl-dev libonnx-dev libprotobuf-dev protobuf-compiler libcli11-dev nlohmann-json3-dev
  libjpeg62-turbo-dev libpng-dev zlib1g-dev)
# Measuring: Google Benchmark, and the libraries that aq_bench compares with.
packages+=(libbenchmark-dev libxnnpack-dev)
# Tests and demo.
packages+=(libgtest-dev libgmock-dev dataset-fashion-mnist jq)

list_only=false
for argument in "$@"; do
  case "$argument" in
    --cross) packages+=(g++-aarch64-linux-gnu qemu-user-static) ;;
    --train) packages+=(python3-torch python3-onnx python3-numpy) ;;
    --list) list_only=true ;;
    -h | --help) usage; exit 0 ;;
    *) echo "install_packages.sh: unknown option $argument" >&2; usage >&2; exit 2 ;;
  esac
done

if $list_only; then
  printf '%s\n' "${packages[@]}"
  exit 0
fi

is_installed() { [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]; }

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "packages: all ${#packages[@]} installed"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install_packages.sh: needs root or sudo to install: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 \
    -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

echo "packages: installing ${#missing[@]} of ${#packages[@]}: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt_get update && apt_get install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  echo "install_packages.sh: apt-get failed, its last lines are above" >&2
  exit 1
fi
echo "packages: done"
