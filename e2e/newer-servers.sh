#!/usr/bin/env bash
# Runs a command that finds RabbitMQ 4 and Valkey 9 where it looks for RabbitMQ 3.10 and Redis 7: those of Debian's next
# release, in a mount namespace of its own.
#
#   e2e/newer-servers.sh COMMAND…
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: e2e/newer-servers.sh COMMAND…" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "mounts of its own are root's: this has to be root" >&2; exit 1; }
if [ -z "${NEWER_ROOT-}" ]; then
    . "$(dirname "$0")/install.sh"
    need unshare util-linux && servers
    NEWER_ROOT=$(newer_servers)
    export NEWER_ROOT
    exec unshare --mount --propagation private "$0" "$@"
fi

# What the programs need of this system: its processes, its devices, and the directories that tests make.
mkdir -p "$NEWER_ROOT/root"
for dir in proc dev tmp; do mkdir -p "$NEWER_ROOT/$dir" && mount --rbind "/$dir" "$NEWER_ROOT/$dir"; done
cp /etc/hosts /etc/passwd /etc/group "$NEWER_ROOT/etc/"
for dir in bin sbin lib lib64; do [ -e "$NEWER_ROOT/$dir" ] || ln -s "usr/$dir" "$NEWER_ROOT/$dir"; done

wrappers=$(mktemp -d)
# wrap NAME PROGRAM: NAME becomes PROGRAM of the newer release, in the directory where it is called if that is there.
wrap() {
    # shellcheck disable=SC2016 # to be expanded when it is called
    printf '#!/bin/sh\nexec chroot %s /bin/sh -c '\''cd "$0" 2>/dev/null; exec "$@"'\'' "$PWD" %s "$@"\n' "$NEWER_ROOT" "$2" >"$wrappers/$1"
    chmod +x "$wrappers/$1"
}
wrap epmd /usr/bin/epmd
wrap redis-server /usr/bin/valkey-server
wrap redis-cli /usr/bin/valkey-cli
mkdir "$wrappers/rabbitmq"
for name in rabbitmq-server rabbitmqctl rabbitmq-plugins; do
    wrap "rabbitmq/$name" "/usr/lib/rabbitmq/bin/$name"
done
mount --bind "$wrappers/rabbitmq" /usr/lib/rabbitmq/bin
PATH=$wrappers:$PATH exec "$@"
