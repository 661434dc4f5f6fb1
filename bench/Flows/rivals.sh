#!/usr/bin/env bash
# Weir side by side with the tools that it replaces: the same capture, one processor, in turns.
# Usage: rivals.sh [ROUNDS [PLOT]]      default: medians of 5; the plot goes to docs/flows-speed.svg
#
# Installs what is missing: packages of Debian (as root) and, into an environment of their own below the build's folder,
# Python's. Suricata comes from Debian's backports, through a list of its own, so that nothing else does; it is left out,
# and named, where that cannot be had. BUILD=FOLDER as for bench/run.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${BUILD:-.build}
owner=${OWNER:-scripts/as-owner.sh}
cpu=$(($(nproc) - 1))
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

scripts/setup.sh build rivals
if ! command -v suricata >/dev/null && [ "$(id -u)" -eq 0 ]; then
    # The mirror that this machine's own sources name.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Created-By: Packages' 2>/dev/null | head -n 1)
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mkdir -p "$folder/lists/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release-backports main" >"$folder/backports.list"
    apt=(apt-get -q -o "Dir::Etc::sourcelist=$folder/backports.list" -o "Dir::State::lists=$folder/lists")
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -rf "$policy" "$folder"' EXIT
    fi
    { "${apt[@]}" update && DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends suricata; } >&2 ||
        echo "rivals: suricata cannot be installed here" >&2
fi
venv=$build/rivals
if [ ! -e "$venv/complete" ]; then
    $owner python3 -m venv "$venv"
    $owner "$venv/bin/pip" install -q nfstream==6.6.0 scapy==2.8.0 scipy requests
    # It asks for a newer Python than it needs.
    $owner "$venv/bin/pip" install -q --no-deps --ignore-requires-python cicflowmeter==0.5.0
    $owner touch "$venv/complete"
fi
cat >"$folder/suricata.yaml" <<'END'
%YAML 1.1
---
vars: {address-groups: {HOME_NET: "[10.0.0.0/8]", EXTERNAL_NET: "!$HOME_NET"}}
stats: {enabled: no}
outputs: [eve-log: {enabled: yes, filetype: regular, filename: eve.json, types: [flow]}]
app-layer: {protocols: {http: {enabled: no}, tls: {enabled: no}, dns: {tcp: {enabled: no}, udp: {enabled: no}}}}
flow: {memcap: 512mb, hash-size: 131072, prealloc: 100000}
stream: {memcap: 256mb, reassembly: {memcap: 512mb, depth: 1mb}}
END

for product in weir FlowsBench; do
    $owner swift build --scratch-path "$build" -c release --static-swift-stdlib --product "$product" >&2
done
"$build/release/FlowsBench" make "$folder/mix.pcap" | grep '^{'
sha256sum "$folder/mix.pcap"
editcap -r "$folder/mix.pcap" "$folder/cut.pcap" 1-100000

echo "$(uname -sr), $(nproc) processors, one of them used (number $cpu); load $(cut -d' ' -f1-3 /proc/loadavg)"
python3 bench/Flows/rivals.py "$build/release/weir" "$venv/bin/python" "$folder" "$cpu" "${1:-5}" "${2:-docs/flows-speed.svg}"
