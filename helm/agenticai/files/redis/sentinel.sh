#!/bin/sh
# Runs a sentinel. What it knows of elections lies on the volume and outlives its pod; passwords and names are written
# anew at every start.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

umask 077
mkdir -p "$DATA/sentinel"
file=$DATA/sentinel/sentinel.conf

if ! grep -q "^sentinel monitor $GROUP " "$file" 2>/dev/null; then
    # A new sentinel is told by the others, if there are any, else the first server is the master.
    # shellcheck disable=SC2046 # words of one line
    set -- $(named_master)
    first=${PEERS%% *}
    echo "sentinel monitor $GROUP ${2:-${first%:*}} ${3:-${first##*:}} $QUORUM" >"$file"
fi

ours='^(port|dir|requirepass|protected-mode|daemonize|sentinel (announce-|resolve-|auth-pass|sentinel-pass|down-after|failover-timeout|parallel-syncs))'
known=$(grep -vE "$ours" "$file")
{
    echo "port $SENTINEL_PORT"
    echo "dir /tmp"
    echo "protected-mode no"
    echo "requirepass $(quoted "$password")"
    # Before anything that holds a name.
    echo "sentinel resolve-hostnames yes"
    echo "sentinel announce-hostnames yes"
    echo "sentinel announce-ip $HOST"
    echo "sentinel announce-port $SENTINEL_PORT"
    echo "sentinel sentinel-pass $(quoted "$password")"
    echo "$known"
    echo "sentinel auth-pass $GROUP $(quoted "$password")"
    echo "sentinel down-after-milliseconds $GROUP $DOWN_AFTER_MILLISECONDS"
    echo "sentinel failover-timeout $GROUP $FAILOVER_TIMEOUT_MILLISECONDS"
    echo "sentinel parallel-syncs $GROUP 1"
} >"$file.new"
mv "$file.new" "$file"

# The name of a pod is known once the pod has an address.
master=$(awk -v group="$GROUP" '$2 == "monitor" && $3 == group { print $4; exit }' "$file")
until [ -n "$(address_of "$master")" ]; do
    say "waiting for the name of $master"
    sleep 1
done
exec "$SERVER" "$file" --sentinel
