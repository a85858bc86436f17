#!/bin/sh
# Runs the server. The primary is who PRIMARY names: a standby that is named so becomes one here, by ending its recovery
# with what it has received, on a timeline of its own.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

set -- postgres -D "$PGDATA" -c "config_file=$CONFIG/postgresql.conf" -c "hba_file=$CONFIG/pg_hba.conf" -c "port=$PORT"
if is_primary; then
    if is_standby; then
        say "$POD_NAME was a standby and becomes the primary"
        touch "$PGDATA/recovery.signal"
        rm "$PGDATA/standby.signal"
    fi
    # Only read while recovery.signal is there: there is no archive, what counts is on this volume.
    set -- "$@" -c restore_command=false
else
    write_passfile
    set -- "$@" -c "primary_conninfo=$(conninfo)"
fi
exec "$@"
