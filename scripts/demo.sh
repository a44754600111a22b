#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole path on a network we ship: installs what is missing, builds, converts models/fashion_mnist_resnet.onnx at
# w8a8, w4a4 and w2a2, evaluates float and each of them on the 10,000 Fashion-MNIST test images, times them, prints one
# table. Conversions are calibrated with training images only. A second run keeps every conversion whose inputs
# (network, images, converter, options) are unchanged; accuracy and time are measured again each time. Conversions use
# one thread, because what is learned depends on their number: every machine prints the same accuracies.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C  # decimal points

if (($# > 0)); then
  echo "Usage: demo.sh   (no options; JOBS=N sets the number of build jobs)" >&2
  exit 2
fi

recipes=(w8a8 w4a4 w2a2)
network=models/fashion_mnist_resnet.onnx
folder=build/demo
images=/usr/share/datasets/fashion-mnist
train=idx:$images/train-images-idx3-ubyte.gz,$images/train-labels-idx1-ubyte.gz
test=idx:$images/t10k-images-idx3-ubyte.gz,$images/t10k-labels-idx1-ubyte.gz
# input = (pixel - mean) / std: what the network was trained with (models/README.md).
preprocess=(--color gray --mean 72.94 --std 90.02)
labels=models/fashion_mnist_labels.txt
options=(--calib "$train" --calib-count 1024 --edges qdrop --seed 1 --labels "$labels" "${preprocess[@]}")
threads=$(nproc)

steps=$((3 + ${#recipes[@]})) step=0
announce() {
  step=$((step + 1))
  echo "[$step/$steps] $*"
}

announce "packages"
scripts/install_packages.sh
announce "build"
scripts/build.sh release aq aq_bench
aq=build/release/bin/aq
aq_bench=build/release/bin/aq_bench
mkdir -p "$folder"

# Everything the .aqm depends on. The converter is deterministic, so equal keys mean equal files.
conversion_key() {
  sha256sum "$network" "$labels" "$aq" "$images"/train-*.gz
  printf '%s\n' "$1" "${options[@]}"
}

for recipe in "${recipes[@]}"; do
  file=$folder/$recipe.aqm
  key=$(conversion_key "$recipe" | sha256sum)
  if [[ -f $file && -f $file.key && $(<"$file.key") == "$key" ]]; then
    announce "convert $recipe: up to date"
    continue
  fi
  announce "convert $recipe"
  rm -f "$file.key"
  "$aq" convert "$network" -o "$file" --recipe "$recipe" --threads 1 "${options[@]}" </dev/null
  echo "$key" >"$file.key"
done

announce "evaluate on 10,000 test images and time on one thread"
row() { printf '| %-5s | %7s | %20s | %10s | %7s | %-7s |\n' "$@"; }
# DIGITS FILTER JSON; fails when the number is not there.
number() {
  local value
  value=$(jq -er "$2" <<<"$3") || { echo "demo.sh: no $2 in $3" >&2; return 1; }
  printf "%.$1f" "$value"
}
size_of() { stat -c %s "$1" | awk '{ printf "%.1f KiB", $1 / 1024 }'; }

float=$("$aq" eval --quiet "$network" --data "$test" "${preprocess[@]}" --threads "$threads" -o json </dev/null)
top1=$(number 2 .top1 "$float")
count=$(number 0 .images "$float")
echo "  float: $top1 %"
rows=$(row float "$top1 %" "" "$(size_of "$network")" "" "")
for recipe in "${recipes[@]}"; do
  file=$folder/$recipe.aqm
  result=$("$aq" eval --quiet "$file" --data "$test" --against "$network" --threads "$threads" -o json </dev/null)
  top1=$(number 2 .top1 "$result")
  agreement=$(number 2 .agreement "$result")
  echo "  $recipe: $top1 %"
  timing=$("$aq_bench" --quiet "$file" --num-threads 1 -o json </dev/null)
  ms=$(number 3 .median_ms "$timing")
  # How the file says it was made.
  border=$("$aq" inspect "$file" -o json </dev/null |
    jq -r '.metadata | if .["aq.rounding"] == "adaptive" then .["aq.reconstruction"] | fromjson | .border else "nearest" end')
  rows+=$'\n'$(row "$recipe" "$top1 %" "$agreement %" "$(size_of "$file")" "$ms" "$border")
done

echo
row model top-1 "agreement with float" size ms border
echo "|-------|--------:|---------------------:|-----------:|--------:|---------|"
echo "$rows"
echo
echo "Fashion-MNIST, $count test images; ms: one image, one thread, median; files in $folder"
