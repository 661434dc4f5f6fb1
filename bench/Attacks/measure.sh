#!/usr/bin/env bash
# Real attackers and ordinary users against the sensor, in network namespaces of their own; needs root.
# Usage: measure.sh [NAME ...]: those whose name contains one of these; nothing: all, about 25 minutes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" -eq 0 ] || { echo "Attacks: needs root for network namespaces" >&2; exit 77; }
"$here/../../scripts/setup.sh" run attacks
exec python3 "$here/attacks.py" "${BENCH_BINARY:-.build/release/weir}" "$@"
