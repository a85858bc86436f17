#!/usr/bin/env bash
# Deploys agenticai into a Kubernetes cluster from the manifests beside this script. May be run as often as one likes: what is
# as it should be is left alone.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: ./deploy.sh [options]

  --namespace NAME        where to (agenticai); made where it is missing
  --context NAME          context of the kubeconfig (the current one)
  --image IMAGE           repository:tag or repository@sha256:… of the program
  --object-store MODE     database | filesystem: where payloads above 64 KiB lie. A filesystem is one volume that every
                          process shares: the storage class must offer ReadWriteMany
  --ingress HOST          also make an Ingress for this host, for HAProxy Technologies' controller and cert-manager; `none`
                          takes it away again
  --ingress-class CLASS   its class (haproxy)
  --ingress-namespace NS  where the controller's pods are (haproxy-controller): they may pass requests in
  --cluster-issuer NAME   cert-manager's ClusterIssuer of the certificate (letsencrypt)
  --timeout SECONDS       bound on each wait: databases, migration, every rollout (600); also as 10m
  --dry-run               ask the cluster whether it would take everything, and change nothing
  --render                print the manifests and touch no cluster
  --secrets-only          make the Secrets that are missing, and nothing else
  --force-conflicts       take over fields that somebody else has set
  --skip-health           do not ask the API for its health at the end
  --delete                take everything away but volumes and Secrets; asks first
  --yes                   do not ask
  --help

Object store and Ingress are remembered in the cluster: a later run without these options keeps them.

exit status: 0 all is well; 1 something unforeseen; 2 these options; 3 tools of this machine; 4 the cluster, or what one may do
in it; 5 an object was refused; 6 the migration; 7 a rollout; 8 the API's health; 9 not confirmed
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/say.sh
. "$here/lib/say.sh"
# shellcheck source=lib/checks.sh
. "$here/lib/checks.sh"
# shellcheck source=lib/manifests.sh
. "$here/lib/manifests.sh"
# shellcheck source=lib/secrets.sh
. "$here/lib/secrets.sh"
# shellcheck source=lib/waits.sh
. "$here/lib/waits.sh"
# shellcheck source=lib/report.sh
. "$here/lib/report.sh"

namespace=agenticai context='' image='' store='' ingress='' ingress_class='' ingress_namespace='' cluster_issuer=''
timeout=600
action=deploy yes='' health=yes force=''

# parse ARGUMENTS: into the variables above.
parse() {
    while [ $# -gt 0 ]; do
        case $1 in
        --namespace | --context | --image | --object-store | --ingress | --ingress-class | --ingress-namespace | \
            --cluster-issuer | --timeout)
            [ -n "${2-}" ] || fail 2 "$1 wants a value"
            case $1 in
            --namespace) namespace=$2 ;;
            --context) context=$2 ;;
            --image) image=$2 ;;
            --object-store) store=$2 ;;
            --ingress) ingress=$2 ;;
            --ingress-class) ingress_class=$2 ;;
            --ingress-namespace) ingress_namespace=$2 ;;
            --cluster-issuer) cluster_issuer=$2 ;;
            --timeout) timeout=$2 ;;
            esac
            shift
            ;;
        --dry-run) action=dry-run ;;
        --render) action=render ;;
        --secrets-only) action=secrets ;;
        --delete) action=delete ;;
        --force-conflicts) force=--force-conflicts ;;
        --skip-health) health='' ;;
        --yes) yes=yes ;;
        --help | -h) usage; exit 0 ;;
        *) fail 2 "there is no option $1; see ./deploy.sh --help" ;;
        esac
        shift
    done
    [[ $namespace =~ ^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$ ]] || fail 2 "$namespace cannot be the name of a namespace"
    case $store in '' | database | filesystem) ;; *) fail 2 "--object-store is database or filesystem, not $store" ;; esac
    case $timeout in
    *m) timeout=$((${timeout%m} * 60)) ;;
    *s) timeout=${timeout%s} ;;
    esac 2>/dev/null || fail 2 "--timeout wants seconds, or minutes as in 10m"
    [[ $timeout =~ ^[1-9][0-9]*$ ]] || fail 2 "--timeout wants seconds, or minutes as in 10m"
    # A registry may have a port: a colon is a tag's only behind the last slash.
    [ -z "$image" ] || [[ ${image##*/} == *[:@]* ]] || fail 2 "--image $image names no version: add :tag or @sha256:…"
    [[ $image != *:latest ]] || fail 2 "--image $image means another program tomorrow: name a version"
}

# k ARGUMENTS: kubectl in the cluster that was asked for.
k() { kubectl ${context:+--context "$context"} "$@"; }

# kn ARGUMENTS: the same in the namespace.
kn() { k --namespace "$namespace" "$@"; }

deploy() {
    check_cluster
    recall_options
    build_manifests
    check_rights
    check_storage
    if [ "$action" = dry-run ]; then
        dry_run
        exit 0
    fi
    make_namespace
    make_secrets
    [ "$action" != secrets ] || exit 0
    step "what the program needs"
    apply "$work/base.yaml"
    remember_options
    wait_for_state
    wait_for_migration
    step "the program"
    apply "$work/program.yaml"
    wait_for_rollouts
    wait_for_autoscalers
    remove_old_migrations
    print_state
    [ -z "$health" ] || check_health
    say "agenticai runs in namespace $namespace"
}

clean_up() {
    [ -z "${forwarding-}" ] || kill "$forwarding" 2>/dev/null || true
    rm -rf "$work"
}

main() {
    parse "$@"
    check_tools
    work=$(mktemp -d)
    trap 'clean_up' EXIT
    case $action in
    render)
        build_manifests
        cat "$work/all.yaml"
        ;;
    delete) check_cluster && delete ;;
    *) deploy ;;
    esac
}

main "$@"
