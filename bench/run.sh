#!/usr/bin/env bash
# Builds the benches and the sensor in release, and runs one bench or all: `make bench [BENCH=name]`.
# Usage: run.sh NAME|all [ARGUMENTS of the bench]      BUILD=FOLDER builds there instead of in .build
#
# A bench is a folder with a main.swift, or a measure.sh where no Swift is needed; a count.sh beside a main.swift counts
# what the bench executes, by callgrind. It prints a table and one line of JSON
# per measure; the lines are held against bench/thresholds/NAME.json. A missed threshold, or one whose measure did not
# come, makes this fail.
set -euo pipefail
cd "$(dirname "$0")/.."

owner=${OWNER:-scripts/as-owner.sh}
build=${BUILD:-.build}
export BENCH_BINARY=$build/release/weir
which=${1:-all}
shift || true

declare -a names=()
for folder in bench/*/; do
    name=$(basename "$folder")
    if [ -e "$folder/main.swift" ] || [ -e "$folder/measure.sh" ]; then names+=("$name"); fi
done
if [ "$which" != all ]; then
    if ! printf '%s\n' "${names[@]}" | grep -qx "$which"; then
        echo "bench: there is no bench '$which'; choose from ${names[*]}, all" >&2
        exit 64
    fi
    names=("$which")
fi

echo "bench: building in release; a first build takes some minutes" >&2
$owner swift build --scratch-path "$build" -c release --static-swift-stdlib --product weir >&2
for name in "${names[@]}"; do
    [ ! -e "bench/$name/main.swift" ] || $owner swift build --scratch-path "$build" -c release --static-swift-stdlib --product "${name}Bench" >&2
done

[ "$(id -u)" -eq 0 ] || echo "bench: not root, so what needs the kernel is left out. Use: sudo make bench" >&2
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
status=0
for name in "${names[@]}"; do
    echo "== $name: $(uname -sr), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
    if [ -e "bench/$name/main.swift" ]; then program="$build/release/${name}Bench"; else program="bench/$name/measure.sh"; fi
    code=0
    {
        "$program" "$@" || code=$?
        [ ! -x "bench/$name/count.sh" ] || "bench/$name/count.sh" "$program" all || code=$?
        [ "$code" -eq 0 ] || echo "bench: $name failed ($code)"
    } > >(tee "$lines" | grep --line-buffered -v '^{')
    wait $! || true
    grep '^{' "$lines" || true
    ! grep -q '^bench: .* failed' "$lines" || status=1
    if [ -e "bench/thresholds/$name.json" ]; then
        python3 bench/check.py "bench/thresholds/$name.json" "$lines" || status=1
    fi
done
exit "$status"
