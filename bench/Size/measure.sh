#!/usr/bin/env bash
# What the release binary weighs, part by part: sections, then machine code and data by the module it comes from.
# Usage: measure.sh [BINARY]      default: BENCH_BINARY, .build/release/weir
set -euo pipefail
cd "$(dirname "$0")/../.."

binary=${1:-${BENCH_BINARY:-.build/release/weir}}
[ -x "$binary" ] || { echo "Size: $binary is not there: run make build" >&2; exit 66; }
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip -o "$stripped" "$binary"

python3 - "$binary" "$stripped" <<'END'
import collections, json, os, re, subprocess, sys

binary, stripped = sys.argv[1:]

def emit(measure, **values):
    for name, value in values.items():
        print(f"  {name:<28}{value:>10.2f}")
    print(json.dumps({"bench": "Size", "measure": measure, **{k: round(v, 2) for k, v in values.items()}}))

mib = lambda number: number / 1048576
print("binary, MiB")
emit("binary", unstripped_mib=mib(os.path.getsize(binary)), stripped_mib=mib(os.path.getsize(stripped)))

sections = collections.Counter()
for line in subprocess.check_output(["size", "-A", stripped], text=True).splitlines():
    fields = line.split()
    if len(fields) == 3 and fields[0].startswith("."):
        kind = ("code" if fields[0] in (".text", ".plt") else "swift_metadata" if "swift5" in fields[0]
                else "unwinding" if fields[0].startswith((".eh_frame", ".gcc_except")) else
                "zeroed_at_start" if fields[0] == ".bss" else "relocations" if fields[0].startswith(".rela")
                else "constants_and_data")
        sections[kind] += int(fields[1])
print("sections of the stripped binary, MiB")
emit("sections", **{f"{k}_mib": mib(v) for k, v in sections.most_common()})

# Swift names carry their module behind $s; a generic type's code is counted with the module that its name begins with.
ours = {"BPF", "Capture", "Dashboard", "Flows", "Host", "Keeper", "Linux", "Packets", "Publishing", "Reports", "Sensor",
        "weir"}
standard = {"s": "swift_stdlib", "S": "swift_stdlib"}
parts = collections.Counter()
def part(name):
    module = re.match(r"\$[sS](\d+)", name)
    if module:
        length = int(module[1])
        start = module.end()
        module = name[start:start + length]
        if module in ours: return "weir_itself"
        if module.startswith(("Hummingbird", "ServiceLifecycle", "AsyncAlgorithms")): return "hummingbird"
        if module.startswith(("NIO", "_NIO", "CNIO")): return "swift_nio"
        if module.startswith("Foundation"): return "foundation_essentials"
        if module.startswith("ArgumentParser"): return "argument_parser"
        if module.startswith("Configuration"): return "configuration"
        if "Collections" in module or module in ("DequeModule", "OrderedCollections", "HashTreeCollections"):
            return "swift_collections"
        if module.startswith(("Swift", "_Concurrency", "Synchronization", "_StringProcessing", "_RegexParser", "Dispatch")):
            return "swift_stdlib"
        return "other_packages"
    if name.startswith(("$s", "$S")): return "swift_stdlib"
    if name.startswith(("_ZN5swift", "_ZN12_GLOBAL__N_1", "swift_", "_ZN4llvm", "_ZNK5swift")): return "swift_stdlib"
    if name.startswith(("c_nio", "CNIO", "nio_")): return "swift_nio"
    if name.startswith(("dispatch_", "_dispatch")): return "swift_stdlib"
    return "c_and_unnamed"
for line in subprocess.check_output(["nm", "-S", "--defined-only", binary], text=True).splitlines():
    fields = line.split(maxsplit=3)
    if len(fields) == 4 and fields[2] in "tTdDrRwWvVbBuU":
        if fields[2] not in "bB": parts[part(fields[3])] += int(fields[1], 16)
print("code and data with a name, by origin, MiB")
emit("parts", **{f"{k}_mib": mib(v) for k, v in parts.most_common()})
END
