#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures the tables of docs/accuracy.md from scratch: converts every network of a table with every recipe, row and
# seed, evaluates each file on the test images, and prints Markdown. What to measure is data at the top of this file.
# One JSON line per run is kept in OUT/runs.jsonl, so that an interrupted measurement goes on where it stopped; a run is
# repeated when the converter or its options changed. Needs a built `aq` and jq.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C  # decimal points

usage() {
  cat <<'TEXT'
Usage: accuracy.sh [options]
  --quick          a part that fits in half an hour: small networks, one seed, fewer training steps and rows
  --only REGEX     only runs whose "table network recipe row seed" matches
  --out FOLDER     where runs are kept (build/accuracy)
  --iterations N   training steps of each block, instead of the converter's default
  --seeds "1 2 3"  instead of each table's own
  --limit N        only the first N test images
  --update         also replace the tables in docs/accuracy.md, between its accuracy.sh marks
  --list           say what would run, run nothing
  --tables         no new runs: tables of what is there
AQ names the program (build/release/bin/aq), AQ_DATA the folder with the development data, THREADS the threads.
TEXT
}

# ---- What is measured -----------------------------------------------------------------------------------------------

data=${AQ_DATA:-../shared/data}
fashion=/usr/share/datasets/fashion-mnist

# name | network | test images | calibration images | preprocessing
networks=(
  "resnet8|$data/models/mlperf_tiny/resnet8_cifar10.onnx|cifar10:$data/cifar10/test_5000.bin|cifar10:$data/cifar10/calib_2000.bin|--preset raw"
  "resnet20|$data/models/cifar10/resnet20_cifar10.onnx|cifar10:$data/cifar10/test_5000.bin|cifar10:$data/cifar10/calib_2000.bin|--preset imagenet"
  "resnet56|$data/models/cifar10/resnet56_cifar10.onnx|cifar10:$data/cifar10/test_5000.bin|cifar10:$data/cifar10/calib_2000.bin|--preset imagenet"
  "fashion|models/fashion_mnist_resnet.onnx|idx:$fashion/t10k-images-idx3-ubyte.gz,$fashion/t10k-labels-idx1-ubyte.gz|idx:$fashion/train-images-idx3-ubyte.gz,$fashion/train-labels-idx1-ubyte.gz|--color gray --mean 72.94 --std 90.02"
  "mobilenet_v2|$data/models/imagenet/mobilenet_v2_100_224_w8grid.onnx|images:$data/imagenet/val650_227.tar,$data/imagenet/val650_labels.csv|images:$data/imagenet/train1000_256.tar,$data/imagenet/train1000_labels.csv|--preset half --crop 224"
  "mobilenet_v1|$data/models/imagenet/mobilenet_v1_075_224.onnx|images:$data/imagenet/val650_227.tar,$data/imagenet/val650_labels.csv|images:$data/imagenet/train1000_256.tar,$data/imagenet/train1000_labels.csv|--preset half --crop 224"
  "mobileone|$data/models/imagenet/mobileone_s0.onnx|images:$data/imagenet/val650_227.tar,$data/imagenet/val650_labels.csv|images:$data/imagenet/train1000_256.tar,$data/imagenet/train1000_labels.csv|--preset imagenet --crop 224"
  "squeezenet|$data/models/imagenet/squeezenet_v1_1.onnx|images:$data/imagenet/val650_227.tar,$data/imagenet/val650_labels.csv|images:$data/imagenet/train1000_256.tar,$data/imagenet/train1000_labels.csv|--preset caffe --crop 227"
)

