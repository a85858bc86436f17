# shellcheck shell=bash
# Builds a real Jaeger, OpenTelemetry Collector and Loki into the cache: ten minutes of Go builds, once. Sourced beside
# e2e/install.sh, whose functions it uses.

# The Collector has the version of the image that the chart names, and the components that the chart configures; its image has
# many more. Jaeger 2.13 is built from the module of 1.76: both are one release, and Go cannot name the former. What their images
# have besides, the pages that Jaeger shows, is no part of the module.
observability_collector=v0.155.0 observability_providers=v1.61.0 observability_jaeger=v1.76.0 observability_loki=v3.7.8

# observability_tools: prints the directory that holds jaeger, loki and otelcol-VERSION, and sets nothing.
observability_tools() {
    # shellcheck disable=SC2154 # the cache's place is set by e2e/install.sh
    local dir=$cache/observability
    need go golang-go >&2 && mkdir -p "$dir" || return
    (
        export GOFLAGS='-buildvcs=false -mod=mod'
        # The checksum database does not answer for some of these releases.
        export GONOSUMDB='go.opentelemetry.io/*,github.com/open-telemetry/*,github.com/jaegertracing/*'
        observability_build_collector && observability_build_jaeger && observability_build_loki
    ) >&2 || return
    echo "$dir"
}

# observability_module NAME: makes a module for a tool and goes there.
observability_module() {
    mkdir -p "$dir/src/$1" && cd "$dir/src/$1" || return
    [ -f go.mod ] || printf 'module tools/%s\n\ngo 1.26.0\n' "${1%-v*}" >go.mod
}

# observability_build BINARY PACKAGE
observability_build() {
    say "$1 into $dir, built from source; this takes minutes"
    go build -ldflags='-s -w' -o "$dir/$1" "$2"
}

# The builder writes the program's source; which versions it is made of is said here, since left to itself it also asks for what
# only tests of those modules need.
observability_build_collector() {
    local version=$observability_collector source=$dir/src/otelcol-$observability_collector
    local contrib=github.com/open-telemetry/opentelemetry-collector-contrib core=go.opentelemetry.io/collector
    local components=(
        "$core/receiver/otlpreceiver@$version" "$core/processor/batchprocessor@$version"
        "$core/processor/memorylimiterprocessor@$version" "$core/exporter/otlpexporter@$version"
        "$core/exporter/otlphttpexporter@$version" "$contrib/exporter/prometheusexporter@$version"
        "$contrib/extension/healthcheckextension@$version" "$core/confmap/provider/fileprovider@$observability_providers"
        "$core/confmap/provider/envprovider@$observability_providers"
    )
    [ ! -x "$dir/otelcol-${version#v}" ] || return 0
    say "the Collector's builder into $dir/src/bin"
    GOFLAGS=-buildvcs=false GOBIN=$dir/src/bin go install "$core/cmd/builder@$version" || return
    {
        printf 'dist: {name: otelcol, version: %s, output_path: %s}\n' "${version#v}" "$source"
        for kind in receiver processor exporter extension provider; do
            printf '%ss:\n' "$kind"
            printf '%s\n' "${components[@]}" | sed -nE "s#^(.*/$kind/.*)@(.*)#  - gomod: \1 \2#p"
        done
    } >"$dir/src/otelcol.yaml"
    "$dir/src/bin/builder" --skip-compilation --skip-get-modules --config "$dir/src/otelcol.yaml" >"$dir/src/builder.log" 2>&1 || {
        cat "$dir/src/builder.log"
        return 1
    }
    cd "$source" && printf 'module go.opentelemetry.io/collector/cmd/builder\n\ngo 1.26.0\n' >go.mod &&
        go get "$core/otelcol@$version" "${components[@]}" && observability_build "otelcol-${version#v}" .
}

observability_build_jaeger() {
    [ ! -x "$dir/jaeger" ] || return 0
    observability_module jaeger && go get "github.com/jaegertracing/jaeger@$observability_jaeger" &&
        observability_build jaeger github.com/jaegertracing/jaeger/cmd/jaeger
}

# With the replacements of its own go.mod, which Go passes over in a dependency.
observability_build_loki() {
    local replacement
    [ ! -x "$dir/loki" ] || return 0
    observability_module loki && go get "github.com/grafana/loki/v3@$observability_loki" || return
    for replacement in \
        github.com/Azure/azure-sdk-for-go=github.com/Azure/azure-sdk-for-go@v68.0.0+incompatible \
        github.com/Azure/azure-storage-blob-go=github.com/MasslessParticle/azure-storage-blob-go@v0.14.1-0.20240322194317-344980fda573 \
        github.com/gocql/gocql=github.com/grafana/gocql@v0.0.0-20200605141915-ba5dc39ece85 \
        github.com/grafana/regexp=github.com/grafana/regexp@v0.0.0-20240518133315-a468a5bfb3bc \
        github.com/hashicorp/memberlist=github.com/grafana/memberlist@v0.3.1-0.20251126142931-6f9f62ab6f86 \
        github.com/influxdata/go-syslog/v3=github.com/leodido/go-syslog/v4@v4.3.0 \
        github.com/thanos-io/objstore=github.com/grafana/objstore@v0.0.0-20250728171719-b5d3b766d1b0; do
        go mod edit -replace "$replacement" || return
    done
    observability_build loki github.com/grafana/loki/v3/cmd/loki
}
