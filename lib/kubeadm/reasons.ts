import type { Reason, Row } from "./comparison.ts"
import type { Topic } from "./inventory.ts"

// Why kubeadm's control plane and the one of the lessons are not the same, item by item.
// https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/

const FRONT_PROXY =
  "it lets kube-apiserver call API servers of others in the name of a user (the aggregation layer); no lesson needs one"
const OWN_SERVING =
  "without this setting the component makes a certificate that no client can verify; kubeadm does not set it"
const EARLIER = "made for an earlier lesson or for another machine; what runs now does not name it"
const JOINING = "a machine that joins reads it, with a bootstrap token or as a Node"

const different: Reason[] = [
  ...because("different", "certificate", {
    "--(?:peer-)?(?:trusted-)?ca-?file: (?:subject|names)$|(?:client|root|signing)-(?:ca|cert)-file: (?:subject|names)$|--etcd-cafile: (?:subject|names)$|clientCAFile: (?:subject|names)$":
      "the name of a CA is a free choice; no client compares it",
    "^etcd --(?:peer-)?cert-file: (?:subject|names)$":
      "etcd's members have names of their own here: etcd-1, not the Node's name",
    "^kube-apiserver --tls-cert-file: names$":
      "kubeadm adds the Node's name and uses another range for Services, so the first Service address is another one",
    "^kube-controller-manager .*client certificate: (?:names|usage)$":
      "lesson 09 uses one certificate as a server and as a client; kubeadm makes one for each",
    "^kube-apiserver --kubelet-client-certificate: subject$":
      "before Kubernetes 1.36, kubeadm puts kube-apiserver into the group of its administrators; ours has only the rights that it needs at a kubelet",
    "^administrator client certificate: subject$":
      "kubeadm's administrator is in a group that a ClusterRoleBinding makes cluster-admin, so that it can be taken away; system:masters cannot",
  }),
  ...because("different", "kubeconfig", {
    ": server$":
      "kubeadm's components call kube-apiserver at the Node's address, ours over loopback on the same machine",
    "^kube-proxy .*: shows$":
      "kubeadm runs kube-proxy in Pods, which have a ServiceAccount; a process shows a certificate",
    ": shows$": "kubeadm embeds certificates, so that one file can be copied; a file can be renewed in one place",
  }),
  ...because("different", "flag", {
    "^etcd --(?:initial-cluster|name)$": "the member is called etcd-1 here, and like the Node there",
    "^kube-apiserver --etcd-servers$": "kubeadm starts one member of etcd; lesson 11 adds two",
    "^kube-apiserver --service-account-issuer$":
      "kubeadm's issuer has the cluster's domain in it; it must only be the same everywhere",
    "^kube-apiserver --service-cluster-ip-range$":
      "the default of kubeadm is 10.96.0.0/12; the range of the lessons is smaller, so that its addresses are short",
    "--leader-elect$": "kubeadm lets further control planes join; with a single one, a lease only delays a restart",
  }),
  ...because("different", "kubelet field", {
    "^clusterDNS$": "the tenth address of the range of Services, which is another one",
  }),
  ...because("different", "object", {
    "^ClusterRole system:coredns$": "kubeadm's role also lets CoreDNS list Endpoints, which it no longer reads",
  }),
]

const onlyInKubeadm: Reason[] = [
  ...because("only in kubeadm", "certificate", {
    "--proxy-client-cert-file|--requestheader-client-ca-file": FRONT_PROXY,
    "^kube-controller-manager --client-ca-file":
      "kube-controller-manager accepts clients of this CA itself; ours asks kube-apiserver about each",
  }),
  ...because("only in kubeadm", "flag", {
    "^etcd --feature-gates$":
      "InitialCorruptCheck compares a member with the others before it serves clients; lesson 11 compares hashes itself",
    "^etcd --listen-metrics-urls$": "the kubelet's probes ask this address for health, without a certificate",
    "^etcd --snapshot-count$": "10000 is etcd's default too",
    "^etcd --watch-progress-notify-interval$": "kube-apiserver's cache learns sooner that it is up to date",
    "^kube-apiserver --allow-privileged$": "kube-proxy's Pods are privileged; our kube-proxy is a process",
    "^kube-apiserver --kubelet-preferred-address-types$":
      "kubeadm's kube-apiserver calls kubelets by address; ours by name, which /etc/hosts resolves",
    "^kube-apiserver --requestheader-": FRONT_PROXY,
    "^kube-controller-manager --cluster-name$": "a label for cloud providers; kubernetes is its default",
    "^kube-controller-manager --controllers$":
      "bootstrapsigner and tokencleaner are off by default: they sign cluster-info and delete expired bootstrap tokens",
    "^kubelet --bootstrap-kubeconfig$":
      "the kubelet of the first Node has a certificate from kubeadm and asks for the next one; here, only node-2 does that",
    "^kube-proxy --hostname-override$": "a Pod's host name is not the Node's; the DaemonSet passes the Node's name",
  }),
  ...because("only in kubeadm", "kubelet field", {
    "^healthzBindAddress$": "127.0.0.1 is the default too",
    "^rotateCertificates$": "kubeadm's kubelet renews its client certificate by itself; here, only node-2 does",
    "^staticPodPath$": "kubeadm's control plane consists of static Pods; ours of processes",
  }),
  ...because("only in kubeadm", "file", {
    "front-proxy|requestheader|--proxy-client-": FRONT_PROXY,
    "^kube-controller-manager --client-ca-file$": "its own clients are verified with this CA too",
    "^/etc/kubernetes/manifests/":
      "a static Pod: the kubelet starts what these files describe; the lessons start processes",
    "healthcheck-client": "made for probes of etcd that need a certificate; today's probe asks --listen-metrics-urls",
    "^/etc/kubernetes/super-admin.conf$":
      "an administrator in the group system:masters, who can work when RBAC is broken; the administrator of the lessons is in that group",
    "^/var/lib/kubelet/instance-config.yaml$": "what is special to this Node in the kubelet's configuration",
    "^/var/lib/kubelet/kubeadm-flags.env$": "flags that kubeadm hands to the kubelet's unit of systemd",
    "^/var/lib/kubelet/pki/kubelet-client-": "an earlier client certificate of the kubelet, which has renewed it",
    "^/var/lib/kubelet/pki/kubelet\\.": "the kubelet has made its own serving certificate, which no client can verify",
  }),
  ...because("only in kubeadm", "object", {
    "kubeadm:get-nodes|kubeadm:kubelet-config|kubeadm:nodes-kubeadm-config|/kubelet-config$|/kubeadm-config$": JOINING,
    "kubeadm:apiserver-kubelet-client$": "the same grant as our kube-apiserver-to-kubelet of lesson 08",
    "kubeadm:cluster-admins$": "makes the group of kubeadm's administrator cluster-admin",
    "kubeadm:kubelet-bootstrap$": "the same grant as our kubelet-bootstrap of lesson 10, for a narrower group",
    "kubeadm:node-autoapprove-":
      "kube-controller-manager approves the kubelets' client certificates; in lesson 10 a person does",
    "kubeadm:node-proxier$|^(?:Role|RoleBinding|ServiceAccount|ConfigMap|DaemonSet) kube-system/kube-proxy$":
      "the addon kube-proxy: a DaemonSet, its configuration, and what its ServiceAccount may do; ours is a process with a file",
    "bootstrap-signer-clusterinfo$|cluster-info$|/bootstrap-signer$":
      "cluster-info holds the address and the CA for those who join, signed with the bootstrap token",
    "/token-cleaner$": "deletes expired bootstrap tokens",
    "bootstrap-token-ID$": "the token with which machines join; ours is in lesson 10",
    "coredns|kube-dns": "the addon CoreDNS",
  }),
]

