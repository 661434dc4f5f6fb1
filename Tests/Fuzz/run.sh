#!/bin/sh
# Fuzzes one target: Tests/Fuzz/run.sh TARGET SECONDS
# The committed corpus is read, never written; what is found goes to .build/fuzz/TARGET. A crash leaves its input there
# and makes this fail.
set -eu

target=${1:?usage: run.sh TARGET SECONDS}
seconds=${2:?usage: run.sh TARGET SECONDS}
cd "$(dirname "$0")/../.."
here=Tests/Fuzz
work=.build/fuzz/$target
mkdir -p "$work/corpus" "$work/crashes"

# Its own build folder: every module is instrumented. Assertions stay on, for the checks beside the raw loads.
WEIR_FUZZING=1 swift build --scratch-path .build/fuzz/build --product "$target" \
    -Xswiftc -sanitize=fuzzer,address -Xswiftc -O -Xswiftc -assert-config -Xswiftc Debug

SWIFT_BACKTRACE=enable=no timeout --signal=KILL $((seconds + 60)) \
    ".build/fuzz/build/debug/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=4096 \
    -print_final_stats=1 -artifact_prefix="$work/crashes/" "$work/corpus" "$here/corpus/$target"