# row | options of `aq convert`. Bias correction is on in all of them; it leaves learned layers as they are.
learned="--rounding adaptive --tune-iterations 0"
tuned="--rounding adaptive"  # and end to end, after the blocks: tables of its own
rows=(
  "nearest|--rounding nearest"
  "search|--rounding search"
  "reconstruction (QDrop)|$learned --fixed-biases --border none"
  "layer-wise (AdaRound, QDrop)|$learned --fixed-biases --border none --units layer"
  "+ learned biases|$learned --border none"
  "+ affine|$learned --border affine"
  "+ affine-channel|$learned --border affine-channel"
  "+ free|$learned --border free"
  "+ free-channel|$learned --border free-channel"
  "+ learned biases, tuned|$tuned --border none"
  "+ affine-channel, tuned|$tuned --border affine-channel"
  "+ free-channel, tuned|$tuned --border free-channel"
  "squant|--rounding nearest --weights squant"
  "equalised|--rounding nearest --equalize"
  "ranges cosine|--rounding nearest --ranges cosine"
  "ranges aciq|--rounding nearest --ranges aciq"
  "without data|--calib none"
  "without data, squant|--calib none --weights squant"
  "without data, squant, equalised|--calib none --weights squant --equalize"
)

# table | networks | recipes | rows, separated by ";" | seeds | calibration images | options for all its rows
protocol="--edges qdrop"
blocks="nearest;search;layer-wise (AdaRound, QDrop);reconstruction (QDrop);+ learned biases;+ affine;+ affine-channel;+ free;+ free-channel"
baselines="nearest;squant;equalised;ranges cosine;ranges aciq;without data;without data, squant;without data, squant, equalised"
tables=(
  "Borders, CIFAR-10 and Fashion-MNIST|resnet8 resnet20 resnet56 fashion|w4a4 w2a2|$blocks|1 2 3|1024|$protocol"
  "Borders, mixed widths|resnet20 resnet56|w2a4 w4a2|$blocks|1|1024|$protocol"
  "End-to-end tuning and 8-bit shortcuts|resnet20 resnet56|w2a2 w2a2r8 w4a4|+ learned biases;+ affine-channel;+ free-channel;+ learned biases, tuned;+ affine-channel, tuned;+ free-channel, tuned|1 2 3|1024|$protocol"
  "Baselines without training|resnet8 resnet20 resnet56|w8a8 w4a4|$baselines|1|1024|$protocol"
  "ImageNet|mobilenet_v2 mobilenet_v1 mobileone squeezenet|w8a8 w4a8 w4a4|nearest;+ learned biases;+ affine-channel|1|512|$protocol"
)
quick_tables=(
  "Borders, CIFAR-10|resnet8 resnet20|w4a4 w2a2|nearest;search;reconstruction (QDrop);+ learned biases;+ affine-channel|1|256|$protocol"
  "Baselines without training|resnet20|w8a8 w4a4|nearest;squant;without data|1|256|$protocol"
)
quick_iterations=150

# ---- Arguments ------------------------------------------------------------------------------------------------------

out=build/accuracy only=. seeds="" limit="" iterations="" update=false mode=run
while (($# > 0)); do
  case "$1" in
    --quick) tables=("${quick_tables[@]}"); iterations=${iterations:-$quick_iterations} ;;
    --only) only=$2; shift ;;
    --out) out=$2; shift ;;
    --iterations) iterations=$2; shift ;;
    --seeds) seeds=$2; shift ;;
    --limit) limit=$2; shift ;;
    --update) update=true ;;
    --list) mode=list ;;
    --tables) mode=tables ;;
    -h | --help) usage; exit 0 ;;
    *) echo "accuracy.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

aq=${AQ:-build/release/bin/aq}
threads=${THREADS:-2}
[[ -x $aq ]] || { echo "accuracy.sh: no $aq: build it, or name it in AQ" >&2; exit 2; }
command -v jq >/dev/null || { echo "accuracy.sh: needs jq" >&2; exit 2; }
mkdir -p "$out"
runs=$out/runs.jsonl
touch "$runs"
binary=$(sha256sum "$aq" | cut -c1-12)

# FIELD of the LINE of an array whose first field is NAME.
field() {
  local name=$1 index=$2 line
  shift 2
  for line in "$@"; do
    [[ ${line%%|*} == "$name" ]] && { cut -d'|' -f"$index" <<<"$line"; return; }
  done
  echo "accuracy.sh: nothing is called '$name'" >&2
  return 1
}

# ---- Runs -----------------------------------------------------------------------------------------------------------

has_run() { grep -qF "\"key\":\"$1\"" "$runs"; }

