# shellcheck shell=sh
# What the scripts of every mode have in common.
#
# HOST is the name of this pod, PORT and SENTINEL_PORT its ports, PEERS `host:port` of every pod's server in order, with
# this one, SENTINELS likewise; DATA is the volume, RUN a directory in memory, and PASSWORD_FILE the password.

# The first process of a container heeds SIGTERM only where it says so.
trap 'exit 143' TERM

say() { echo "agenticai: $*" >&2; }

GROUP=agenticai
password=$(cat "$PASSWORD_FILE")

# ask HOST:PORT COMMAND…: an answer, or nothing where nobody answers in time.
ask() {
    address=$1
    shift
    REDISCLI_AUTH=$password timeout 5 "$CLI" --no-auth-warning -h "${address%:*}" -p "${address##*:}" "$@" 2>/dev/null || true
}

# field NAME: of an answer in lines of name and value in turn, as Sentinel gives them.
field() { awk -v wanted="$1" 'found { print; exit } $0 == wanted { found = 1 }'; }

# named_master: `epoch host port` of the master that sentinels name, by the newest election that any of them knows of.
# Nothing where fewer than half of them answer: what one alone remembers may be long past.
named_master() {
    answers=0 sentinels=0 best=
    for sentinel in $SENTINELS; do
        sentinels=$((sentinels + 1))
        state=$(ask "$sentinel" sentinel master "$GROUP")
        host=$(echo "$state" | field ip)
        [ -n "$host" ] || continue
        answers=$((answers + 1))
        epoch=$(echo "$state" | field config-epoch)
        if [ -z "$best" ] || [ "$epoch" -gt "${best%% *}" ]; then
            best="$epoch $host $(echo "$state" | field port)"
        fi
    done
    [ $((answers * 2)) -gt "$sentinels" ] && echo "$best"
}

# quoted TEXT: as a word of a configuration file.
quoted() { printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"; }

# address_of HOST: its address now, of the kind that pods know themselves by where there are two.
address_of() {
    case ${ADDRESS-} in *:*) kind=ahostsv6 ;; *) kind=ahostsv4 ;; esac
    { getent "$kind" "$1" || getent hosts "$1" || true; } | awk '{ print $1; exit }'
}
