# Installs the systems that bench/ compares with, into the cache of `e2e/install.sh`, which is sourced before.

# peer_restate: the server from npm, and the service built from crates.io.
peer_restate() {
    npm_packages bench/peers/restate || return
    BENCH_RESTATE_SERVER=$cache/npm-restate/node_modules/@restatedev/restate-server-linux-x64/bin/restate-server
    say "the Restate service into $cache/restate-service"
    CARGO_TARGET_DIR=$cache/restate-service cargo build --release --locked --quiet \
        --manifest-path bench/peers/restate/service/Cargo.toml || return
    BENCH_RESTATE_SERVICE=$cache/restate-service/release/restate-bench
    export BENCH_RESTATE_SERVER BENCH_RESTATE_SERVICE
}

# peer_celery: from PyPI; its RabbitMQ and PostgreSQL are Debian's, which `servers` has installed.
peer_celery() {
    venv celery bench/peers/celery/requirements.txt || return
    export BENCH_CELERY=$cache/venv-celery/bin
}
