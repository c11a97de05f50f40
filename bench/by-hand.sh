#!/bin/bash
# The whole workshop, steps 1 to 7, as a plain shell script. bench/run.mjs compares the times of the project with the times of this script.
# usage: by-hand.sh BIN_DIR PAUSE_TAR NGINX_TAR [WORK_DIR]     (as root)
# The script runs in its own namespaces. It removes everything at the end, except a WORK_DIR that is given as an argument.
# BIN_DIR must contain etcd etcdctl kube-apiserver kube-scheduler kubelet kubectl containerd containerd-shim-runc-v2 ctr runc, and the CNI plugins in BIN_DIR/cni.
# PAUSE_TAR and NGINX_TAR are docker-archive images. The script reads the image names from them.
# The script prints lines of the form "SECONDS MILESTONE". If a step fails, it exits with a non-zero status.
set -eu
B=$(realpath "$1") PAUSE=$(realpath "$2") NGINX=$(realpath "$3") W=${4:-$(mktemp -d)}
if [ -z "${BY_HAND_INSIDE:-}" ]; then
  # The kubelet changes these settings of the host's kernel: they are set back at the end.
  before=$(grep . /proc/sys/vm/{overcommit_memory,panic_on_oom} /proc/sys/kernel/{panic,panic_on_oops} /proc/sys/kernel/keys/root_max{keys,bytes})
  # shellcheck disable=SC2317 # The trap calls it.
  set_back() { while IFS=: read -r file value; do echo "$value" >"$file"; done <<<"$before"; }
  trap set_back EXIT
  rc=0; BY_HAND_INSIDE=1 unshare --pid --fork --kill-child --mount --net --mount-proc bash "$0" "$B" "$PAUSE" "$NGINX" "$W" || rc=$?
  for group in /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods; do [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} \; ; done
  [ -n "${4:-}" ] || rm -rf "$W"
  exit $rc
fi
ip link set lo up; mount -t tmpfs tmpfs /run
mkdir -p "$W"/cni; cd "$W"
export PATH=$B:$PATH KUBECONFIG=$W/kubeconfig
T0=$(date +%s%N)
milestone() { printf '%7.2f %s\n' "$(echo "($(date +%s%N)-$T0)/1000000000" | bc -l)" "$*"; }
until_ok() { local n=0; until "$@" >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 1200 ] || { echo "gave up: $*" >&2; exit 1; }; sleep .05; done; }
name_of() { tar xOf "$1" manifest.json | grep -o '"RepoTags": *\["[^"]*' | sed 's/.*"//'; }
umask 077; TOKEN=$(od -An -tx1 -N16 /dev/urandom | tr -d ' \n')
echo "$TOKEN,admin,admin,\"system:masters\"" > tokens.csv
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out sa.key 2>/dev/null; openssl pkey -in sa.key -pubout -out sa.pub; umask 022

start_etcd() { etcd --data-dir="$W"/etcd --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 >>etcd.log 2>&1 & }
start_apiserver() { kube-apiserver --etcd-servers=http://127.0.0.1:2379 --service-cluster-ip-range=10.0.0.0/24 --bind-address=127.0.0.1 --advertise-address=127.0.0.1 \
  --secure-port=6443 --cert-dir="$W"/certs --authorization-mode=AlwaysAllow --token-auth-file="$W"/tokens.csv --service-account-issuer=https://kubernetes.default.svc \
  --service-account-key-file="$W"/sa.pub --service-account-signing-key-file="$W"/sa.key --disable-admission-plugins=ServiceAccount,TaintNodesByCondition \
  --storage-media-type=application/json --endpoint-reconciler-type=none >>apiserver.log 2>&1 & APISERVER=$!; }
start_scheduler() { kube-scheduler --kubeconfig="$W"/kubeconfig --bind-address=127.0.0.1 --leader-elect=false >>scheduler.log 2>&1 & SCHEDULER=$!; }
ready() { curl -sf --cacert "$W"/certs/apiserver.crt -H "Authorization: Bearer $TOKEN" https://127.0.0.1:6443/readyz; }

start_etcd; until_ok curl -sf http://127.0.0.1:2379/health; etcdctl put /hello world; etcdctl get /hello; milestone "1 etcd answers"
start_apiserver; until_ok ready; until_ok kubectl --server=https://127.0.0.1:6443 --certificate-authority="$W"/certs/apiserver.crt --token="$TOKEN" get ns default; milestone "2 apiserver ready"
cat > kubeconfig <<E
apiVersion: v1
kind: Config
clusters: [{name: w, cluster: {server: "https://127.0.0.1:6443", certificate-authority: $W/certs/apiserver.crt}}]
users: [{name: admin, user: {token: $TOKEN}}]
contexts: [{name: w, context: {cluster: w, user: admin}}]
current-context: w
E
kubectl create configmap demo --from-literal=k=v; etcdctl get /registry/configmaps/default/demo | grep -q '"k":"v"'; milestone "3 ConfigMap in etcd"
start_scheduler; milestone "4 scheduler started"
cat > cni/10-w.conflist <<E
{"cniVersion":"0.4.0","name":"w","plugins":[{"type":"bridge","bridge":"w0","isGateway":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.7.0/24"}]],"dataDir":"$W/ipam"}}]}
E
cat > containerd.toml <<E
version = 3
root = "$W/containerd"
state = "/run/containerd/state"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["$B/cni"]
    conf_dir = "$W/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "$(name_of "$PAUSE")"
E
mkdir -p /run/containerd; containerd -c containerd.toml >containerd.log 2>&1 & until_ok ctr version
for i in "$PAUSE" "$NGINX"; do ctr -n k8s.io images import "$i" >/dev/null 2>&1; done; milestone "5 containerd ready, images imported"
cat > kubelet.yaml <<E
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: $W/certs/apiserver.crt}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
failSwapOn: false
failCgroupV1: false
enforceNodeAllocatable: []
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
E
kubelet --kubeconfig="$W"/kubeconfig --config="$W"/kubelet.yaml --root-dir="$W"/kubelet --cert-dir="$W"/kubelet-pki --hostname-override=myhost --node-ip=127.0.0.1 >kubelet.log 2>&1 &
node_ready() { kubectl get node myhost -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' | grep -q True; }
until_ok node_ready; milestone "5 Node Ready"
kubectl run hello --image="$(name_of "$NGINX")" --image-pull-policy=Never
running() { [ "$(kubectl get pod hello -o jsonpath='{.status.phase}')" = Running ]; }
until_ok running; IP=$(kubectl get pod hello -o jsonpath='{.status.podIP}'); until_ok curl -sf "http://$IP"; milestone "6 nginx Running and serving"
BEFORE=$(kubectl get pod hello -o jsonpath='{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}')
kill -9 $SCHEDULER $APISERVER; sleep .1; if kubectl get pods >/dev/null 2>&1; then exit 1; fi; curl -sf "http://$IP" >/dev/null; milestone "7 control plane killed, nginx serves"
start_apiserver; until_ok ready; start_scheduler; until_ok running
[ "$BEFORE" = "$(kubectl get pod hello -o jsonpath='{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}')" ]; milestone "7 restarted, the same Pod"
echo "passed"
