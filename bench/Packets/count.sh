#!/bin/sh
# Counts what one packet costs, repeatably: instructions, allocations, and retains or releases, by callgrind.
# Usage: bench/Packets/count.sh PATH_OF_THE_BENCH [MEASURE]
#
# The difference of a run of 3 rounds and one of 1 round is two rounds over 131,072 packets and nothing else.
set -eu

bench=${1:?usage: count.sh PATH_OF_THE_BENCH [MEASURE]}
measure=${2:-count}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
calls=$(dirname "$0")/../calls.awk

for rounds in 1 3; do
    valgrind --tool=callgrind --callgrind-out-file="$work/$rounds" "$bench" $rounds "$measure" >/dev/null 2>"$work/log" ||
        { cat "$work/log" >&2; exit 1; }
    awk '/^(summary|totals):/ { print $2; exit }' "$work/$rounds" >"$work/instructions.$rounds"
    awk -f "$calls" "$work/$rounds" >"$work/calls.$rounds"
done

paste "$work/instructions.1" "$work/instructions.3" "$work/calls.1" "$work/calls.3" | awk -v measure="$measure" '{
    packets = 2 * 131072
    printf "{\"bench\":\"Packets\",\"measure\":\"%s\",\"instructions_per_packet\":%.1f,\"allocations\":%d,\"retains_and_releases\":%d,\"packets\":%d}\n",
        measure, ($2 - $1) / packets, $5 - $3, $6 - $4, packets
}'
