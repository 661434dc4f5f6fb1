#!/bin/sh
# Counts what one packet costs by stage, repeatably: instructions, and allocations, by callgrind.
# Usage: bench/Flows/count.sh PATH_OF_THE_BENCH [all]
#
# Each stage runs with all before it, over a tenth of the mix; the difference of 3 rounds and 1 is two rounds and nothing
# else, and that of two neighbours is a stage. A round opens the file once and sorts each second's endings, which allocates
# a few hundred times however many packets there are: counted per packet, to three decimals, that is nothing.
set -eu

bench=${1:?usage: count.sh PATH_OF_THE_BENCH}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
calls=$(dirname "$0")/../calls.awk
packets=$("$bench" make "$work/mix.pcap" 120000 8000 | sed -n 's/.*"packets":\([0-9]*\).*/\1/p')

for stage in read decode lookup features values csv; do
    for rounds in 1 3; do
        valgrind --tool=callgrind --callgrind-out-file="$work/$rounds" "$bench" $rounds $stage "$work/mix.pcap" >"$work/out" 2>"$work/log" ||
            { cat "$work/log" >&2; exit 1; }
        awk '/^(summary|totals):/ { print $2; exit }' "$work/$rounds" >"$work/instructions.$rounds"
        awk -f "$calls" "$work/$rounds" >"$work/calls.$rounds"
    done
    echo "$stage $(paste "$work/instructions.1" "$work/instructions.3" "$work/calls.1" "$work/calls.3")" >>"$work/stages"
done

awk -v packets="$packets" '{
    whole = ($3 - $2) / 2 / packets
    stage = whole - last
    last = whole
    printf "%-10s %7.1f instructions a packet, %7.1f with all before; %.3f allocations\n", $1, stage, whole, ($6 - $4) / 2 / packets
    printf "{\"bench\":\"Flows\",\"measure\":\"count-%s\",\"instructions_per_packet\":%.1f,\"with_all_before\":%.1f,\"allocations_per_packet\":%.3f}\n",
        $1, stage, whole, ($6 - $4) / 2 / packets
}' "$work/stages"
