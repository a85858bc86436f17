#!/bin/sh
# Runs the server in the mode of MODE: single, sentinel (as the master or a replica, as the sentinels say), or cluster.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# Whether another server of the group holds keys, while this one has an empty volume.
others_hold_keys() {
    for peer in $PEERS; do
        [ "$peer" != "$HOST:$PORT" ] || continue
        keys=$(ask "$peer" dbsize)
        [ "${keys:-0}" -eq 0 ] || return 0
    done
    return 1
}

# Lines about the master, once sentinels have named one.
role() {
    while :; do
        # shellcheck disable=SC2046 # words of one line
        set -- $(named_master)
        if [ $# != 3 ]; then
            say "waiting for more than half of the sentinels: $SENTINELS"
        elif [ "$2:$3" != "$HOST:$PORT" ]; then
            say "replica of $2:$3"
            echo "replicaof $2 $3"
            return
        # An empty master would empty its replicas. Sentinels choose one of them when this one stays away.
        elif [ ! -e "$DATA/appendonlydir" ] && others_hold_keys; then
            say "this volume is empty, and others hold keys: waiting until the sentinels choose one of them"
        else
            say "master"
            return
        fi
        sleep 1
    done
}

umask 077
{
    cat "$CONFIG/redis.conf"
    echo "dir $DATA"
    echo "port $PORT"
    echo "requirepass $(quoted "$password")"
    echo "masterauth $(quoted "$password")"
    case $MODE in
    sentinel)
        echo "replica-announce-ip $HOST"
        echo "replica-announce-port $PORT"
        role
        ;;
    cluster)
        echo "cluster-enabled yes"
        echo "cluster-config-file $DATA/nodes.conf"
        echo "cluster-node-timeout 5000"
        echo "cluster-require-full-coverage no"
        # Names outlive addresses, so clients are given names. Nodes themselves speak by address: of this one they are
        # told by itself, after every start (join.sh).
        echo "cluster-announce-hostname $HOST"
        echo "cluster-preferred-endpoint-type hostname"
        [ -z "${ADDRESS-}" ] || echo "cluster-announce-ip $ADDRESS"
        ;;
    esac
} >"$RUN/redis.conf"
exec "$SERVER" "$RUN/redis.conf"