const onlyByHand: Reason[] = [
  ...because("only by hand", "certificate", {
    "--kubelet-certificate-authority": "our kube-apiserver verifies the kubelet's certificate; kubeadm's accepts any",
    "--tls-cert-file|tlsCertFile": OWN_SERVING,
    "^kube-proxy ": "kubeadm's kube-proxy shows the token of a ServiceAccount",
  }),
  ...because("only by hand", "flag", {
    "^etcd --(?:heartbeat-interval|election-timeout)$": "lesson 11: three members on one machine need a slower clock",
    "^kube-apiserver --storage-media-type$": "JSON in etcd can be read by people; kubeadm keeps the default, protobuf",
    "^kube-apiserver --bind-address$": "lesson 10 sets it; kubeadm relies on the default, which is the same",
    "--secure-port$": "lessons 04 and 09 set it to its default",
    "--kube-api-(?:qps|burst)$": "lesson 09 must not wait for kube-controller-manager's own limit",
    "^kube-controller-manager --(?:allocate-node-cidrs|cluster-cidr)$":
      "kubeadm sets them when its configuration has a podSubnet; here each Node has the same local range",
    "^kubelet --node-ip$": "kubeadm's kubelet finds the address by the default route; the lessons set it",
  }),
  ...because("only by hand", "kubelet field", {
    "^(?:address|port)$": "the kubelet listens on loopback; kubeadm's on every address, so that metrics can be scraped",
    "^tls(?:CertFile|PrivateKeyFile)$": OWN_SERVING,
    "^enforceNodeAllocatable$": "a machine of namespaces cannot limit all Pods together",
    "^nodeLeaseDurationSeconds$": "the lease is renewed every second, so that a person can watch it",
  }),
  ...because("only by hand", "file", {
    "^kube-apiserver --kubelet-certificate-authority$":
      "our kube-apiserver verifies kubelets; kubeadm's accepts any certificate",
    "^kube-apiserver --authentication-config$": "lesson 08: without credentials only health can be asked",
    "^kube-apiserver --encryption-provider-config$":
      "lesson 08: Secrets are encrypted in etcd; kubeadm leaves them readable",
    "--tls-(?:cert|private-key)-file$|tls(?:CertFile|PrivateKeyFile)$": OWN_SERVING,
    "client certificate$": "kubeadm embeds the certificate in the kubeconfig",
    "^/etc/kubernetes/coredns.yaml$": "lesson 10 creates CoreDNS from a file; kubeadm has it built in",
    "^/etc/kubernetes/pki/.*\\.key$": "the key of a certificate; kubeadm embeds those of clients",
    "^/": EARLIER,
  }),
  ...because("only by hand", "object", {
    "kube-apiserver-to-kubelet$": "the same grant as kubeadm:apiserver-kubelet-client",
    "kubelet-bootstrap$": "the same grant as kubeadm:kubelet-bootstrap, for all bootstrap tokens",
    "bootstrap-token-ID$": "lesson 10: the token with which node-2 joins",
  }),
]

/** Why items are not the same in kubeadm's control plane and in the one of the lessons. */
export const reasons: readonly Reason[] = [...different, ...onlyInKubeadm, ...onlyByHand]

/** @param texts the reason, by a pattern of the names of items */
function because(
  verdict: Exclude<Row["verdict"], "same">,
  topic: Topic,
  texts: Readonly<Record<string, string>>,
): Reason[] {
  return Object.entries(texts).map(([names, reason]) => ({ verdict, topic, names: new RegExp(names), reason }))
}
