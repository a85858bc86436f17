# shellcheck shell=bash
# What became of it: a table of everything, and the reasons of what does not run.
# shellcheck disable=SC2016,SC2154 # templates of Go in single quotes; options and functions of deploy.sh

mine=app.kubernetes.io/instance=agenticai

print_state() {
    step "state"
    {
        printf 'WHAT\tREADY\tSTATE\n'
        kn get statefulset,deployment -l "$mine" -o go-template='{{range .items}}{{.kind}}/{{.metadata.name}}{{"\t"}}{{or .status.readyReplicas 0}}/{{.spec.replicas}}{{"\t"}}{{if eq (or .status.readyReplicas 0 | print) (.spec.replicas | print)}}ready{{else}}NOT READY{{end}}{{"\n"}}{{end}}'
        kn get job -l "$mine" -o go-template='{{range .items}}Job/{{.metadata.name}}{{"\t"}}{{or .status.succeeded 0}}/1{{"\t"}}{{range .status.conditions}}{{if eq .status "True"}}{{.type}} {{end}}{{else}}running{{end}}{{"\n"}}{{end}}'
        kn get hpa -l "$mine" -o go-template='{{range .items}}HorizontalPodAutoscaler/{{.metadata.name}}{{"\t"}}{{or .status.currentReplicas 0}}{{"\t"}}{{.spec.minReplicas}} to {{.spec.maxReplicas}}{{"\n"}}{{end}}'
        kn get pvc -l "$mine" -o go-template='{{range .items}}PersistentVolumeClaim/{{.metadata.name}}{{"\t"}}{{.spec.resources.requests.storage}}{{"\t"}}{{.status.phase}}{{"\n"}}{{end}}'
        kn get service -l "$mine" -o go-template='{{range .items}}Service/{{.metadata.name}}{{"\t"}}-{{"\t"}}{{range $i, $p := .spec.ports}}{{if $i}}, {{end}}{{$p.name}} {{$p.port}}{{end}}{{"\n"}}{{end}}'
        kn get ingress -l "$mine" -o go-template='{{range .items}}Ingress/{{.metadata.name}}{{"\t"}}-{{"\t"}}{{range .spec.rules}}{{.host}} {{end}}{{"\n"}}{{end}}'
    } | awk -F'\t' '{ printf "%-52s %-8s %s\n", $1, $2, $3 }'
}

# explain KIND NAME: why this has not become ready: its own conditions, what its pods wait for, what the events say, and the
# last lines that its containers wrote.
explain() {
    local kind=$1 name=$2 selector pod pods shown=0
    printf '\n-- why %s %s does not run\n' "$kind" "$name"
    kn get "$kind" "$name" -o go-template='{{range .status.conditions}}{{if or (eq .type "ReplicaFailure") (eq .type "Failed") (and (eq .type "Progressing") (eq .status "False"))}}{{.type}}: {{.reason}}: {{.message}}{{"\n"}}{{end}}{{end}}'
    selector=$(kn get "$kind" "$name" -o go-template='{{range $k, $v := .spec.selector.matchLabels}}{{$k}}={{$v}},{{end}}')
    pods=$(kn get pod -l "${selector%,}" -o go-template='{{range .items}}{{$ready := false}}{{range .status.conditions}}{{if and (eq .type "Ready") (eq .status "True")}}{{$ready = true}}{{end}}{{end}}{{if not $ready}}{{.metadata.name}}{{"\n"}}{{end}}{{end}}')
    if [ -z "$pods" ]; then
        if [ -n "$(kn get pod -l "${selector%,}" -o name)" ]; then echo "every pod of it is ready"; else echo "no pod of it exists"; fi
        events_of "$name"
        return
    fi
    for pod in $pods; do
        [ $((shown += 1)) -le 3 ] || { echo "and $(($(wc -w <<<"$pods") - 3)) more"; return; }
        explain_pod "$pod"
    done
}

explain_pod() {
    local pod=$1
    kn get pod "$pod" -o go-template='pod {{.metadata.name}}: {{.status.phase}}{{with .spec.nodeName}} on {{.}}{{end}}
{{range .status.conditions}}{{if and (eq .type "PodScheduled") (eq .status "False")}}  not placed: {{.message}}
{{end}}{{end}}{{define "container"}}{{with .state.waiting}}  waits: {{.reason}}{{with .message}}: {{.}}{{end}}
{{end}}{{with .state.terminated}}  ended: {{.reason}}, exit code {{.exitCode}}{{with .message}}: {{.}}{{end}}
{{end}}{{with .lastState.terminated}}  ended before: {{.reason}}, exit code {{.exitCode}}
{{end}}{{end}}{{range .status.initContainerStatuses}}{{template "container" .}}{{end}}{{range .status.containerStatuses}}{{template "container" .}}{{end}}' || return 0
    claims_of "$pod"
    events_of "$pod"
    # Of a container that was started again, the end of the one before says more.
    local log previous
    log=$(for previous in false true; do
        kn logs "$pod" --all-containers --previous=$previous --tail 10 --request-timeout 10s 2>/dev/null || true
    done)
    [ -z "$log" ] || { echo "  last lines of its log:"; printf '    %s\n' "${log//$'\n'/$'\n    '}"; }
}

# claims_of POD: its volumes that are not there.
claims_of() {
    local claim
    for claim in $(kn get pod "$1" -o go-template='{{range .spec.volumes}}{{with .persistentVolumeClaim}}{{.claimName}} {{end}}{{end}}'); do
        kn get pvc "$claim" -o go-template='{{if ne .status.phase "Bound"}}  claim {{.metadata.name}} is {{.status.phase}}: {{.spec.resources.requests.storage}} of class {{or .spec.storageClassName "none"}}{{"\n"}}{{end}}' 2>&1
        [ "$(kn get pvc "$claim" -o go-template='{{.status.phase}}' 2>/dev/null)" = Bound ] || events_of "$claim"
    done
}

# events_of NAME: the last things that the cluster says about an object.
events_of() {
    kn get events --field-selector "involvedObject.name=$1" --sort-by .metadata.creationTimestamp \
        -o go-template='{{range .items}}  event: {{.reason}}: {{.message}}{{"\n"}}{{end}}' 2>/dev/null | tail -n 5
}

# delete: everything but volumes and Secrets, and the namespace that holds them.
delete() {
    local answer kinds=statefulset,deployment,job,cronjob,pod,service,configmap,hpa,pdb,networkpolicy,ingress,rolebinding,role,serviceaccount
    step "delete"
    say "everything of agenticai in namespace $namespace goes, but for volumes and Secrets:"
    kn get "$kinds" -l "$mine" -o name
    if [ -z "$yes" ]; then
        read -r -p "Write the namespace's name to go on: " answer || answer=''
        [ "$answer" = "$namespace" ] || fail 9 "not confirmed: nothing was deleted"
    fi
    kn delete "$kinds" -l "$mine" --wait --timeout "${timeout}s" >/dev/null || fail 7 "not everything went within $timeout s: run this again"
    kn delete configmap "$options_map" --ignore-not-found >/dev/null
    build_manifests
    # Word by word: no name has a space.
    # shellcheck disable=SC2046
    k delete priorityclass $(names_of PriorityClass "$work/base.yaml") --ignore-not-found >/dev/null ||
        warn "the priority classes could not be deleted"
    say "deleted. What is left:"
    kn get pvc,secret -l "$mine" -o name
    say "take it away with: kubectl delete namespace $namespace"
}