# A run is known by its key; tables find it by network, setting (calibration images and shared options), recipe and row.
# KEY NETWORK SETTING RECIPE ROW SEED FILE SECONDS PREPROCESS: evaluates the file and appends the line.
record() {
  local key=$1 network=$2 setting=$3 recipe=$4 row=$5 seed=$6 file=$7 seconds=$8 preprocess=$9
  local test result
  test=$(field "$network" 3 "${networks[@]}")
  # shellcheck disable=SC2086  # options are words
  result=$("$aq" eval --quiet "$file" --data "$test" --threads "$threads" -o json ${limit:+--limit $limit} $preprocess </dev/null)
  jq -c --arg key "$key" --arg setting "$setting" --arg network "$network" --arg recipe "$recipe" --arg row "$row" \
    --arg seed "$seed" --argjson seconds "$seconds" --arg binary "$binary" --argjson bytes "$(stat -c %s "$file")" \
    '{key: $key, network: $network, setting: $setting, recipe: $recipe, row: $row, seed: $seed, top1: .top1,
      images: .images, seconds: $seconds, bytes: $bytes, output_hash: .output_hash, aq: $binary}' \
    <<<"$result" >>"$runs"
  tail -n 1 "$runs" | jq -r '"  \(.top1) %  (\(.seconds) s)"'
}

run_one() {
  local table=$1 network=$2 recipe=$3 row=$4 seed=$5 count=$6 shared=$7
  local onnx calib preprocess options key
  onnx=$(field "$network" 2 "${networks[@]}")
  calib=$(field "$network" 4 "${networks[@]}")
  preprocess=$(field "$network" 5 "${networks[@]}")
  options=$(field "$row" 2 "${rows[@]}")
  [[ -n $iterations && $options == *adaptive* ]] && options+=" --iterations $iterations"
  [[ $options == *"--calib none"* ]] || options="--calib $calib --calib-count $count $options"
  options="--recipe $recipe --seed $seed --threads $threads $shared $preprocess $options"
  key=$(sha256sum <<<"$binary $network $limit $options" | cut -c1-24)
  if has_run "$key"; then return; fi
  echo "$table: $network $recipe $row seed $seed"
  [[ $mode == list ]] && return
  local file=$out/$key.aqm report=$out/$key.json setting="$count $shared" status=0
  # shellcheck disable=SC2086
  "$aq" convert "$onnx" -o "$file" --report-json "$report" --quiet --progress none --resume $options </dev/null \
    2>"$out/error.txt" || status=$?
  if ((status == 0)); then
    record "$key" "$network" "$setting" "$recipe" "$row" "$seed" "$file" "$(jq .seconds "$report")" ""
    rm -f "$file"
  elif ((status == 3 || status == 4)); then
    # A row that a network cannot have (no BatchNorm without data ...) is a result, too.
    jq -nc --arg key "$key" --arg setting "$setting" --arg network "$network" --arg recipe "$recipe" --arg row "$row" \
      --arg seed "$seed" --arg error "$(tail -n 1 "$out/error.txt")" --arg binary "$binary" \
      '{key: $key, network: $network, setting: $setting, recipe: $recipe, row: $row, seed: $seed, top1: null,
        error: $error, aq: $binary}' >>"$runs"
    echo "  $(tail -n 1 "$out/error.txt")"
  else
    cat "$out/error.txt" >&2
    echo "accuracy.sh: aq convert ended with $status; call again to continue" >&2
    exit 1
  fi
}

run_float() {
  local table=$1 network=$2 onnx preprocess key
  onnx=$(field "$network" 2 "${networks[@]}")
  preprocess=$(field "$network" 5 "${networks[@]}")
  key=$(sha256sum <<<"$binary $network $limit float" | cut -c1-24)
  if has_run "$key"; then return; fi
  echo "$network float"
  [[ $mode == list ]] && return
  record "$key" "$network" "" "" float "" "$onnx" 0 "$preprocess"
}

