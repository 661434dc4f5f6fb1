#!/usr/bin/env bash
# Runs the sensor in the foreground: needs root, and a Redis to publish to (starts one on loopback if none answers).
# Usage: run.sh BINARY [ARGUMENTS for `weir run`]
set -euo pipefail

binary=$1
shift
if [ "$(id -u)" -ne 0 ]; then
    echo "weir counts packets in the kernel and needs root. Run: sudo make run" >&2
    exit 77
fi

answers() { (exec 3<>/dev/tcp/127.0.0.1/6379 && printf 'PING\r\n' >&3 && read -r -t 1 reply <&3 && [ -n "$reply" ]) 2>/dev/null; }

case " $* ${WEIR_REDIS_URL:-} " in
    *" --redis"* | *redis://* | *unix://*) ;; # another Redis was named: leave this machine's alone
    *)
        if answers; then
            echo "run: publishing to the Redis that answers on 127.0.0.1:6379" >&2
        else
            "$(dirname "$0")/setup.sh" run
            setsid redis-server --bind 127.0.0.1 --port 6379 --save '' --appendonly no --maxmemory 64mb \
                --daemonize no --loglevel warning >/dev/null &
            redis=$!
            trap 'kill "$redis" 2>/dev/null || true' EXIT
            for _ in $(seq 50); do answers && break || sleep 0.1; done
            answers || { echo "run: redis-server did not start; name another with ARGS='--redis URL'" >&2; exit 69; }
            echo "run: no Redis answered on 127.0.0.1:6379, so one was started; it ends with the sensor" >&2
        fi
        ;;
esac

# Signals go on to the sensor, which publishes its last document before the Redis started here ends.
"$binary" run "$@" &
sensor=$!
trap 'kill -TERM "$sensor" 2>/dev/null || true' INT TERM
status=0
while kill -0 "$sensor" 2>/dev/null; do
    wait "$sensor" && status=0 || status=$?
done
exit "$status"
