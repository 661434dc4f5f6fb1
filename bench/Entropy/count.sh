#!/bin/sh
# Counts what the work costs, repeatably: instructions, allocations, and retains or releases, by callgrind.
# Usage: bench/Entropy/count.sh PATH_OF_THE_BENCH [MEASURE|all]
#
# The difference of a run of 3 rounds and one of 1 round is two rounds and nothing else.
set -eu

bench=${1:?usage: count.sh PATH_OF_THE_BENCH [MEASURE|all]}
measures=${2:-all}
[ "$measures" != all ] || measures="payload-random-200 payload-random-1400 first-bytes distributions-few distributions-flood community-id"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
calls=$(dirname "$0")/../calls.awk

for measure in $measures; do
    for rounds in 1 3; do
        valgrind --tool=callgrind --callgrind-out-file="$work/$rounds" "$bench" $rounds "$measure" >"$work/out" 2>"$work/log" ||
            { cat "$work/log" >&2; exit 1; }
        awk '/^(summary|totals):/ { print $2; exit }' "$work/$rounds" >"$work/instructions.$rounds"
        awk -f "$calls" "$work/$rounds" >"$work/calls.$rounds"
    done
    units=$(sed -n 's/.*"units":\([0-9]*\).*/\1/p' "$work/out")
    paste "$work/instructions.1" "$work/instructions.3" "$work/calls.1" "$work/calls.3" |
        awk -v measure="$measure" -v units="$units" '{
            printf "{\"bench\":\"Entropy\",\"measure\":\"%s\",\"instructions\":%.1f,\"allocations\":%d,\"retains_and_releases\":%d}\n",
                measure, ($2 - $1) / 2 / units, $5 - $3, $6 - $4
        }'
done
