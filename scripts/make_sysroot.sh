#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the libraries of a cross build (preset aarch64 or armv7) from Debian and unpacks them into
# build/sysroot-PRESET, where toolchains/ finds them. apt runs on folders of its own: the system's packages and
# architectures stay as they are, and root is not needed. Finished once, it does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-aarch64}
case "$preset" in
  aarch64) architecture=arm64 ;;
  armv7) architecture=armhf ;;
  *) echo "Usage: make_sysroot.sh [aarch64 | armv7]" >&2; exit 2 ;;
esac

# Libraries we link or whose headers we include, and the shared objects behind them; XNNPACK for bench/arm_model.sh.
packages=(libpthreadpool-dev libpthreadpool0 libflatbuffers-dev libgtest-dev libgmock-dev
  libcli11-dev nlohmann-json3-dev libjpeg62-turbo-dev libjpeg62-turbo libpng-dev libpng16-16 zlib1g-dev zlib1g)
[[ $preset != aarch64 ]] || packages+=(libxnnpack-dev libxnnpack0 libcpuinfo0)

sysroot=$PWD/build/sysroot-$preset
if [[ -f $sysroot/packages && $(<"$sysroot/packages") == "${packages[*]}" ]]; then
  echo "sysroot: up to date: $sysroot"
  exit 0
fi

echo "sysroot: fetching ${#packages[@]} $architecture packages"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,packages}
touch "$work/status"
apt_get() {
  apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures::="$architecture" -o Dir::State="$work" \
    -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" \
    -o Acquire::Retries=3 "$@" </dev/null
}
# One list out of step (a mirror being updated) does no harm as long as every package is found.
if ! (apt_get update || true; cd "$work/packages" && apt_get download "${packages[@]}") >"$work/log" 2>&1; then
  tail -n 20 "$work/log" >&2
  echo "make_sysroot.sh: apt-get failed, its last lines are above" >&2
  exit 1
fi

rm -rf "$sysroot" "$sysroot.partial"
mkdir -p "$sysroot.partial"
for package in "$work"/packages/*.deb; do
  dpkg -x "$package" "$sysroot.partial"
done
# Debian keeps a few libraries in /lib, which is a link to usr/lib on an installed system.
if [[ -d $sysroot.partial/lib ]]; then
  cp -a "$sysroot.partial/lib/." "$sysroot.partial/usr/lib/"
  rm -rf "$sysroot.partial/lib"
  ln -s usr/lib "$sysroot.partial/lib"
fi
echo "${packages[*]}" >"$sysroot.partial/packages"
mv "$sysroot.partial" "$sysroot"
echo "sysroot: done: $sysroot"
