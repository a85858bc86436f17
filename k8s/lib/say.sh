# shellcheck shell=bash
# What deploy.sh says. Results go to standard output, faults to standard error.

say() { printf '%s\n' "$*"; }

# step WORDS: what comes now.
step() { printf '\n== %s\n' "$*"; }

warn() { printf 'warning: %s\n' "$*" >&2; }

# fail STATUS WORDS: says what is wrong and what to do, and ends.
fail() {
    local status=$1
    shift
    printf 'error: %s\n' "$*" >&2
    exit "$status"
}
