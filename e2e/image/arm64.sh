#!/usr/bin/env bash
# Builds the image for arm64 on a machine of another architecture, looks at it, and runs its program by emulation (QEMU): one
# machine, a task, SIGTERM. In `./test --all`; see e2e/README.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
. e2e/install.sh
. e2e/image/lib.sh
need buildah buildah && need qemu-aarch64-static qemu-user-static && image_tools

tag=localhost/agenticai-arm64-test-$$ container='' server=''
scratch=$(mktemp -d)
clean() {
    set +e
    [ -z "$server" ] || kill -9 "$server" 2>/dev/null
    [ -z "$container" ] || buildah rm "$container" >/dev/null
    buildah rmi "$tag" "$tag-arm64" >/dev/null 2>&1
    rm -rf "$scratch"
}
trap clean EXIT

docker/build.sh --arch arm64 --profile release --tag "$tag" --output "$scratch"
built=$scratch/agenticai-$version-arm64
# Built once: that two builds are equal is seen with the machine's own architecture.
inspect arm64 "$built" "$built"

container=$(buildah from --pull-never --arch arm64 "$tag-arm64")
cp "$(buildah mount "$container")/agenticai" "$scratch/agenticai"
agenticai() { HOME=$scratch/home qemu-aarch64-static "$scratch/agenticai" "$@"; }
must "$(agenticai --version)" "agenticai $version" "the version"
port=$(free_port)
HOME=$scratch/home AGENTICAI_MODELS_DEFAULT=practice qemu-aarch64-static "$scratch/agenticai" up --port "$port" \
    --data-dir "$scratch/data" >"$scratch/log" 2>&1 &
server=$!
client=(--url "http://localhost:$port")
for n in {1..150}; do
    agenticai "${client[@]}" health >/dev/null 2>&1 && break
    [ "$n" != 150 ] || fail "it does not get ready: $(cat "$scratch/log")"
    sleep 0.2
done
AGENTICAI_API_KEY=$(cat "$scratch/data/api-key")
export AGENTICAI_API_KEY
must "$(agenticai "${client[@]}" run 'What is 17% of 2,340? Use the calculator.')" 397.8 "a task"
kill "$server"
code=0
wait "$server" || code=$?
server=''
[ "$code" = 0 ] || fail "SIGTERM: exit code $code: $(cat "$scratch/log")"
echo "arm64 passed"
