#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the arm64 libraries of the cross build from Debian and unpacks them into build/sysroot-aarch64, where
# toolchains/aarch64-linux-gnu.cmake finds them. apt runs on folders of its own: the system's packages and
# architectures stay as they are, and root is not needed. Finished once, it does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

# Libraries we link or whose headers we include, and the shared objects behind them.
packages=(libcpuinfo-dev libcpuinfo0 libpthreadpool-dev libpthreadpool0 libflatbuffers-dev libgtest-dev libgmock-dev
  libcli11-dev nlohmann-json3-dev libjpeg62-turbo-dev libjpeg62-turbo libpng-dev libpng16-16 zlib1g-dev zlib1g)

sysroot=$PWD/build/sysroot-aarch64
if [[ -f $sysroot/packages && $(<"$sysroot/packages") == "${packages[*]}" ]]; then
  echo "sysroot: up to date: $sysroot"
  exit 0
fi

echo "sysroot: fetching ${#packages[@]} arm64 packages"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,packages}
touch "$work/status"
apt_get() {
  apt-get -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$work" \
    -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" \
    -o Acquire::Retries=3 "$@" </dev/null
}
if ! { apt_get update && (cd "$work/packages" && apt_get download "${packages[@]}"); } >"$work/log" 2>&1; then
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
