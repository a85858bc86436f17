#!/bin/sh
# Fills an empty volume: the primary's by initdb, a standby's with a copy of the primary. A volume that holds data is left
# as it is. Each is made beside its place and moved there when it is complete, so that it may be cut short anywhere.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
export SECRETS

# A primary whose volume is gone must not begin anew beside standbys that still have everything.
refuse_where_others_hold_data() {
    for peer in $PEERS; do
        if pg_isready --quiet --host="${peer%:*}" --port="${peer##*:}" --timeout=3; then
            refuse "the volume of the primary $POD_NAME is empty, and $peer holds data: make that one the primary" \
                "(postgresql.primary, see docs/kubernetes/state.md), or delete its claim as well to begin anew"
        fi
    done
}

initialize() {
    say "making a new database in $PGDATA"
    initdb --pgdata="$PGDATA.new" --username=postgres --pwfile="$SECRETS/postgres-password" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 --data-checksums >/dev/null
    # For nobody but this script: no port, and a socket of its own.
    socket=$(mktemp -d)
    pg_ctl --pgdata="$PGDATA.new" --wait --silent --log="$socket/log" \
        --options="-c listen_addresses='' -c unix_socket_directories=$socket -c password_encryption=scram-sha-256" start ||
        { cat "$socket/log" >&2; refuse "the new server does not start"; }
    PGPASSWORD=$(cat "$SECRETS/postgres-password") psql --host="$socket" --username=postgres --dbname=postgres \
        --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=user="$APP_USER" --set=database="$APP_DATABASE" <<'SQL'
\set password `cat "$SECRETS/password"`
\set replication `cat "$SECRETS/replication-password"`
create role :"user" login password :'password';
create role replicator replication login password :'replication';
create database :"database" owner :"user";
SQL
    pg_ctl --pgdata="$PGDATA.new" --wait --silent --mode=fast stop
    rm -rf "$socket"
}

clone() {
    until pg_isready --quiet --host="$PRIMARY_HOST" --port="$PRIMARY_PORT" --timeout=3; do
        say "waiting for the primary, $PRIMARY_HOST:$PRIMARY_PORT"
        sleep 2
    done
    say "copying the primary to $PGDATA"
    pg_basebackup --pgdata="$PGDATA.new" --dbname="$(conninfo)" --wal-method=stream --checkpoint=fast
    touch "$PGDATA.new/standby.signal"
}

if has_data; then
    if ! is_primary && ! is_standby; then
        refuse "this volume belongs to a former primary, and $PRIMARY took its place: what was committed here alone is on" \
            "this volume only. When you need nothing of it, delete the claim of $POD_NAME and then the pod"
    fi
    exit 0
fi
rm -rf "$PGDATA.new"
if is_primary; then
    refuse_where_others_hold_data
    initialize
else
    write_passfile
    clone
fi
sync
mv "$PGDATA.new" "$PGDATA"
