# shellcheck shell=bash
# Builds what the tests against a real control plane need, into the cache: minutes of Go builds, once. Sourced beside
# e2e/install.sh, whose functions it uses.

# Each tool is built in a module of its own, because their dependencies contradict each other.
control_plane_kube=1.36.3 control_plane_etcd=v3.6.5 control_plane_kwok=v0.8.0

# Custom resource definitions, by Go module and folder.
control_plane_crds=(
    sigs.k8s.io/gateway-api@v1.6.1/config/crd/standard
    github.com/cert-manager/cert-manager@v1.21.2/deploy/crds
    github.com/kedacore/keda/v2@v2.21.0/config/crd/bases
    github.com/prometheus-operator/prometheus-operator@v0.85.0/example/prometheus-operator-crd
    github.com/cloudnative-pg/cloudnative-pg@v1.29.1/config/crd/bases
    github.com/rabbitmq/cluster-operator/v2@v2.20.0/config/crd/bases
    github.com/traefik/traefik/v3@v3.6.0/docs/content/reference/dynamic-configuration
    github.com/envoyproxy/gateway@v1.7.0/charts/gateway-helm/crds/generated
)

# control_plane_tools: prints the directory that holds etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok,
# kwok-stages.yaml and crds.yaml.
control_plane_tools() {
    # shellcheck disable=SC2154 # the cache's place is set by e2e/install.sh
    local dir=$cache/control-plane
    need go golang-go >&2 && mkdir -p "$dir" || return
    (
        export GOFLAGS='-buildvcs=false -mod=mod'
        control_plane_go_etcd && control_plane_go_kube && control_plane_go_kwok && control_plane_go_crds
    ) >&2 || return
    echo "$dir"
}

# control_plane_module NAME: makes a module for a tool and goes there.
control_plane_module() {
    mkdir -p "$dir/src/$1" && cd "$dir/src/$1" || return
    [ -f go.mod ] || printf 'module tools/%s\n\ngo 1.26\n' "$1" >go.mod
}

# control_plane_build BINARY PACKAGE [LINKER-FLAGS]
control_plane_build() {
    say "$1 into $dir, built from source; this takes minutes"
    go build -ldflags="-s -w ${3-}" -o "$dir/$1" "$2"
}

control_plane_go_etcd() {
    [ ! -x "$dir/etcd" ] || return 0
    control_plane_module etcd && go get "go.etcd.io/etcd/server/v3@$control_plane_etcd" &&
        control_plane_build etcd go.etcd.io/etcd/server/v3
}

# k8s.io/kubernetes names the modules of its own repository as v0.0.0 and replaces them by folders, and replacements
# count only in the main module.
control_plane_go_kube() {
    local binary module
    [ ! -x "$dir/kube-apiserver" ] || [ ! -x "$dir/kube-controller-manager" ] || [ ! -x "$dir/kube-scheduler" ] || return 0
    control_plane_module kube || return
    {
        printf 'module tools/kube\n\ngo 1.26\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$control_plane_kube"
        for module in api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider \
            cluster-bootstrap code-generator component-base component-helpers controller-manager cri-api cri-client \
            cri-streaming csi-translation-lib dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator \
            kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission \
            sample-apiserver sample-cli-plugin sample-controller streaming; do
            printf '\tk8s.io/%s => k8s.io/%s v0.%s\n' "$module" "$module" "${control_plane_kube#1.}"
        done
        echo ')'
    } >go.mod
    for binary in kube-apiserver kube-controller-manager kube-scheduler; do
        [ -x "$dir/$binary" ] || control_plane_build "$binary" "k8s.io/kubernetes/cmd/$binary" \
            "-X k8s.io/component-base/version.gitVersion=v$control_plane_kube" || return
    done
}

# KWOK brings a kubelet's view of a pod's life as stages. Their pauses are seconds, for clusters of thousands of pods;
# ./stages.yaml adds the lives that it does not know.
control_plane_go_kwok() {
    local stages file
    [ ! -x "$dir/kwok" ] || [ ! -f "$dir/kwok-stages.yaml" ] || return 0
    control_plane_module kwok && go get "sigs.k8s.io/kwok@$control_plane_kwok" || return
    [ -x "$dir/kwok" ] || control_plane_build kwok sigs.k8s.io/kwok/cmd/kwok || return
    stages=$(go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage || return
    for file in "$stages"/node/fast/node-initialize.yaml \
        "$stages"/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml "$stages"/pod/general/*.yaml; do
        cat "$file"
        echo ---
    done >"$dir/kwok-stages.yaml"
}

# Nothing is built of these modules: their archives hold the definitions as files.
control_plane_go_crds() {
    local crd module folder directory file list=$dir/crds.txt
    [ "$(cat "$list" 2>/dev/null)" != "${control_plane_crds[*]}" ] || return 0
    say "custom resource definitions into $dir/crds.yaml"
    control_plane_module crds || return
    for crd in "${control_plane_crds[@]}"; do
        module=${crd%%@*} folder=${crd#*@}
        module=$module@${folder%%/*} folder=${folder#*/}
        directory=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
        [ -d "$directory/$folder" ] || { echo "$module has no folder $folder" >&2; return 1; }
        for file in "$directory/$folder"/*.y*ml; do
            # Some folders hold policies and lists beside definitions.
            if grep -q '^kind: CustomResourceDefinition' "$file"; then echo ---; cat "$file"; fi
        done
    done >"$dir/crds.yaml" && echo "${control_plane_crds[*]}" >"$list"
}
