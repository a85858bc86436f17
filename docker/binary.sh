#!/usr/bin/env bash
# Builds what the image holds, for one architecture: the static binary, the certificates of the public authorities, and
# an empty data directory.
#
#   docker/binary.sh amd64|arm64 DIR    fills DIR/root, which becomes the image's root, and DIR/data, which becomes its /var/lib
#
# Needs Rust, and in PATH what docker/requirements.txt lists and cargo-auditable, which writes the list of crates into the
# binary. AGENTICAI_PROFILE names a profile of Cargo.toml other than `dist`.
#
# The same sources, tools and SOURCE_DATE_EPOCH give the same binary: the directories where it is built are replaced.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1-} in
amd64) target=x86_64-unknown-linux-musl ;;
arm64) target=aarch64-unknown-linux-musl ;;
*) echo "usage: $0 amd64|arm64 DIR" >&2; exit 2 ;;
esac
dir=${2:?usage: $0 amd64|arm64 DIR}
profile=${AGENTICAI_PROFILE:-dist}
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src

rustc --print target-libdir --target "$target" | xargs test -d || rustup target add "$target"
export CARGO_INCREMENTAL=0
RUSTFLAGS="--remap-path-prefix=$registry=/cargo --remap-path-prefix=$PWD=/agenticai --remap-path-prefix=$(rustc --print sysroot)=/rustc"
export RUSTFLAGS
export "CFLAGS_${target//-/_}=-ffile-prefix-map=$registry=/cargo -ffile-prefix-map=$PWD=/agenticai"
cargo auditable zigbuild --profile "$profile" --locked --package agenticai --target "$target"

mkdir -p "$dir/root/etc/ssl/certs" "$dir/root/var/lib" "$dir/data/agenticai"
install -m 755 "${CARGO_TARGET_DIR:-target}/$target/$profile/agenticai" "$dir/root/agenticai"
install -m 644 "$(python3 -m certifi)" "$dir/root/etc/ssl/certs/ca-certificates.crt"
find "$dir/root" -type d -exec chmod 755 {} +
chmod 700 "$dir/data/agenticai"
