#!/usr/bin/env bash
# Installs the Debian packages that are missing. Usage: setup.sh build|run|test|bench|rivals ...
# build: what compiling needs; run: what a running sensor wants; test: what the tests and benches drive; bench: what the
# benches count with and compare to; rivals: what flows are compared with, as bench/Flows/rivals.sh does; attacks: who
# attacks and who behaves, for bench/Attacks.
set -euo pipefail

build=(git ca-certificates pkg-config binutils libc6-dev libstdc++-12-dev linux-libc-dev libbpf-dev libelf-dev zlib1g-dev libhiredis-dev libyaml-dev)
run=(redis-server)
test=(redis-server redis-tools iproute2 iputils-ping ethtool iperf3 hping3 curl procps netcat-openbsd python3 tcpdump)
bench=(valgrind python3-psutil prometheus-node-exporter)
rivals=(softflowd nfdump tshark tcpdump python3-venv)
attacks=(
    apache2-utils curl dnsutils goldeneye hping3 hydra iodine iperf3 iproute2 masscan nginx-light nmap openssh-client
    openssh-server python3 rsync slowhttptest wrk
)

declare -a wanted=()
for group in "$@"; do
    case "$group" in
        build) wanted+=("${build[@]}") ;;
        run) wanted+=("${run[@]}") ;;
        test) wanted+=("${test[@]}") ;;
        bench) wanted+=("${bench[@]}") ;;
        rivals) wanted+=("${rivals[@]}") ;;
        attacks) wanted+=("${attacks[@]}") ;;
        *) echo "setup: unknown group '$group'; choose from build, run, test, bench, rivals, attacks" >&2; exit 64 ;;
    esac
done

declare -a missing=()
for package in $(printf '%s\n' "${wanted[@]}" | sort -u); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "setup: this is not a Debian system; install what matches: ${missing[*]}" >&2
    exit 69
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "setup: missing packages: ${missing[*]}. Run: sudo make setup" >&2
    exit 77
fi
echo "setup: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
# Debian starts a service on install; a machine that only builds or tests must not get one behind its back.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
