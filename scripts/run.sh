#!/usr/bin/env bash
# Runs the sensor in the foreground, as root. It wants a Redis to publish to: where that is to be on this machine and none
# answers, one is started that ends after the sensor. Usage: run.sh BINARY [ARGUMENTS for `weir run`]
set -euo pipefail

binary=$1
shift

# What is in force: the flags of `weir run` that say where things are, then environment, file and defaults.
declare -a places=()
declare -A flags=()
previous=
for word in "$@"; do
    case "$previous" in
        --config | --data-dir) places+=("$previous" "$word") ;;
        --redis | --resource-id) flags[$previous]=$word ;;
    esac
    case "$word" in
        --config=* | --data-dir=*) places+=("$word") ;;
        --redis=* | --resource-id=*) flags[${word%%=*}]=${word#*=} ;;
    esac
    previous=$word
done
redis=
settings=$("$binary" check --list "${places[@]}" 2>/dev/null) || "$binary" check "${places[@]}"
value() { awk -v key="$1" '$1 == key && $2 != "\"\"" { print $2 }' <<<"$settings"; }

url=${flags[--redis]-$(value redis.url)}
resource=${flags[--resource-id]-$(value resource_id)}
data=$(value data_dir)
key=$(value publish.key)
log=$(value log.file)

if "$binary" status "${places[@]}" >/dev/null 2>&1; then
    echo "run: a sensor runs already with $data; stop it, or choose another place: ARGS='--data-dir DIR'" >&2
    exit 69
fi

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'PING\r\n' >&3 && read -r -t 1 reply <&3 && [[ $reply == [+-]* ]]) 2>/dev/null; }

# Only a Redis on loopback, without a password, is ours to start.
if [[ $url =~ ^redis://(localhost|127\.0\.0\.1)(:([0-9]+))?(/.*)?$ && -z $(value redis.password_file) ]]; then
    port=${BASH_REMATCH[3]:-6379}
    if ! answers "$port"; then
        "$(dirname "$0")/setup.sh" run
        declare -a account=()
        id redis >/dev/null 2>&1 && account=(--reuid redis --regid redis --clear-groups)
        # In a session of its own, so that Ctrl-C does not end it before the last document is there.
        setsid setpriv "${account[@]}" --pdeathsig TERM redis-server --bind 127.0.0.1 --port "$port" --save '' \
            --appendonly no --maxmemory 64mb --daemonize no --loglevel warning >/dev/null &
        redis=$!
        trap 'kill "$redis" 2>/dev/null && wait "$redis" || true; echo "run: the Redis started for this run has ended" >&2' EXIT
        for _ in {1..50}; do answers "$port" && break || sleep 0.1; done
        answers "$port" || { echo "run: redis-server did not start; name another with ARGS='--redis URL'" >&2; exit 69; }
    fi
fi

# A session of its own here too: Ctrl-C comes to this script alone, which passes on one signal. Two would end the sensor
# at once, without its last document.
setsid setpriv --pdeathsig TERM "$binary" run "$@" &
sensor=$!
interrupted=
trap 'interrupted=1; kill -TERM "$sensor" 2>/dev/null || true' INT TERM HUP

for _ in {1..50}; do
    kill -0 "$sensor" 2>/dev/null || break
    if "$binary" status "${places[@]}" >/dev/null 2>&1; then
        [[ $log == /* || -z $log ]] || log=$data/$log
        url=${url#redis://}
        cat >&2 <<END

The sensor runs; Ctrl-C stops it.
  Redis      ${url##*@}${redis:+ (started for this run, ends with it)}
  documents  key $key${resource:+ and $key:$resource}, channel $(value publish.channel)
  log        ${log:-none: log.file is empty}
  socket     $data/weir.sock
  ask it     sudo $binary status${places:+ ${places[*]}}    (likewise packets, ports, doctor, verify)

END
        break
    fi
    sleep 0.2 || true
done

# A signal ends `wait` as well as the sensor does.
while true; do
    interrupted=
    wait "$sensor" && status=0 || status=$?
    [ -n "$interrupted" ] || exit "$status"
done
