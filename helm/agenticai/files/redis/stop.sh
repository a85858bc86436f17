#!/bin/sh
# Before a master stops, another takes its place: clients lose a second rather than the time that its death takes to be
# noticed.
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
case $MODE in
sentinel)
    [ "$(ask "$HOST:$PORT" role | head -n 1)" = master ] || exit 0
    ask "${HOST}:$SENTINEL_PORT" sentinel failover "$GROUP" >/dev/null
    ;;
cluster)
    # shellcheck disable=SC2046 # words of one line
    set -- $(ask "$HOST:$PORT" cluster nodes | awk '/myself,master/ { print $1 }')
    [ $# = 1 ] || exit 0
    replica=$(ask "$HOST:$PORT" cluster replicas "$1" | grep ' connected' | grep -v fail | sed 's/.* \([^ ]*\):\([0-9]*\)@.*/\1:\2/;q')
    [ -z "$replica" ] || ask "$replica" cluster failover >/dev/null
    ;;
esac
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ "$(ask "$HOST:$PORT" role | head -n 1)" = master ] || exit 0
    sleep 1
done
exit 0
