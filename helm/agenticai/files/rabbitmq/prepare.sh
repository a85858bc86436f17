#!/bin/sh
# Decides what a node with an empty volume may do: found the cluster, or join the one that there is.
#
# RabbitMQ lets every new node join one fixed seed, the first pod, and lets the seed found a cluster alone. If the seed
# loses its volume it would found a second one beside the first. So here a new node asks the others: it joins whoever
# runs, and the seed founds a cluster only when a majority of the nodes, itself included, say that they are blank.
#
# NODE is this node, NODES are all of them, SEED the first; DATA is the volume, OUT a directory for what serve.sh reads. A
# node is blank until it has served for the first time, which started.sh notes on the volume.
set -eu
# The first process of a container heeds SIGTERM only where it says so.
trap 'exit 143' TERM

say() { echo "agenticai: $*" >&2; }
ctl() { node=$1; shift; rabbitmqctl --quiet --node "$node" --timeout 10 "$@"; }

# The cookie is read from the home directory and must be for its owner alone.
cookie() {
    rm -f "$HOME/.erlang.cookie"
    (umask 077 && cat "$SECRETS/erlang-cookie" >"$HOME/.erlang.cookie")
    chmod 400 "$HOME/.erlang.cookie"
}

# ask NODE: running (it is in a cluster), blank (it waits for a cluster to join), data (it starts on data that it has), or
# away.
ask() {
    case $(ctl "$1" eval '{rabbit:is_running(), os:getenv("AGENTICAI_BLANK")}.' 2>/dev/null) in
    *"{true,"*) echo running ;;
    *'"yes"'*) echo blank ;;
    *'"no"'*) echo data ;;
    *) echo away ;;
    esac
}

# A cluster that knows this node under its name, from before its volume was lost, would refuse it: its old place goes.
forget_in() {
    if ctl "$1" cluster_status --formatter json 2>/dev/null | tr -d ' \n' | grep -q "\"disk_nodes\":\[[^]]*\"$NODE\""; then
        say "$NODE has lost its volume: $1 forgets its former place"
        ctl "$1" forget_cluster_node "$NODE"
    fi
}

join() {
    say "joining the cluster of $1"
    forget_in "$1"
    echo "cluster_formation.k8s.seed_node = $1" >"$OUT/seed.conf"
}

cookie
mkdir -p "$OUT"
: >"$OUT/seed.conf"
if [ -e "$DATA/agenticai-member" ]; then
    echo no >"$OUT/blank"
    exit 0
fi
# What a node leaves behind that never came up: nobody has been served by it, the next try begins from nothing.
rm -rf "${DATA:?}/mnesia"
echo yes >"$OUT/blank"

all=0
for node in $NODES; do all=$((all + 1)); done
while :; do
    blank=1 states=
    for node in $NODES; do
        [ "$node" != "$NODE" ] || continue
        state=$(ask "$node")
        states="$states $node is $state;"
        case $state in
        running)
            join "$node"
            exit 0
            ;;
        blank) blank=$((blank + 1)) ;;
        esac
    done
    # Who is not the seed waits in its own server, where the seed can ask it.
    [ "$NODE" = "$SEED" ] || exit 0
    case $states in
    *"is data;"*) say "this volume is empty, and others hold data: waiting until one of them runs, to join it.$states" ;;
    *)
        if [ $((blank * 2)) -gt "$all" ]; then
            say "founding the cluster: $blank of $all nodes are new"
            exit 0
        fi
        say "this volume is empty. A cluster is founded when more than half of $all nodes say that theirs are, too;" \
            "where one was lost for good, see docs/kubernetes/state.md.$states"
        ;;
    esac
    sleep "${PAUSE:-3}"
done
