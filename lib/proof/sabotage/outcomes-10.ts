import { CNI_CONFIG } from "../../components/containerd.ts"
import { coredns } from "../../components/coredns.ts"
import { KUBE_PROXY_CONFIG } from "../../components/kube-proxy.ts"
import { SECURED_FILES } from "../../components/secured.ts"
import { file, flags, upToTheLast, type Sabotage } from "./sabotage.ts"

/** Only this lesson runs: the cluster starts in the way in which this lesson changes it. */
const here = { from: 10, until: 10 } as const
/** Only this lesson runs, from this test on. */
const since = (test: string) => ({ ...here, since: test })

const names = ["10 a Pod reaches a Service", "10 names lead", "10 a Pod reaches kube-apiserver"]

/** kube-proxy does not start. A learner's script starts it with everything else of the lesson. */
const withoutKubeProxy = {
  fails: ["10 once it runs"],
  blocks: 10,
  byScripts: { fails: ["10 without kube-proxy"], blocks: 10 },
} as const

const all: readonly Sabotage[] = [
  {
    id: "service-address-on-host",
    breaks: "the addresses of Services belong to the machine, and a program there answers",
    before: "10 without kube-proxy",
    script: `ip route add local 10.0.0.0/24 dev lo
/run/byhand/node -e 'require("http").createServer((_, answer) => answer.end("web")).listen(80, "0.0.0.0")' >/dev/null 2>&1 &
until ss -Htln sport = :80 | grep -q .; do sleep 0.05; done`,
    ...here,
    fails: ["10 without kube-proxy"],
    ownClusterOnly: "a script has started kube-proxy before, and its rules keep other programs from those addresses",
    finding: "service-address-on-host",
  },
  {
    id: "kube-proxy-without-configuration",
    breaks: "the configuration file of kube-proxy does not exist",
    component: {
      "kube-proxy": (one) => ({ ...one, files: one.files.filter(({ path }) => path !== KUBE_PROXY_CONFIG) }),
    },
    ...here,
    ...withoutKubeProxy,
    finding: "kube-proxy-without-configuration",
  },
  {
    id: "kube-proxy-without-kubeconfig",
    breaks: "the configuration of kube-proxy names no kubeconfig",
    component: { "kube-proxy": file(KUBE_PROXY_CONFIG, (text) => text.replace(/^clientConnection.*\n/m, "")) },
    ...here,
    ...withoutKubeProxy,
    finding: "kube-proxy-without-kubeconfig",
  },
  {
    id: "kube-proxy-flag-removed",
    breaks: "kube-proxy gets a flag that was removed years ago",
    component: { "kube-proxy": flags({ "--udp-timeout": "1s" }) },
    ...here,
    ...withoutKubeProxy,
    finding: "removed-flag",
  },
  {
    id: "kube-proxy-gone",
    breaks: "kube-proxy is killed",
    before: "10 the kernel's rules",
    script: "pkill -KILL -x kube-proxy\nwhile pidof kube-proxy; do sleep 0.05; done",
    ...since("10 once it runs"),
    fails: ["10 the kernel's rules"],
    finding: "not-running",
  },
  {
    id: "node-ports-on-loopback",
    breaks: "kube-proxy accepts connections to node ports on loopback only",
    component: { "kube-proxy": file(KUBE_PROXY_CONFIG, (text) => `${text}nodePortAddresses: [127.0.0.0/8]\n`) },
    ...since("10 a port of the Node"),
    fails: ["10 a port of the Node", "10 a Service's address"],
    finding: "node-ports-on-other-addresses",
  },
  {
    id: "kube-proxy-frozen",
    breaks: "kube-proxy is suspended when a Pod is deleted",
    before: "10 a Pod that is deleted",
    script: "pkill -STOP -x kube-proxy",
    ...since("10 a port of the Node"),
    fails: ["10 a Pod that is deleted"],
    finding: "frozen",
  },
  {
    id: "service-packets-dropped",
    breaks: "a firewall drops packets to the addresses of Services",
    before: "10 without endpoints",
    script: `nft 'add table inet firewall; add chain inet firewall out { type filter hook output priority -300; }; add rule inet firewall out ip daddr 10.0.0.0/24 drop'`,
    ...since("10 without endpoints"),
    fails: ["10 without endpoints"],
    finding: "service-packets-dropped",
  },
  {
    id: "kube-proxy-frozen-at-affinity",
    breaks: "kube-proxy is suspended when a Service's sessionAffinity changes",
    before: "10 with sessionAffinity",
    script: `kubectl scale deployment web --replicas=2
kubectl wait --for=jsonpath={.status.readyReplicas}=2 deployment/web --timeout=60s
sleep 1 # kube-proxy writes rules for both Pods.
pkill -STOP -x kube-proxy`,
    ...since("10 without endpoints"),
    fails: ["10 with sessionAffinity"],
    finding: "frozen",
  },
  {
    id: "connections-lost-at-random",
    breaks: "a firewall drops every second connection between Pods of the Node",
    before: "10 a NetworkPolicy",
    script: `nft 'add table bridge lossy; add chain bridge lossy between { type filter hook forward priority -5; }; add rule bridge lossy between tcp dport 80 tcp flags syn / syn,ack numgen inc mod 2 0 drop'`,
    tool: "nft",
    ...since("10 a NetworkPolicy"),
    fails: ["10 a NetworkPolicy"],
    finding: "none",
  },
  {
    id: "apiserver-without-endpoint",
    breaks: "kube-apiserver does not register itself as the endpoint of the Service kubernetes",
    component: { "kube-apiserver": flags({ "--endpoint-reconciler-type": "none" }) },
    ...since("10 a Pod reaches a Service"),
    fails: names,
    finding: "apiserver-without-endpoint",
  },
  {
    id: "pods-without-default-route",
    breaks: "the CNI configuration gives Pods no default route",
    component: {
      containerd: file(CNI_CONFIG, (text) => text.replace('"isDefaultGateway"', '"isGateway"')),
    },
    ...since("10 a Pod reaches a Service"),
    fails: [...names, "10 Pods on both Nodes", "10 a Service's address"],
    finding: "pods-without-default-route",
  },
  {
    id: "coredns-scaled-down",
    breaks: "the Deployment of CoreDNS has no replicas",
    before: "10 a Pod reaches a Service",
    script: `kubectl scale deployment coredns -n kube-system --replicas=0
while kubectl get pods -n kube-system | grep -q coredns; do sleep 0.1; done`,
    ...since("10 a Pod reaches a Service"),
    fails: names,
    finding: "dns-without-endpoints",
  },
  {
    id: "coredns-without-pods",
    breaks: "CoreDNS is not told to answer with the addresses of Pods",
    component: { "kube-proxy": file(coredns.path, (text) => text.replace(/^ *pods verified\n/m, "")) },
    ...since("10 a Pod reaches a Service"),
    fails: ["10 names lead"],
    finding: "coredns-without-pods",
  },
  {
    id: "token-not-mounted-in-client",
    breaks: "a ServiceAccount says that its token must not be mounted",
    before: "10 a Pod reaches kube-apiserver",
    script: `kubectl patch serviceaccount default -p '{"automountServiceAccountToken": false}'
kubectl delete pod client --ignore-not-found --grace-period=1`,
    ...since("10 a Pod reaches kube-apiserver"),
    fails: ["10 a Pod reaches kube-apiserver"],
    finding: "token-not-mounted",
  },
  {
    id: "bootstrap-token-expired",
    breaks: "the bootstrap token has expired",
    before: "10 a machine joins",
    script: `kubectl get secrets -n kube-system -o name --field-selector type=bootstrap.kubernetes.io/token |
  xargs kubectl patch -n kube-system -p '{"stringData": {"expiration": "2020-01-01T00:00:00Z"}}'`,
    ...since("10 a machine joins"),
    fails: ["10 a machine joins"],
    blocks: 10,
    finding: "certificate-request-refused",
  },
  {
    id: "certificate-not-signed",
    breaks: "kube-controller-manager has no CA with which it can sign certificates",
    component: {
      "kube-controller-manager": flags({ "--cluster-signing-cert-file": null, "--cluster-signing-key-file": null }),
    },
    ...here,
    fails: ["10 a machine joins"],
    blocks: 10,
    // The script of the second machine goes on waiting, and what it waits for is another cause.
    byScripts: { fails: ["10 a machine joins"], thru: "10 a machine joins" },
    finding: "certificate-not-signed",
  },
  {
    id: "no-route-to-pods",
    breaks: "the first Node has no route to the Pods of the second",
    before: "10 Pods on both Nodes",
    script: "ip route del 10.88.0.0/16",
    ...since("10 a machine joins"),
    fails: ["10 Pods on both Nodes", "10 a Service's address", "10 draining a Node"],
    finding: "no-route-to-pods",
  },
  {
    id: "ip-forwarding-off",
    breaks: "the first Node does not forward packets",
    before: "10 Pods on both Nodes",
    // The CNI plugin turns it on again for each Pod.
    script: `(while sleep 0.1; do echo 0 >/proc/sys/net/ipv4/ip_forward; done) >/dev/null 2>&1 &`,
    ...since("10 a machine joins"),
    fails: ["10 Pods on both Nodes", "10 a Service's address"],
    finding: "ip-forwarding-off",
  },
  {
    id: "same-pod-addresses",
    breaks: "the CNI configuration of the second Node has the range of the first",
    on: "node-2",
    component: {
      containerd: (one) => ({
        ...one,
        files: one.files.map((config) => ({
          ...config,
          content: config.content.replace("10.88.0.0/24", "10.88.0.0\\/24"),
        })),
      }),
    },
    ...since("10 a machine joins"),
    fails: ["10 Pods on both Nodes", "10 a Service's address"],
    finding: "same-pod-addresses",
  },
  {
    id: "kube-proxy-frozen-on-second-node",
    breaks: "kube-proxy is suspended on the second Node",
    on: "node-2",
    before: "10 a Service's address",
    // New Pods on this Node have other addresses.
    script: `pkill -STOP -x kube-proxy
kubectl --kubeconfig=${SECURED_FILES.kubelet} delete pods -l app=web --field-selector=spec.nodeName=node-2 --wait=false`,
    ...since("10 a machine joins"),
    fails: ["10 a Service's address"],
    finding: "frozen",
  },
  {
    id: "disruption-budget",
    breaks: "a PodDisruptionBudget does not let any Pod be evicted",
    before: "10 draining a Node",
    script: "kubectl create poddisruptionbudget web --selector=app=web --max-unavailable=0",
    ...since("10 a machine joins"),
    fails: ["10 draining a Node"],
    finding: "disruption-budget",
  },
]

/** Sabotages that break an outcome of lesson 10: Services, names, and a second Node. */
export const outcomes10 = all.map(upToTheLast)