# Calls WHAT for every run of every table.
for_each_run() {
  local line table names recipes table_rows table_seeds count shared network recipe row seed
  for line in "${tables[@]}"; do
    IFS='|' read -r table names recipes table_rows table_seeds count shared <<<"$line"
    for network in $names; do
      [[ "$table $network float" =~ $only ]] && run_float "$table" "$network"
      for recipe in $recipes; do
        while IFS= read -r row; do
          for seed in ${seeds:-$table_seeds}; do
            # What is not learned depends on the seed through the choice of images only: one is enough.
            [[ $(field "$row" 2 "${rows[@]}") != *adaptive* && $seed != "$(first ${seeds:-$table_seeds})" ]] && continue
            [[ "$table $network $recipe $row $seed" =~ $only ]] || continue
            run_one "$table" "$network" "$recipe" "$row" "$seed" "$count" "$shared"
          done
        done < <(tr ';' '\n' <<<"$table_rows")
      done
    done
  done
}
first() { echo "$1"; }

# ---- Tables ---------------------------------------------------------------------------------------------------------

# "79.3 ± 0.2" with three seeds, "79.3" with one, "-" where a row cannot be had; nothing where it was not measured.
cell='
  def cell: if length == 0 then "" else map(select(.top1 != null) | .top1) |
    if length == 0 then "-" else
      (add / length) as $mean | ((map((. - $mean) * (. - $mean)) | add) / ([length - 1, 1] | max) | sqrt) as $spread |
      ($mean * 100 | round / 100 | tostring) + (if length > 1 then " ± " + ($spread * 100 | round / 100 | tostring) else "" end)
    end end;
  def minutes: map(select(.seconds != null) | .seconds) | if length == 0 then "" else
    (add / length) | if . < 100 then (round | tostring) + " s" else (. / 60 | round | tostring) + " min" end end;'

# What was not measured is left out: rows, networks and whole tables.
print_tables() {
  local line table names recipes table_rows rest count shared network recipe row text body heading
  for line in "${tables[@]}"; do
    IFS='|' read -r table names recipes table_rows rest count shared <<<"$line"
    heading="### $table, $count calibration images"$'\n'
    for network in $names; do
      body=""
      while IFS= read -r row; do
        text=""
        for recipe in $recipes; do
          text+=" $(jq -rs --arg s "$count $shared" --arg n "$network" --arg c "$recipe" --arg r "$row" "$cell"'
            map(select(.setting == $s and .network == $n and .recipe == $c and .row == $r)) |
            group_by(.seed) | map(last) | cell + " | " + minutes' "$runs") |"
        done
        [[ $text =~ [0-9-] ]] && body+="| $row |$text"$'\n'
      done < <(tr ';' '\n' <<<"$table_rows")
      [[ -n $body ]] || continue
      # shellcheck disable=SC2016  # jq's variables
      text=$(jq -rs --arg n "$network" 'map(select(.network == $n and .row == "float")) | last | .top1 // "not measured"' "$runs")
      printf '%s\n**%s**, float %s\n\n' "$heading" "$network" "$text"
      heading=""
      text="| |"
      for recipe in $recipes; do text+=" $recipe | time |"; done
      echo "$text"
      echo "|---|$(for recipe in $recipes; do printf -- '---:|---:|'; done)"
      echo "$body"
    done
  done
  local test_images
  test_images=$(jq -rs 'map(.images // empty) | unique | map(tostring) | join(", ")' "$runs")
  echo "Mean and standard deviation over seeds of top-1 in percent; time of one conversion with --threads $threads. Test images: $test_images."
  if (($(jq -rs 'map(.aq) | unique | length' "$runs") > 1)); then
    echo "accuracy.sh: runs of several versions of the converter are in $runs" >&2
  fi
}

[[ $mode == tables ]] || for_each_run
[[ $mode == list ]] && exit 0
print_tables >"$out/tables.md"
cat "$out/tables.md"
if $update; then
  grep -q 'accuracy.sh: begin' docs/accuracy.md || { echo "accuracy.sh: docs/accuracy.md has no marks" >&2; exit 1; }
  awk -v tables="$out/tables.md" '
    /accuracy.sh: begin/ { print; while ((getline line < tables) > 0) print line; skip = 1 }
    /accuracy.sh: end/ { skip = 0 }
    !skip' docs/accuracy.md >"$out/accuracy.md"
  cp "$out/accuracy.md" docs/accuracy.md
fi
