# shellcheck shell=bash
# What the tests of the image share. Sourced at the root of the checkout.

# shellcheck disable=SC2034 # for those who source this
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)

fail() { echo "$*" >&2; exit 1; }

# must FOUND WANTED WHAT
must() { [[ $1 == *"$2"* ]] || fail "$3: \`$2\` is not in: $1"; }

# inspect ARCH FIRST SECOND: looks at an image of the profile `release`, built twice; see inspect_image.py.
inspect() {
    # What is shipped has less than 40 MB; without optimization at link time the same program is larger.
    LARGEST=48000000 EPOCH=$(git log -1 --format=%ct) REVISION=$(git rev-parse HEAD) \
        python3 -B e2e/image/inspect_image.py "$@"
}
