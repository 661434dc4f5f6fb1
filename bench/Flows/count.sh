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
packets=$("$bench" make "$work/mix.pcap" 120000 8000 | sed -n 's/.*"packets":\([0-9]*\).*/\1/p')

for stage in read decode lookup features values csv; do
    for rounds in 1 3; do
        valgrind --tool=callgrind --callgrind-out-file="$work/$rounds" "$bench" $rounds $stage "$work/mix.pcap" >"$work/out" 2>"$work/log" ||
            { cat "$work/log" >&2; exit 1; }
        awk '/^(summary|totals):/ { print $2; exit }' "$work/$rounds" >"$work/instructions.$rounds"
        # A call is "cfn=(number) [name]" and below it "calls=count"; names stand only where a number is first used.
        awk '
            /^c?fn=/ {
                match($0, /\([0-9]+\)/); id = substr($0, RSTART, RLENGTH); rest = substr($0, RSTART + RLENGTH + 1)
                if (rest != "") name[id] = rest
                if ($0 ~ /^cfn=/) callee = id
            }
            /^calls=/ { split(substr($1, 7), part, " "); calls[callee] += part[1] }
            END {
                for (id in calls)
                    if (name[id] ~ /^(malloc|calloc|realloc|posix_memalign|aligned_alloc)/) allocations += calls[id]
                print allocations + 0
            }' "$work/$rounds" >"$work/calls.$rounds"
    done
    echo "$stage $(paste "$work/instructions.1" "$work/instructions.3" "$work/calls.1" "$work/calls.3")" >>"$work/stages"
done

awk -v packets="$packets" '{
    whole = ($3 - $2) / 2 / packets
    stage = whole - last
    last = whole
    printf "%-10s %7.1f instructions a packet, %7.1f with all before; %.3f allocations\n", $1, stage, whole, ($5 - $4) / 2 / packets
    printf "{\"bench\":\"Flows\",\"measure\":\"count-%s\",\"instructions_per_packet\":%.1f,\"with_all_before\":%.1f,\"allocations_per_packet\":%.3f}\n",
        $1, stage, whole, ($5 - $4) / 2 / packets
}' "$work/stages"
