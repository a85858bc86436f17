# shellcheck shell=bash
# What must be true before anything is changed.
# shellcheck disable=SC2154 # options and functions of deploy.sh

# Versions of Kubernetes, by their minor number: below the first the manifests use what is not there; above the second
# nobody has tried them.
oldest_minor=32
newest_minor=37

check_tools() {
    [ "${BASH_VERSINFO[0]}" -ge 4 ] || fail 3 "bash $BASH_VERSION is too old: 4 or newer is needed"
    local tool
    for tool in kubectl awk sed sort uniq cut base64 mktemp; do
        command -v "$tool" >/dev/null || fail 3 "$tool is missing: install it"
    done
    kubectl kustomize --help >/dev/null 2>&1 || fail 3 "this kubectl has no kustomize: install kubectl 1.$oldest_minor or newer"
}

# minor_of TEXT: the minor version behind `minor`, without what a vendor puts behind it (`35+`).
minor_of() { sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p' | head -n 1; }

check_cluster() {
    local answer minor
    step "the cluster"
    answer=$(k get --raw /version --request-timeout 10s 2>&1) ||
        fail 4 "the cluster does not answer: $answer. See whether $(named_context) is the right context (--context)"
    minor=$(minor_of <<<"$answer")
    [ -n "$minor" ] || fail 4 "the cluster does not say its version: $answer"
    [ "$minor" -ge "$oldest_minor" ] || fail 4 "the cluster is Kubernetes 1.$minor: 1.$oldest_minor or newer is needed"
    [ "$minor" -le "$newest_minor" ] || warn "the cluster is Kubernetes 1.$minor; the newest that was tried is 1.$newest_minor"
    say "Kubernetes 1.$minor, context $(named_context), namespace $namespace"
    [ "$(kn get deployment agenticai-api --ignore-not-found \
        -o go-template='{{index .metadata.labels "app.kubernetes.io/managed-by"}}')" != Helm ] ||
        fail 4 "namespace $namespace holds a release of Helm: use helm upgrade, or another namespace"
    k get --raw /apis/metrics.k8s.io/v1beta1 >/dev/null 2>&1 ||
        warn "the cluster has no metrics API (metrics-server): autoscalers keep their least numbers"
}

named_context() { if [ -n "$context" ]; then echo "$context"; else kubectl config current-context 2>/dev/null || echo none; fi; }

# Every kind that will be applied must be allowed, before the first one is.
check_rights() {
    local kind verb refused=()
    while read -r kind; do
        for verb in create patch; do
            kn auth can-i "$verb" "$kind" >/dev/null 2>&1 || refused+=("$verb $kind")
        done
    done < <(resources_of "$work/base.yaml" "$work/program.yaml" | sort -u; echo secrets)
    [ ${#refused[@]} = 0 ] || {
        printf 'error: you may not do this in namespace %s:\n' "$namespace" >&2
        printf '  %s\n' "${refused[@]}" >&2
        fail 4 "ask for these rights, or take another user"
    }
}

# A claim that names no class waits for ever where the cluster has no default one.
check_storage() {
    local default
    grep -qE '^kind: PersistentVolumeClaim$|^  volumeClaimTemplates:$' "$work/base.yaml" || return 0
    default=$(k get storageclass -o go-template='{{range .items}}{{with .metadata.annotations}}{{if eq (index . "storageclass.kubernetes.io/is-default-class" | print) "true"}}x{{end}}{{end}}{{end}}')
    [ -n "$default" ] || [ -n "$(kn get pvc -o name -l app.kubernetes.io/instance=agenticai 2>/dev/null)" ] ||
        fail 4 "the cluster has no default StorageClass, so no volume would be made: mark one with the annotation storageclass.kubernetes.io/is-default-class=true"
    [ "$store" != filesystem ] ||
        say "payloads go into one volume that all share: the storage class must offer ReadWriteMany"
}
