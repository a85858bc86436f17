# shellcheck shell=bash
# Waiting with a limit. Whoever waits in vain says why, as far as the cluster tells.
# shellcheck disable=SC2154 # options and functions of deploy.sh

# names_of KIND FILE: the names of these objects.
names_of() { documents "kind == \"$1\"" <"$2" | awk '/^[a-z]/ { inside = ($1 == "metadata:") } inside && /^  name: / { print $2 }'; }

# wait_for_rollout KIND/NAME DEADLINE: until every replica is there and new.
wait_for_rollout() {
    local left=$(($2 - SECONDS))
    [ "$left" -gt 0 ] || left=1
    kn rollout status "$1" --timeout "${left}s" >"$work/rollout" 2>&1 && say "$1 is ready" && return
    say "$1 is NOT ready: $(tail -n 1 "$work/rollout")"
    return 1
}

# wait_for_all KIND FILE: all of one kind, within one limit together.
wait_for_all() {
    local name deadline=$((SECONDS + timeout)) failed=()
    while read -r name; do
        wait_for_rollout "$1/$name" "$deadline" || failed+=("$name")
    done < <(names_of "$1" "$2" | tr -d '"')
    [ ${#failed[@]} = 0 ] && return
    for name in "${failed[@]}"; do explain "$1" "$name"; done
    print_state
    fail 7 "not ready within $timeout s: ${failed[*]}. Nothing was taken back: what ran before goes on"
}

wait_for_state() {
    step "databases and queues"
    wait_for_all StatefulSet "$work/base.yaml"
}

wait_for_rollouts() {
    wait_for_all Deployment "$work/program.yaml"
    # The rest has no part in tasks, and nothing waited for it.
    wait_for_all Deployment "$work/base.yaml"
}

wait_for_migration() {
    local job deadline=$((SECONDS + timeout)) state
    step "the migration"
    job=$(names_of Job "$work/base.yaml")
    while :; do
        state=$(kn get job "$job" -o go-template='{{range .status.conditions}}{{if eq .status "True"}}{{.type}} {{end}}{{end}}') || exit 6
        case $state in
        *Complete*) say "Job $job is complete"; return ;;
        *Failed*)
            explain Job "$job"
            fail 6 "the migration failed, and the program was left as it was. Mend what is said above, delete the Job (kubectl -n $namespace delete job $job) and run this again"
            ;;
        esac
        [ "$SECONDS" -lt "$deadline" ] || {
            explain Job "$job"
            fail 6 "the migration has not ended within $timeout s, and the program was left as it was; it goes on by itself. Run this again, with a longer --timeout if it needs one"
        }
        sleep 1
    done
}

# An autoscaler raises its Deployment to the least number by itself, some seconds after both were made.
wait_for_autoscalers() {
    local name least ready deadline=$((SECONDS + timeout))
    for name in $(names_of HorizontalPodAutoscaler "$work/base.yaml"); do
        least=$(kn get hpa "$name" -o go-template='{{.spec.minReplicas}}')
        while :; do
            ready=$(kn get deployment "${name%-hpa}" -o go-template='{{or .status.readyReplicas 0}}')
            [ "$ready" -lt "$least" ] || break
            [ "$SECONDS" -lt "$deadline" ] || {
                explain Deployment "${name%-hpa}"
                fail 7 "${name%-hpa} has $ready ready pods of at least $least after $timeout s"
            }
            sleep 1
        done
    done
}

remove_old_migrations() {
    local job old
    job=$(names_of Job "$work/base.yaml")
    for old in $(kn get job -l app.kubernetes.io/instance=agenticai,app.kubernetes.io/component=migration -o name); do
        [ "$old" = "job.batch/$job" ] || kn delete "$old" --wait=false
    done
}

# Through the API server where that reaches pods; a NetworkPolicy may forbid it, but not a forwarded port.
check_health() {
    local answer
    step "health"
    if answer=$(kn get --raw "/api/v1/namespaces/$namespace/services/agenticai-api:http/proxy/health/ready" --request-timeout 10s 2>&1) &&
        [[ $answer == *'"status":"ok"'* ]]; then
        say "the API is ready (asked through the API server)"
        return
    fi
    if forward && answer=$(ask "$port") && [[ $answer == *'"status":"ok"'* ]]; then
        say "the API is ready (asked through a forwarded port)"
        return
    fi
    explain Deployment agenticai-api
    fail 8 "the API does not say that it is ready: ${answer:-no answer}. If neither the API server's proxy nor a forwarded port reaches pods in this cluster, use --skip-health and ask yourself: curl http://agenticai-api.$namespace/health/ready from a pod"
}

# forward: forwards a free port of this machine to the API's Service: $port. Ends with the script, which kills $forwarding.
forward() {
    kn port-forward service/agenticai-api :http >"$work/forward" 2>&1 &
    forwarding=$!
    for _ in $(seq 50); do
        port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$work/forward")
        [ -z "$port" ] || return 0
        kill -0 "$forwarding" 2>/dev/null || break
        sleep 0.2
    done
    cat "$work/forward" >&2
    return 1
}

# ask PORT: the answer to a question about readiness, without any other tool.
ask() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf 'GET /health/ready HTTP/1.0\r\nHost: agenticai\r\n\r\n' >&3
        # Whatever lies between may leave the connection open when all has been said.
        timeout 5 cat <&3 || true
    )
}
