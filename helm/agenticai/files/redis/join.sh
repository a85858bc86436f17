#!/bin/sh
# Makes a cluster of the nodes, and keeps it one. Each node tells all others where it is now, so that a cluster whose pods
# were all given new addresses finds itself again; the first gives slots to the first half of the nodes, once; and a node
# without slots becomes a replica of the master that has the fewest. Doing any of it twice changes nothing.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

here=$HOST:$PORT
nodes=0
for _ in $PEERS; do nodes=$((nodes + 1)); done
masters=$((nodes / 2))

# What `cluster nodes` says, made simple: `id name flags connected|disconnected slots|none master address`, a line for each. A
# link to a node that is gone may count as connected for long, so flags are looked at, too; a name not yet known is `-`.
table() {
    ask "$here" cluster nodes | tr -d '\r' | awk 'NF >= 8 {
        split($2, where, ","); sub(/@.*/, "", where[1])
        print $1, (where[2] == "" ? "-" : where[2]), $3, $8, (NF > 8 ? "slots" : "none"), $4, where[1]
    }'
}

# Only those who are not known to be well where they are now: to meet a node again drops the connection with it.
meet() {
    for peer in $PEERS; do
        [ "$peer" != "$here" ] || continue
        address=$(address_of "${peer%:*}")
        [ -n "$address" ] || continue
        if ! echo "$1" | awk -v at="$address:${peer##*:}" '$7 == at && $4 == "connected" && $3 !~ /fail/ { found = 1 } END { exit !found }'; then
            ask "$here" cluster meet "$address" "${peer##*:}" >/dev/null
        fi
    done
}

# A node that lost its volume came back as another one under the same name. When as many nodes as there are pods are
# connected and well, whatever else is in the table, and holds no slots, is such a former node; every node has to forget it.
forget_former() {
    echo "$1" | awk '($4 != "connected" || $3 ~ /fail/) && $3 !~ /handshake|myself/ && $5 == "none" { print $1 }' | while read -r id; do
        say "forgetting $id, which no pod is any more"
        ask "$here" cluster forget "$id" >/dev/null
    done
}

give_slots() {
    say "giving slots to the first $masters nodes"
    i=0
    for peer in $PEERS; do
        [ "$i" -lt "$masters" ] || break
        ask "$peer" cluster addslotsrange $((16384 * i / masters)) $((16384 * (i + 1) / masters - 1)) >/dev/null
        i=$((i + 1))
    done
}

# The first node, in order, that is a master without slots; one after the other, so that they choose different masters.
first_idle() {
    for peer in $PEERS; do
        if echo "$1" | awk -v name="${peer%:*}" '$2 == name && $3 ~ /master/ && $3 !~ /fail/ && $5 == "none" { found = 1 } END { exit !found }'; then
            echo "$peer"
            return
        fi
    done
}

follow() {
    master=$(echo "$1" | awk '$3 ~ /fail/ { next }
        $3 ~ /master/ && $5 == "slots" { master[++n] = $1 }
        $3 ~ /slave|replica/ { replicas[$6]++ }
        END { for (i = 1; i <= n; i++) if (best == "" || replicas[master[i]] < replicas[best]) best = master[i]; print best }')
    [ -n "$master" ] || return 0
    say "becoming a replica of $master"
    ask "$here" cluster replicate "$master" >/dev/null
}

while :; do
    known=$(table)
    if [ -n "$known" ]; then
        connected=$(echo "$known" | awk '$4 == "connected" && $3 !~ /fail|handshake/ { n++ } END { print n + 0 }')
        assigned=$(ask "$here" cluster info | tr -d '\r' | sed -n 's/^cluster_slots_assigned://p')
        meet "$known"
        if [ "$connected" -ge "$nodes" ]; then
            forget_former "$known"
            if [ "${assigned:-0}" -lt 16384 ]; then
                [ "$here" != "${PEERS%% *}" ] || give_slots
            elif [ "$(first_idle "$known")" = "$here" ]; then
                follow "$known"
            fi
        fi
    fi
    sleep "${PAUSE:-2}"
done
