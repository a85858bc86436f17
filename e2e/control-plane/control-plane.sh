#!/usr/bin/env bash
# A real Kubernetes control plane without kubelets: etcd, kube-apiserver, kube-controller-manager, kube-scheduler and KWOK,
# whose nodes run pods in name only. Objects are admitted, defaulted, scheduled, owned, rolled out and evicted as in a
# cluster; no container runs.
#
#   control-plane.sh start DIR [NODES]     prints the path of the kubeconfig; 6 nodes in three zones where nothing is said
#   control-plane.sh stop DIR
#
# Wants TOOLS, the directory of the binaries (see tools.sh), and kubectl and openssl in the PATH.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
action=${1:?start or stop} dir=${2:?a directory for data, logs and process ids} nodes=${3:-6}
. "$here/../install.sh"

# start NAME ARGUMENTS: a process of the control plane, with its log and its id in the directory.
start() {
    local name=$1
    shift
    "$TOOLS/$name" "$@" >"$dir/$name.log" 2>&1 &
    echo $! >"$dir/$name.pid"
}

wait_for() {
    for _ in $(seq 1200); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    echo "not up within two minutes: $*; the logs are in $dir" >&2
    exit 1
}

stop_all() {
    local name pid
    for name in kwok kube-scheduler kube-controller-manager kube-apiserver etcd; do
        [ -f "$dir/$name.pid" ] || continue
        pid=$(cat "$dir/$name.pid")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 30); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -9 "$pid" 2>/dev/null || true
        rm -f "$dir/$name.pid"
    done
}

# The API server hands requests for aggregated APIs on with a certificate that those can check.
certificates() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=front-proxy-ca \
        -keyout "$dir/front-proxy-ca.key" -out "$dir/front-proxy-ca.crt"
    openssl req -newkey rsa:2048 -nodes -subj /CN=front-proxy-client \
        -keyout "$dir/front-proxy.key" -out "$dir/front-proxy.csr"
    openssl x509 -req -days 2 -in "$dir/front-proxy.csr" -CA "$dir/front-proxy-ca.crt" -CAkey "$dir/front-proxy-ca.key" \
        -CAcreateserial -out "$dir/front-proxy.crt"
    openssl genrsa -out "$dir/accounts.key" 2048
    openssl rsa -in "$dir/accounts.key" -pubout -out "$dir/accounts.pub"
}

node() {
    cat <<NODE
---
apiVersion: v1
kind: Node
metadata:
  name: node-$1
  labels: {kubernetes.io/hostname: node-$1, kubernetes.io/os: linux, topology.kubernetes.io/zone: zone-$(($1 % 3 + 1))}
  annotations: {kwok.x-k8s.io/node: fake}
status:
  allocatable: {cpu: "32", memory: 256Gi, pods: "500"}
  capacity: {cpu: "32", memory: 256Gi, pods: "500"}
NODE
}

case $action in
stop) stop_all; exit 0 ;;
start) ;;
*) echo "start or stop" >&2; exit 2 ;;
esac

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
etcd=$(free_port) peer=$(free_port) api=$(free_port) kubelet=$(free_port) token=$(openssl rand -hex 16)
certificates >"$dir/openssl.log" 2>&1
echo "$token,admin,admin,system:masters" >"$dir/tokens.csv"
cat >"$dir/kubeconfig" <<KUBECONFIG
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:$api", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: $token}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
KUBECONFIG
export KUBECONFIG=$dir/kubeconfig

start etcd --data-dir "$dir/etcd" --unsafe-no-fsync \
    --listen-client-urls "http://127.0.0.1:$etcd" --advertise-client-urls "http://127.0.0.1:$etcd" \
    --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
    --initial-cluster "default=http://127.0.0.1:$peer"
# Where there is no network but the loopback, the API server would not know what to call itself in the cluster.
start kube-apiserver --etcd-servers "http://127.0.0.1:$etcd" --bind-address 127.0.0.1 --secure-port "$api" \
    --advertise-address 192.0.2.1 \
    --cert-dir "$dir/certs" --token-auth-file "$dir/tokens.csv" --authorization-mode RBAC --allow-privileged \
    --service-cluster-ip-range 10.0.0.0/16 --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$dir/accounts.pub" --service-account-signing-key-file "$dir/accounts.key" \
    --requestheader-client-ca-file "$dir/front-proxy-ca.crt" --requestheader-allowed-names front-proxy-client \
    --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
    --requestheader-extra-headers-prefix X-Remote-Extra- \
    --proxy-client-cert-file "$dir/front-proxy.crt" --proxy-client-key-file "$dir/front-proxy.key"
wait_for kubectl get --raw /readyz
start kube-controller-manager --kubeconfig "$KUBECONFIG" --leader-elect=false --secure-port 0 \
    --service-account-private-key-file "$dir/accounts.key" --root-ca-file "$dir/certs/apiserver.crt" \
    --horizontal-pod-autoscaler-sync-period 5s
start kube-scheduler --kubeconfig "$KUBECONFIG" --leader-elect=false --secure-port 0

# KWOK's pauses are made for clusters of thousands of pods, and its pods take all the time that they are given to stop: here
# a pod starts within a second and stops in one.
sed -e 's/durationMilliseconds: 1000$/durationMilliseconds: 200/' \
    -e 's/jitterDurationMilliseconds: 5000$/jitterDurationMilliseconds: 400/' \
    -e '/jitterDurationFrom:$/{N;s/jitterDurationFrom:\n *expressionFrom: .\.metadata\.deletionTimestamp.$/jitterDurationMilliseconds: 1000/}' \
    "$TOOLS/kwok-stages.yaml" >"$dir/stages.yaml"
# What a kubelet would be asked for: the same last words of every container, and the program's port behind every pod's.
echo '2026-01-01T00:00:00.000000000Z stdout F the last words of a container' >"$dir/container.log"
cat >"$dir/kubelet.yaml" <<KUBELET
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata: {name: containers}
spec: {logs: [{logsFile: $dir/container.log}]}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterPortForward
metadata: {name: program}
spec: {forwards: [{ports: [8000], target: {address: 127.0.0.1, port: 8001}}]}
KUBELET
start kwok --kubeconfig "$KUBECONFIG" --config "$dir/stages.yaml" --config "$here/stages.yaml" \
    --config "$dir/kubelet.yaml" --manage-all-nodes \
    --node-ip 127.0.0.1 --node-port "$kubelet" --cidr 10.128.0.0/16 --server-address "127.0.0.1:$kubelet" \
    --node-lease-duration-seconds 40

for i in $(seq "$nodes"); do node "$i"; done | kubectl apply -f - >/dev/null
wait_for kubectl wait --for=condition=Ready node --all --timeout=0
wait_for kubectl get serviceaccount default
echo "$KUBECONFIG"
