#!/usr/bin/env bash
# Makes the passwords that docker-compose.yml refers to, in docker/secrets or in the directory that is named. What is there
# already is left alone: a database keeps the password that it was made with.
#
#   docker/secrets.sh [DIR]
set -euo pipefail
dir=${1:-$(dirname "$0")/secrets}

# Nobody else may enter the directory. The files themselves are mounted into containers whose users are others than yours,
# and keep their modes there.
mkdir -p "$dir"
chmod 700 "$dir"
umask 022

# keep NAME: writes what is read to the file NAME, unless there is one.
keep() {
    if [ -e "$dir/$1" ]; then echo "$dir/$1 is there already"; return; fi
    cat >"$dir/.$1" && mv "$dir/.$1" "$dir/$1"
    echo "made $dir/$1"
}
# Of letters and digits alone, so that it can stand in an address.
password() { head -c 64 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' | head -c 40; }

for server in postgres rabbitmq valkey; do
    password | keep "$server-password"
done
# These two images take a password from their configuration only.
printf 'default_user = agenticai\ndefault_pass = %s\nloopback_users = none\n' "$(cat "$dir/rabbitmq-password")" |
    keep rabbitmq.conf
printf 'dir /data\nappendonly yes\nappendfsync everysec\nmaxmemory-policy noeviction\nrequirepass %s\n' \
    "$(cat "$dir/valkey-password")" | keep valkey.conf
