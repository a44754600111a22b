#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The test command: installs what is missing, builds, runs every test. Plain build first, then the same tests under
# AddressSanitizer and UBSan. The last line is "N passed, N failed, N skipped", counted from ctest's own reports;
# a build that fails ends the script before any count. Not a place for tests: those are in tests/.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
Usage: test.sh [--quick] [--cross]
  --quick   the release build only, no sanitizers
  --cross   also build for aarch64 and armv7 and run the kernel and runtime tests in qemu, once per emulated CPU;
            installs compilers and qemu and unpacks the target's libraries (make_sysroot.sh). Without it that is done
            where all of this is there already, unless --quick.
JOBS=N sets the number of parallel jobs (default: all cores). AQ_DATA names the folder with the development data.
TEXT
}

presets=(release debug) cross_presets=(aarch64 armv7)
cross=if_ready
for argument in "$@"; do
  case "$argument" in
    --quick) presets=(release); [[ $cross == true ]] || cross=false ;;
    --cross) cross=true ;;
    -h | --help) usage; exit 0 ;;
    *) echo "test.sh: unknown option $argument" >&2; usage >&2; exit 2 ;;
  esac
done

JOBS=${JOBS:-$(nproc)}
export JOBS
passed=0 failed=0 skipped=0

# ctest's JUnit report -> one line "R name<TAB>reason" per test, R = P (passed), F (failed), S (skipped); after an F
# the first lines of the test's output, each with "| " in front.
# ctest says "notrun" both for a skip and for a test that could not be started, and calls a test skipped although it
# crashed after saying so: both are failures here.
list_results() {
  awk '
    function unescape(text) {
      gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text); gsub(/&amp;/, "\\&", text)
      return text
    }
    function attribute(line, name, rest) {
      if (!match(line, " " name "=\"")) return ""
      rest = substr(line, RSTART + RLENGTH)
      return substr(rest, 1, index(rest, "\"") - 1)
    }
    /<testcase / {
      name = attribute($0, "name"); status = attribute($0, "status"); reason = ""; skip = 0; broken = 0; lines = 0
    }
    /<skipped / { if (attribute($0, "message") ~ /^SKIP_/) skip = 1; else reason = attribute($0, "message") }
    take { if ($0 !~ /\[  SKIPPED \]/) reason = $0; take = 0 }
    /: Skipped$/ { take = 1 }
    /\[  FAILED  \]|ERROR: (Address|Leak)Sanitizer|: runtime error: / { broken = 1 }
    /<system-out>/ { inside = 1; sub(/.*<system-out>/, "") }
    inside && lines < 80 { output[++lines] = $0; sub(/<\/system-out>.*/, "", output[lines]) }
    /<\/system-out>/ { inside = 0 }
    /<\/testcase>/ {
      result = status == "run" ? "P" : skip && !broken ? "S" : "F"
      if (result == "S" && reason == "") reason = "no reason given"
      printf "%s %s\t%s\n", result, unescape(name), unescape(reason)
      for (i = 1; result == "F" && i <= lines; i++) print "| " unescape(output[i])
    }' "$1"
}

run_tests() {
  local preset=$1 log=build/$1/test_log.txt report=$PWD/build/$1/test_results.xml p=0 f=0 s=0 line
  rm -f "$report"
  echo "test: $preset"
  # Its exit code repeats what the report says in more detail; a missing report is the failure to look for.
  ctest --preset "$preset" -j "$JOBS" --timeout 600 --no-tests=error --output-junit "$report" \
    >"$log" 2>&1 </dev/null || true
  if [[ ! -s "$report" ]]; then
    tail -n 30 "$log" >&2
    echo "test.sh: ctest wrote no report for preset $preset" >&2
    exit 1
  fi
  while IFS= read -r line; do
    case "$line" in
      P*) p=$((p + 1)) ;;
      S*) s=$((s + 1)); echo "  skipped $preset ${line#S }" ;;
      F*) f=$((f + 1)); echo "  FAILED  $preset ${line#F }" ;;
      "| "*) echo "    $line" ;;
    esac
  done < <(list_results "$report")
  if ((p + f + s == 0)); then
    echo "test.sh: preset $preset has no tests" >&2
    exit 1
  fi
  echo "test: $preset: $p passed, $f failed, $s skipped"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

if [[ $cross == if_ready ]]; then
  cross=true
  scripts/install_packages.sh --cross --check || cross=false
  for preset in "${cross_presets[@]}"; do [[ -n "${AQ_SYSROOT:-}" || -f build/sysroot-$preset/packages ]] || cross=false; done
fi
if $cross; then scripts/install_packages.sh --cross; else scripts/install_packages.sh; fi

for preset in "${presets[@]}"; do
  scripts/build.sh "$preset"
  run_tests "$preset"
done

if $cross; then
  for preset in "${cross_presets[@]}"; do
    [[ -n "${AQ_SYSROOT:-}" ]] || scripts/make_sysroot.sh "$preset"
    scripts/build.sh "$preset"
    run_tests "$preset"
  done
fi

echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
