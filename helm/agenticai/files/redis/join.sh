#!/bin/sh
# Keeps the nodes of a cluster acquainted: each tells all others where it is now, so that a cluster whose pods were all
# given new addresses finds itself again. The first node forms the cluster when all nodes are there and new. Doing any of
# it twice changes nothing.
set -eu
# shellcheck source=/dev/null
. "$(dirname "$0")/common.sh"

here=$HOST:$PORT

# The nodes that this one is connected with, itself included.
acquainted() { ask "$here" cluster nodes | grep -cE 'myself|[^s]connected' || true; }

meet() {
    for peer in $PEERS; do
        [ "$peer" != "$here" ] || continue
        address=$(address_of "${peer%:*}")
        [ -z "$address" ] || ask "$here" cluster meet "$address" "${peer##*:}" >/dev/null
    done
}

# Whether every node answers, knows nobody, and has no slots.
all_new() {
    for peer in $PEERS; do
        info=$(ask "$peer" cluster info)
        echo "$info" | grep -q '^cluster_known_nodes:1[^0-9]*$' || return 1
        echo "$info" | grep -q '^cluster_slots_assigned:0[^0-9]*$' || return 1
    done
}

form() {
    addresses=
    for peer in $PEERS; do
        address=$(address_of "${peer%:*}")
        [ -n "$address" ] || return 0
        addresses="$addresses $address:${peer##*:}"
    done
    say "forming the cluster"
    # shellcheck disable=SC2086 # one word for each node
    REDISCLI_AUTH=$password "$CLI" --no-auth-warning --cluster create $addresses --cluster-replicas 1 --cluster-yes
}

nodes=$(echo "$PEERS" | wc -w)
while :; do
    if [ "$(ask "$here" cluster info | grep -c '^cluster_known_nodes:1[^0-9]*$' || true)" = 1 ]; then
        if [ "$here" = "${PEERS%% *}" ] && all_new; then form; fi
    elif [ "$(acquainted)" -lt "$nodes" ]; then
        meet
    fi
    sleep "${PAUSE:-5}"
done
