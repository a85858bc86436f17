#!/usr/bin/env bash
# Does what the README says, word for word.
#
#   e2e/readme.sh first     runs its first command in a bare shell and looks for the answer
#   e2e/readme.sh second    checks that its second command is what CI calls
set -euo pipefail
cd "$(dirname "$0")/.."

# The n-th command of the README: lines of its fenced blocks, comments left out.
command_of_readme() {
    awk -v wanted="$1" '/^```/ { inside = !inside; next } inside && NF && !/^#/ { if (++n == wanted) { print; exit } }' README.md
}

case $1 in
first)
    command=$(command_of_readme 1)
    case $command in
    "cargo run --release -- run "*) ;;
    *) echo "the README's first command is \`$command\`, not \`cargo run --release -- run ...\`" >&2; exit 1 ;;
    esac
    # Bare: nothing of the caller's environment but where the compiler is and where it builds. HOME is empty, so that
    # the run creates everything, as it does for a new user.
    home=$(mktemp -d)
    trap 'rm -rf "$home"' EXIT
    echo "\$ $command"
    env -i PATH="$PATH" HOME="$home" CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" \
        CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}" sh -c "$command" </dev/null 2>&1 | tee "$home/output"
    grep -qF 397.8 "$home/output" || { echo "397.8 is not in the output" >&2; exit 1; }
    ;;
second)
    command=$(command_of_readme 2)
    [ "$command" = ./test ] || { echo "the README's second command is \`$command\`, not \`./test\`" >&2; exit 1; }
    grep -qE '^exec \./test\b' .ci/run || { echo ".ci/run does not call ./test" >&2; exit 1; }
    echo "the README's second command, $command, is what .ci/run calls"
    ;;
*) echo "usage: $0 first | second" >&2; exit 2 ;;
esac
