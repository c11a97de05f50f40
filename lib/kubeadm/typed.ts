// What a person types to make a cluster with kubeadm on machines without a registry, systemd and cgroup v2.
import { archivePath, REGISTRY_PORT } from "../components/image-registry.ts"
import { REFERENCES } from "../images/resolve.ts"
import { CONTAINERD_SOCKET } from "../components/containerd.ts"

/** The kubeconfig of the administrator that kubeadm writes. */
export const ADMIN_CONF = "/etc/kubernetes/admin.conf"
/** The configuration with which kubeadm runs. */
export const KUBEADM_CONFIG = "/root/kubeadm.yaml"
/** The kubelet's configuration that kubeadm writes. */
export const KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
const KUBELET_FLAGS = "/var/lib/kubelet/kubeadm-flags.env"

/**
 * Lines for a shell that give a machine what kubeadm expects of it: it forwards packets of Pods, and it knows a server for
 * names, to which CoreDNS sends the questions about other names. Here no such server answers.
 */
export const PREPARE = `echo 1 >/proc/sys/net/ipv4/ip_forward
[ -s /etc/resolv.conf ] || echo nameserver 10.77.0.1 >/etc/resolv.conf`

/** The checks of kubeadm that these machines do not pass, each with the reason why it may be ignored. */
export const IGNORED = {
  SystemVerification:
    "the host can have cgroup v1, which kubeadm no longer supports; the kubelet accepts it with failCgroupV1: false",
} as const

/** How kubeadm is called, so that it ignores what these machines do not have. */
const IGNORING = `--ignore-preflight-errors=${Object.keys(IGNORED).join(",")}`

const NODE = `nodeRegistration: { criSocket: unix://${CONTAINERD_SOCKET} }`

/**
 * The configuration of `kubeadm init`. Everything else is kubeadm's default.
 * https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
 * @param version of Kubernetes, such as v1.37.2
 * @param more further lines of the ClusterConfiguration and of the KubeletConfiguration
 */
export function initConfig(version: string, address: string, more = { cluster: "", kubelet: "" }): string {
  return `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: { advertiseAddress: ${address} }
${NODE}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: ${version}
${more.cluster}---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs # no systemd runs on this machine
failCgroupV1: false # some hosts still have cgroup v1
failSwapOn: false # the host may use swap
evictionHard: { memory.available: "50Mi", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%" } # a full disk of the host must not evict Pods
imageGCHighThresholdPercent: 100
${more.kubelet}---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
conntrack: { maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s } # these are settings of the whole host
`
}

/** What a machine needs to join a cluster: who admits it, and how it recognizes the cluster. */
export interface Invitation {
  /** ADDRESS:PORT of kube-apiserver. */
  readonly endpoint: string
  readonly token: string
  /** The hash of the CA's public key: sha256:… */
  readonly caHash: string
}

/** The configuration of `kubeadm join`. @param seconds after which kubeadm no longer looks for the cluster */
export function joinConfig({ endpoint, token, caHash }: Invitation, seconds = 60): string {
  return `apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
${NODE}
discovery:
  bootstrapToken: { apiServerEndpoint: "${endpoint}", token: "${token}", caCertHashes: ["${caHash}"] }
timeouts: { discovery: ${seconds}s }
`
}

/**
 * Lines for a shell, with an administrator's KUBECONFIG, that succeed when what `kubeadm init` has started is complete:
 * kube-apiserver knows each static Pod, each of them is ready, and kube-controller-manager has begun to work. If etcd is
 * lost before, the kubelet restarts it after a minute only: it first tells kube-apiserver of the Pod, and without etcd
 * kube-apiserver answers after 34 s.
 */
export const COMPLETE = `for manifest in /etc/kubernetes/manifests/*.yaml; do
  pod=$(basename "$manifest" .yaml)-$(hostname)
  kubectl wait --for=condition=Ready --timeout=1s --namespace=kube-system "pod/$pod"
done
kubectl get serviceaccount default`

/** The images that a joining machine needs. */
export const IMAGES_OF_NODE = "kube-proxy|pause"

/** kubeadm reads its configuration from a file, so that no token is on a command line. */
export const INIT = ["kubeadm", "init", `--config=${KUBEADM_CONFIG}`, IGNORING]
export const JOIN = ["kubeadm", "join", `--config=${KUBEADM_CONFIG}`, IGNORING]

/**
 * Does what the kubelet's unit of systemd does: it starts the kubelet with the flags and files that kubeadm writes, as
 * soon as they are there.
 * https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/kubelet-integration/
 */
export const KUBELET_UNIT = `until [ -e ${KUBELET_FLAGS} ] && [ -e ${KUBELET_CONFIG} ]; do sleep 0.05; done
. ${KUBELET_FLAGS}
exec kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=${KUBELET_CONFIG} $KUBELET_KUBEADM_ARGS`

/**
 * Lines for a shell that put images into the registry of this machine, under the names that kubeadm requests. Those of
 * pause and CoreDNS are on the machine. Each other image has one program of this machine, and nothing else.
 * @param only a pattern for grep: the names of the images that are needed
 */
export function pushImages(only = "."): string {
  const push = (archive: string) => `crane push ${archive} "$target" --insecure`
  return `tag=$(kubeadm version --output=short)
layer() { # PROGRAM
  [ "$1" = kube-proxy ] || { tar -C / -chf - "usr/local/bin/$1"; return; }
  nft list tables >/dev/null
  set -- usr/local/bin/nft $(ldd /usr/local/bin/nft 2>/dev/null | grep -o '/lib[^ ]*')
  # nft can be a script that has unpacked the program with its libraries. A container has its own /run, without them.
  for folder in /run/byhand-nft-*/; do
    if [ ! -d "$folder" ]; then continue; fi
    printf '#!/bin/sh\\nexec /opt/nft/loader --library-path /opt/nft /opt/nft/program "$@"\\n' >/run/nft
    chmod 755 /run/nft
    set -- run/nft "$folder" bin/sh $(ldd /bin/sh | grep -o '/lib[^ ]*')
  done
  tar -C / -ch --transform 's|^/*run/byhand-nft-[^/]*|opt/nft|;s|^run/nft$|usr/local/bin/nft|' -f - usr/local/bin/kube-proxy "$@"
}
push() { # NAME:TAG
  target=127.0.0.1:${REGISTRY_PORT}/$1
  case $1 in
    pause:*) ${push(archivePath(REFERENCES.pause))} ;;
    coredns/*) ${push(archivePath(REFERENCES.coredns))} ;;
    *) layer "\${1%:*}" | crane append --new_layer=- --new_tag="$target" --insecure ;;
  esac >/dev/null 2>&1
}
for image in $(kubeadm config images list --kubernetes-version="$tag" | grep -E '${only}'); do
  push "\${image#*/}" &
  pushes="\${pushes-} $!"
done
wait $pushes # and for nothing else that runs in the background`
}
