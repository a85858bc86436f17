#!/usr/bin/env bash
# Builds the image twice, looks at it, and runs it with podman: alone, then as the pods of the chart on real servers. See
# e2e/README.md. FAULT_TEST names the binary `fault-test`.
set -euo pipefail
cd "$(dirname "$0")/../.."
. e2e/install.sh
. e2e/image/lib.sh
containers && image_tools && servers && venv compose e2e/image/requirements.txt
helm=$(helm_tools)/helm

arch=$(dpkg --print-architecture)
repository=localhost/agenticai-test-$$
scratch=$(mktemp -d)
chmod 755 "$scratch"
clean() {
    set +e
    podman pod ls --quiet --filter "label=agenticai-test=$$" | xargs -r podman pod rm --force --time 1 >/dev/null
    podman ps --all --quiet --filter "label=agenticai-test=$$" | xargs -r podman rm --force --time 1 >/dev/null
    podman secret ls --format '{{.Name}}' | grep "^t$$-" | xargs -r podman secret rm >/dev/null
    podman volume ls --format '{{.Name}}' | grep -E "^(t$$-|agenticai-test-$$\$)" | xargs -r podman volume rm --force >/dev/null
    podman images --quiet --filter "reference=$repository" | sort -u | xargs -r podman rmi --force >/dev/null
    rm -rf "$scratch"
}
trap clean EXIT
# crun and systemd's cgroups are not to be had everywhere, nor limits above one's own.
printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n' \
    >"$scratch/containers.conf"
export CONTAINERS_CONF=$scratch/containers.conf

# With nothing that a restricted pod would not have either.
options=(run --network host --read-only --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges
    --label "agenticai-test=$$")
image() { podman "${options[@]}" --rm "$@"; }

echo "-- build, twice"
for n in 1 2; do
    docker/build.sh --arch "$arch" --profile release --tag "$repository:$n" --output "$scratch/$n"
done
revision=$(podman image inspect --format '{{index .Labels "org.opencontainers.image.revision"}}' "$repository:1")
must "$revision" "$(git rev-parse HEAD)" "the image's revision"
inspect "$arch" "$scratch/1/agenticai-$version-$arch" "$scratch/2/agenticai-$version-$arch"

echo "-- run"
tag=$repository:1
must "$(image "$tag" --version)" "agenticai $version" "the version"
if said=$(image --entrypoint /bin/sh "$tag" -c true 2>&1); then fail "there is a shell in the image: $said"; fi
code=0
said=$(image "$tag" health --admin-port 1 2>&1) || code=$?
[ "$code" = 3 ] || fail "health of nobody exits with $code: $said"

echo "-- one machine, with a read-only root"
port=$(free_port)
name=agenticai-test-$$
podman "${options[@]}" --detach --name "$name" --volume "agenticai-test-$$:/var/lib/agenticai" \
    --env AGENTICAI_MODELS_DEFAULT=practice "$tag" up --port "$port" >/dev/null
agenticai() { podman exec "$name" /agenticai --url "http://localhost:$port" "$@"; }
for n in {1..100}; do
    agenticai health >/dev/null 2>&1 && break
    [ "$n" != 100 ] || fail "it does not get ready: $(podman logs "$name" 2>&1)"
    sleep 0.2
done
must "$(agenticai health)" ready "health"
must "$(agenticai run 'What is 17% of 2,340? Use the calculator.')" 397.8 "a task"
# There is no /usr/share/zoneinfo in the image: the binary brings the time zones along.
agenticai schedule create nightly --cron '30 2 * * *' --timezone America/Argentina/Buenos_Aires --agent assistant Hello >/dev/null
must "$(agenticai schedule next nightly -n 1)" 02:30 "the time zone of a schedule"
if podman logs "$name" 2>&1 | grep "no certificates found"; then fail "the certificates of the image are not found"; fi
pid=$(podman inspect --format '{{.State.Pid}}' "$name")
must "$(grep -E '^(Uid|CapEff|NoNewPrivs)' "/proc/$pid/status" | tr -s '\t\n' ' ')" \
    "Uid: 65532 65532 65532 65532 CapEff: 0000000000000000 NoNewPrivs: 1" "what the process may do"
podman stop --time 40 "$name" >/dev/null
must "$(podman inspect --format '{{.State.ExitCode}}' "$name")" 0 "SIGTERM"

echo "-- the chart's pods on PostgreSQL, RabbitMQ and Redis, replaced one by one under load behind HAProxy"
# Called like the binary: roles and migration are pods of the chart; the first key goes to a directory of the test.
python=$cache/venv-compose/bin/python
cat >"$scratch/agenticai" <<E2
#!/usr/bin/env bash
set -euo pipefail
export CONTAINERS_CONF=$scratch/containers.conf HELM=$helm IMAGE=$tag LABEL=$$
if [ "\$1" != admin ]; then exec $python -B $PWD/e2e/image/pod.py "\$@"; fi
chmod o+rwx .
exec podman ${options[*]@Q} --rm --volume "\$PWD:\$PWD" --env DATABASE_URL $tag "\$@"
E2
chmod +x "$scratch/agenticai"
AGENTICAI_BIN=$scratch/agenticai "$FAULT_TEST" replacing
