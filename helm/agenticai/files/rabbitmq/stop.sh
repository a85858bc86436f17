#!/bin/sh
# Before a node stops: wait until no queue needs it for its majority, and move leaders elsewhere. A node that never
# joined has nothing to wait for, and a wait that ends without success does not keep the pod for ever.
[ -e "$DATA/agenticai-member" ] || exit 0
rabbitmq-upgrade --quiet --timeout "$QUORUM_WAIT_SECONDS" await_online_quorum_plus_one &&
    rabbitmq-upgrade --quiet --timeout 30 drain
exit 0
