#!/bin/sh
# The startup probe: the node has joined and takes connections. From then on its volume is that of a member.
set -eu
rabbitmq-diagnostics --quiet check_port_connectivity
[ -e "$DATA/agenticai-member" ] || touch "$DATA/agenticai-member"
