# shellcheck shell=sh
# What preparing and serving have in common. Read by prepare.sh and serve.sh.
#
# POD_NAME is this pod, PRIMARY the pod that is the primary; PRIMARY_HOST and PRIMARY_PORT are where it listens, PEERS is
# `host:port` of every pod that there may be, and SECRETS holds the passwords, one file each.

say() { echo "agenticai: $*" >&2; }
refuse() { say "$*"; exit 1; }

# The first process of a container heeds SIGTERM only where it says so.
trap 'exit 143' TERM

is_primary() { [ "$POD_NAME" = "$PRIMARY" ]; }
has_data() { [ -s "$PGDATA/PG_VERSION" ]; }
is_standby() { [ -e "$PGDATA/standby.signal" ]; }

# The password of `replicator` in a file of its own, written at every start: it may have been changed.
passfile=${PASSFILE:-/tmp/replicator.pgpass}
write_passfile() {
    (umask 077 && printf '*:*:*:replicator:%s\n' "$(sed 's/[\\:]/\\&/g' "$SECRETS/replication-password")" >"$passfile")
}

conninfo() {
    printf 'host=%s port=%s user=replicator passfile=%s application_name=%s connect_timeout=10' \
        "$PRIMARY_HOST" "$PRIMARY_PORT" "$passfile" "$POD_NAME"
}
