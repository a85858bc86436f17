# shellcheck shell=bash
# The manifests as the options want them, and how they are applied.
# shellcheck disable=SC2016,SC2154 # templates of Go in single quotes; options and functions of deploy.sh

program_image=ghcr.io/agenticai/agenticai

# The options that one forgets, in the cluster.
options_map=agenticai-deploy-options

recall_options() {
    local held
    held=$(kn get configmap "$options_map" --ignore-not-found \
        -o go-template='{{range $k, $v := .data}}{{$k}}={{$v}}{{"\n"}}{{end}}') ||
        fail 4 "the options of the last run cannot be read: you may not get ConfigMaps in namespace $namespace, or the cluster is gone"
    [ -n "$store" ] || store=$(remembered object-store)
    [ -n "$ingress" ] || ingress=$(remembered ingress)
    [ -n "$ingress_class" ] || ingress_class=$(remembered ingress-class)
    [ -n "$ingress_namespace" ] || ingress_namespace=$(remembered ingress-namespace)
    [ -n "$cluster_issuer" ] || cluster_issuer=$(remembered cluster-issuer)
}

# remembered NAME: an option of the last run; reads recall_options' $held.
remembered() { sed -n "s/^$1=//p" <<<"$held"; }

remember_options() {
    kn create configmap "$options_map" --dry-run=client -o yaml --from-literal="object-store=${store:-database}" \
        --from-literal="ingress=${ingress:-none}" --from-literal="ingress-class=$ingress_class" \
        --from-literal="ingress-namespace=$ingress_namespace" --from-literal="cluster-issuer=$cluster_issuer" |
        kn apply --server-side --force-conflicts --field-manager agenticai-deploy -f - >/dev/null
    if ! wants_ingress; then kn delete ingress agenticai-api --ignore-not-found; fi
}

# build_manifests: into $work: all.yaml, and its parts namespace.yaml, base.yaml (what the program needs, with the migration)
# and program.yaml (the Deployments that wait for the migration).
build_manifests() {
    local program='kind == "Deployment" && (part == "api" || part == "worker" || part == "scheduler")'
    rm -rf "$work/k8s" "$work/overlay"
    # kustomize knows directories by relative paths alone.
    cp -R "$here" "$work/k8s" && mkdir "$work/overlay"
    kustomize ''
    # A Job never changes: another image or setting is another Job, with a name of its own.
    if [ -n "$image" ] || [ "${store:-database}" != database ]; then
        kustomize "agenticai-migrate-$(documents 'kind == "Job" || name == "agenticai-config"' <"$work/all.yaml" | hash | cut -c 1-10)"
    fi
    documents "!($program) && kind != \"Namespace\"" <"$work/all.yaml" >"$work/base.yaml"
    documents "$program" <"$work/all.yaml" >"$work/program.yaml"
    documents 'kind == "Namespace"' <"$work/all.yaml" >"$work/namespace.yaml"
}

hash() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }

# kustomize JOB: all.yaml by a kustomization over this directory, with this name of the migration's Job, if any.
kustomize() {
    local job=$1 patches components=()
    [ "$store" != filesystem ] || components+=(../k8s/storage)
    if wants_ingress; then components+=(../k8s/ingress); fi
    patches=$(overlay_job "$job"; overlay_ingress)
    {
        printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n'
        printf 'namespace: %s\nresources: [../k8s]\n' "$namespace"
        [ ${#components[@]} = 0 ] || printf 'components: [%s]\n' "$(IFS=,; echo "${components[*]}")"
        overlay_image
        [ -z "$patches" ] || printf 'patches:\n%s\n' "$patches"
    } >"$work/overlay/kustomization.yaml"
    kubectl kustomize "$work/overlay" | elsewhere >"$work/all.yaml" || fail 1 "the manifests cannot be put together"
}

# elsewhere: the manifests in another namespace, where kustomize does not look: names in the DNS within settings, and the
# priority classes, which belong to the whole cluster and must not be fought over by two namespaces.
elsewhere() {
    [ "$namespace" != agenticai ] || { cat; return; }
    sed -E -e "s/\.agenticai\.svc\b/.$namespace.svc/g" -e "s/^(description: Pods of agenticai in namespace) agenticai\b/\1 $namespace/" \
        -e "s/^(  name|.*priorityClassName): agenticai-(data|service|batch)$/\1: $namespace-agenticai-\2/"
}

wants_ingress() { [ -n "$ingress" ] && [ "$ingress" != none ]; }

overlay_job() {
    [ -z "$1" ] || cat <<PATCH
  - target: {kind: Job, labelSelector: app.kubernetes.io/component=migration}
    options: {allowNameChange: true}
    patch: |-
      - op: replace
        path: /metadata/name
        value: $1
PATCH
}

overlay_image() {
    [ -n "$image" ] || return 0
    printf 'images:\n  - name: %s\n' "$program_image"
    if [[ $image == *@* ]]; then
        printf '    newName: "%s"\n    digest: "%s"\n' "${image%%@*}" "${image#*@}"
    else
        printf '    newName: "%s"\n    newTag: "%s"\n' "${image%:*}" "${image##*:}"
    fi
}

overlay_ingress() {
    wants_ingress || return 0
    cat <<PATCH
  - target: {kind: Ingress, name: agenticai-api}
    patch: |-
      - op: replace
        path: /spec/rules/0/host
        value: "$ingress"
      - op: replace
        path: /spec/tls/0/hosts
        value: ["$ingress"]
PATCH
    [ -z "$ingress_class" ] || cat <<PATCH
      - op: replace
        path: /spec/ingressClassName
        value: "$ingress_class"
PATCH
    [ -z "$cluster_issuer" ] || cat <<PATCH
      - op: replace
        path: /metadata/annotations/cert-manager.io~1cluster-issuer
        value: "$cluster_issuer"
PATCH
    [ -z "$ingress_namespace" ] || cat <<PATCH
  - target: {kind: NetworkPolicy, name: agenticai-api}
    patch: |-
      - op: replace
        path: /spec/ingress/2/from/0/namespaceSelector/matchExpressions/0/values
        value: ["$ingress_namespace"]
PATCH
}

# documents CONDITION: those documents of a stream for which an expression of awk over kind, name and part is true. The
# stream is kustomize's own, so fields stand where it puts them.
documents() {
    awk '
        function end() {
            if (text != "" && ('"$1"')) { printf "%s%s", (printed++ ? "---\n" : ""), text }
            text = kind = name = part = ""; inside = 0
        }
        /^---$/ { end(); next }
        { text = text $0 "\n" }
        /^kind: / { kind = $2 }
        /^[a-z]/ { inside = ($1 == "metadata:") }
        inside && /^  name: / { name = $2 }
        inside && /^    app.kubernetes.io\/component: / { part = $2 }
        END { end() }
    '
}

# resources_of FILES: what `kubectl auth can-i` calls the kinds in them.
resources_of() {
    cat "$@" | awk '
        /^apiVersion: / { group = $2; if (!sub(/\/.*/, "", group)) group = "" }
        /^kind: / {
            name = tolower($2)
            if (name ~ /y$/) sub(/y$/, "ies", name); else if (name ~ /(s|ss)$/) name = name "es"; else name = name "s"
            print name (group == "" ? "" : "." group)
        }
    '
}

# apply FILE: server-side, and says what became of how many objects.
apply() {
    local refusal
    applied_at "$1" >"$work/before"
    if ! refusal=$(k apply --server-side --field-manager agenticai-deploy ${force:+"$force"} -f "$1" 2>&1 >"$work/applied"); then
        printf '%s\n' "$refusal" >&2
        case $refusal in
        *conflict*) fail 5 "somebody else has set these fields: leave them to him by taking them out of the manifests, or take them over with --force-conflicts" ;;
        *'field is immutable'* | *'updates to statefulset spec'*) fail 5 "this cannot be changed in place: see the upgrade notes of the version" ;;
        *) fail 5 "the cluster refuses the objects named above" ;;
        esac
    fi
    [ -z "$refusal" ] || printf '%s\n' "$refusal" >&2
    applied_at "$1" >"$work/after"
    local all changed
    all=$(grep -c . "$work/after" || true)
    changed=$(sort "$work/before" "$work/before" "$work/after" | uniq -u | grep -c . || true)
    say "$all objects applied, $changed of them new or changed"
}

# applied_at FILE: each object that is there, with the time at which this script last changed something of it.
applied_at() {
    k get -f "$1" --ignore-not-found --show-managed-fields -o go-template='{{define "one"}}{{.kind}}/{{.metadata.name}} {{.metadata.uid}}{{range .metadata.managedFields}}{{if eq .manager "agenticai-deploy"}} {{.time}}{{end}}{{end}}
{{end}}{{if .items}}{{range .items}}{{template "one" .}}{{end}}{{else if .kind}}{{template "one" .}}{{end}}' 2>/dev/null || true
}

# dry_run: the API server checks every object, as it would on the real way, and stores none. In a namespace that is not there
# it would refuse to look: then it looks at them in `default`.
dry_run() {
    local file status=0
    step "would the cluster take everything?"
    if ! k get namespace "$namespace" >/dev/null 2>&1; then
        say "namespace $namespace would be made; until then the objects are tried in namespace default"
        k apply --server-side --dry-run=server -f "$work/namespace.yaml" || status=5
        namespace=default
        build_manifests
    fi
    for file in base program; do
        k apply --server-side --dry-run=server --force-conflicts --field-manager agenticai-deploy -f "$work/$file.yaml" || status=5
    done
    [ "$status" = 0 ] || fail 5 "the cluster would refuse what is named above; nothing was changed"
    say "the cluster would take everything; nothing was changed"
}

make_namespace() {
    if [ -z "$(k get namespace "$namespace" --ignore-not-found -o name)" ]; then
        k apply --server-side --field-manager agenticai-deploy -f "$work/namespace.yaml" >/dev/null ||
            fail 5 "namespace $namespace is missing and cannot be made: ask for it, then run this again"
        say "namespace $namespace made"
    fi
}
