#!/usr/bin/env bash
# Runs a command as the user who called sudo, or who owns the checkout, so that nothing of root's stays in it.
# Finds the Swift toolchain where sudo's short PATH has dropped it. Usage: as-owner.sh COMMAND ...
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
owner=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
    owner=$(stat -c %U "$root")
    caller=${SUDO_USER:-root}
    if [ "$caller" != root ] && runuser -u "$caller" -- test -w "$root" 2>/dev/null; then owner=$caller; fi
    id "$owner" >/dev/null 2>&1 || owner=root
fi
home=$(getent passwd "$owner" | cut -d: -f6)

if ! command -v swift >/dev/null; then
    declare -a folders=(/opt/swift/usr/bin /usr/local/swift/usr/bin /usr/share/swift/usr/bin /usr/libexec/swift/bin
        "$home/.local/share/swiftly/bin" "$home/swift/usr/bin")
    # Wherever else the user's own shell finds it.
    [ "$(id -u)" -ne 0 ] || folders+=("$(dirname "$(runuser -l "$owner" -c 'command -v swift' 2>/dev/null </dev/null || echo /none)")")
    for folder in "${folders[@]}"; do
        [ -x "$folder/swift" ] && PATH="$PATH:$folder" && break
    done
fi
if ! command -v swift >/dev/null; then
    echo "as-owner: no 'swift' found. Install Swift 6.3 (swift.org/install) and put it on the PATH." >&2
    exit 69
fi
export PATH
if [ "$owner" = "$(id -un)" ]; then
    exec "$@"
fi
exec runuser -u "$owner" -- env HOME="$home" PATH="$PATH" "$@"
