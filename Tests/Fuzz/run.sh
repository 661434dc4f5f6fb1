#!/bin/sh
# Fuzzes one target, or all of them one after the other: Tests/Fuzz/run.sh TARGET|all SECONDS_EACH
#
# The committed corpus is read, never written; what is found goes to .build/fuzz/TARGET. A crash leaves its input there,
# and this fails after every target has run.
set -eu

target=${1:?usage: run.sh TARGET|all SECONDS_EACH}
seconds=${2:?usage: run.sh TARGET|all SECONDS_EACH}
cd "$(dirname "$0")/../.."
here=Tests/Fuzz

fuzz() {
    work=.build/fuzz/$1
    mkdir -p "$work/corpus" "$work/crashes"
    # Its own build folder: every module is instrumented. Assertions stay on, for the checks beside the raw loads.
    WEIR_FUZZING=1 swift build --scratch-path .build/fuzz/build --product "$1" \
        -Xswiftc -sanitize=fuzzer,address -Xswiftc -O -Xswiftc -assert-config -Xswiftc Debug >"$work/build.log" 2>&1 ||
        { grep -v 'ld.gold: warning' "$work/build.log" >&2; return 1; }
    SWIFT_BACKTRACE=enable=no timeout --signal=KILL $((seconds + 60)) \
        ".build/fuzz/build/debug/$1" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=4096 \
        -print_final_stats=1 -verbosity=1 -artifact_prefix="$work/crashes/" "$work/corpus" "$here/corpus/$1" \
        >"$work/run.log" 2>&1 || { tail -n 60 "$work/run.log" >&2; return 1; }
    grep -E '^(Done|stat::)' "$work/run.log"
}

if [ "$target" != all ]; then
    fuzz "$target"
    exit
fi
failed=
for folder in "$here"/Fuzz*/; do
    name=$(basename "$folder")
    echo "fuzzing $name for $seconds s"
    fuzz "$name" || failed="$failed $name"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
