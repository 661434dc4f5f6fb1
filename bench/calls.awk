# Calls that a packet path must not make, out of callgrind's file: allocations (all of Swift's end in these), then retains
# and releases.
# A call is "cfn=(number) [name]" and below it "calls=count"; names stand only where a number is first used.
/^c?fn=/ {
    match($0, /\([0-9]+\)/); id = substr($0, RSTART, RLENGTH); rest = substr($0, RSTART + RLENGTH + 1)
    if (rest != "") name[id] = rest
    if ($0 ~ /^cfn=/) callee = id
}
/^calls=/ { split(substr($1, 7), part, " "); calls[callee] += part[1] }
END {
    for (id in calls) {
        if (name[id] ~ /^(malloc|calloc|realloc|posix_memalign|aligned_alloc)/) allocations += calls[id]
        if (name[id] ~ /^(_?swift_(retain|release|bridgeObject|unknownObject))/) retains += calls[id]
    }
    print allocations + 0, retains + 0
}
