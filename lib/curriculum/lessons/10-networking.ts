import type { Component } from "../../components/component.ts"
import { APPLY_COREDNS, coredns } from "../../components/coredns.ts"
import { ADMIT_MACHINES, routeTo, withNetwork, WRITE_POD_NETWORK } from "../../components/networked.ts"
import { withPki } from "../../components/secured.ts"
import type { ClusterFacts } from "../../components/spec.ts"
import { ADDRESS, MACHINES, SHARED } from "../../machines/network.ts"
import { networked, networkedCommands, pki } from "../../pki/pki.ts"
import type { LessonSpec } from "../lesson-spec.ts"
import { madeOnce } from "../transcript/bash.ts"
import { facts, reference } from "../transcript/reference.ts"
import { managed } from "./09-controller-manager.ts"

/**
 * The components of a machine as a person starts them in this lesson. Files that exist already are not written again.
 */
function startedOn(there: ClusterFacts): Readonly<Record<"containerd" | "kubelet" | "proxy", Component>> {
  return {
    containerd: withNetwork.containerd(reference.containerd, there),
    kubelet: withNetwork.kubelet(withPki.kubelet(reference.kubelet), there),
    proxy: withNetwork["kube-proxy"](reference["kube-proxy"], there),
  }
}

const first = startedOn(facts)
const second = startedOn({ ...facts, node: "node-2" })

/** The components as a person starts them in this lesson. */
export const connected = {
  apiserver: withNetwork["kube-apiserver"](managed.apiserver, facts),
  manager: { ...withNetwork["kube-controller-manager"](managed.manager), files: [] },
  kubelet: { ...first.kubelet, files: first.kubelet.files.filter(({ path }) => path.endsWith(".yaml")) },
  proxy: { ...first.proxy, files: first.proxy.files.filter(({ path }) => path !== coredns.path) },
  second,
}

const pkiFiles = { ca: pki.ca.certificate, proxy: Object.values(networked.proxy) }

/** The components that the lesson needs before kube-proxy starts. */
const before = ["etcd", "kube-apiserver", "kube-scheduler", "containerd", "kubelet", "kube-controller-manager"] as const

/** Lesson 10. */
export const networking = {
  number: 10,
  slug: "networking",
  title: "networking: Services, names, and a second Node",
  row: {
    topic: "networking",
    proves:
      "kube-proxy and CoreDNS: the kernel spreads connections over Pods, names lead to Services; a second machine joins, and Pods reach Pods",
  },
  components: [...before, "kube-proxy"],
  machines: { "node-2": ["containerd", "kubelet", "kube-proxy"] },
  settings: withNetwork,
  isThere: (subject) => subject.part("kube-proxy").isRunning,
  parts: [
    {
      script: "10-network",
      write:
        "the commands that start kube-proxy and CoreDNS, and let other machines in; `etc/kubernetes/coredns.yaml` is given",
      starts: "kube-proxy",
      lines: ({ start, kill, waitFor, given }) => [
        "# kube-apiserver must be reached from other machines, and kube-proxy is a user that RBAC knows.",
        ...madeOnce(networked.proxy.certificate, networkedCommands("$NODE_IP")),
        kill([reference["kube-apiserver"]]),
        start(connected.apiserver),
        "# A machine with this token may request a certificate, and nothing else.",
        ADMIT_MACHINES,
        kill([reference["kube-controller-manager"]]),
        start(connected.manager),
        kill([reference.kubelet]),
        start(connected.kubelet),
        waitFor(`kubectl wait --for=condition=Ready --timeout=1s "node/$NODE"`),
        start(connected.proxy),
        given(coredns, "CoreDNS"),
        APPLY_COREDNS,
        "# What the second machine needs. Both machines see this folder.",
        `cp ${[pkiFiles.ca, ...pkiFiles.proxy].join(" ")} ${SHARED}`,
        `install -m 0600 /dev/stdin ${SHARED}/bootstrap-token <<<"$BOOTSTRAP_TOKEN"`,
        "# The Pods of the other Node. The route to the Pods of this Node is longer.",
        routeTo(MACHINES["node-2"]),
      ],
    },
    {
      script: "10-node@node-2",
      write: "the commands that make a second machine a Node; it runs on that machine",
      on: "node-2",
      starts: "kubelet",
      lines: ({ start }) => [
        `until [ -e ${SHARED}/bootstrap-token ]; do sleep 0.2; done`,
        `BOOTSTRAP_TOKEN=$(cat ${SHARED}/bootstrap-token)`,
        `install -D -m 0644 -t /etc/kubernetes/pki ${SHARED}/ca.crt`,
        `install -D -m 0600 -t /etc/kubernetes/pki ${SHARED}/kube-proxy.crt ${SHARED}/kube-proxy.key`,
        start(second.containerd),
        start(second.kubelet),
        "# When a person has approved the certificate, kube-controller-manager gives this Node a range for its Pods.",
        "mkdir -p /etc/cni/net.d",
        WRITE_POD_NETWORK,
        start(second.proxy),
        routeTo(ADDRESS),
      ],
    },
    {
      script: "10-nodes",
      write: "the commands that approve the certificates of the second machine",
      lines: () => [
        "# A certificate to call kube-apiserver with, and then one to serve kubectl logs and exec with.",
        "until kubectl get --raw /api/v1/nodes/node-2/proxy/healthz >/dev/null 2>&1; do",
        "  kubectl get certificatesigningrequests -o name | xargs --no-run-if-empty kubectl certificate approve",
        "  sleep 0.5",
        "done",
        "kubectl get nodes -o wide",
      ],
    },
  ],
  outcomes: {
    "without kube-proxy a Service is an address that leads nowhere, although it has endpoints": {
      see: "kubectl create -f fixtures/manifests/web.yaml; kubectl get services,endpointslices; curl --max-time 1 http://CLUSTER-IP",
      permits: "restart",
      machines: {},
      after: before,
    },
    "once it runs, connections to the Service's address are spread over its Pods": {
      see: "for i in $(seq 60); do curl -s http://CLUSTER-IP; done | sort | uniq -c",
      permits: "restart",
      machines: {},
      after: before,
    },
    "the kernel's rules list exactly the endpoints of the EndpointSlice": {
      see: "kubectl get endpointslices -l kubernetes.io/service-name=web; nft list table ip kube-proxy",
      permits: "restart",
      machines: {},
    },
    "a port of the Node leads to the same Pods": {
      see: "kubectl get service web; curl http://NODE-IP:NODE-PORT",
      permits: "restart",
      machines: {},
    },
    "a Pod that is deleted leaves the rules, and no connection fails": {
      see: "kubectl delete pod -l app=web --wait=false & watch -n 0.2 nft list table ip kube-proxy",
      permits: "restart",
      machines: {},
    },
    "without endpoints, connections are refused at once": {
      see: "kubectl scale deployment web --replicas=0; curl http://CLUSTER-IP",
      permits: "restart",
      machines: {},
    },
    "with sessionAffinity, one client stays at one Pod": {
      see: `kubectl patch service web -p '{"spec": {"sessionAffinity": "ClientIP"}}'; for i in $(seq 20); do curl -s http://CLUSTER-IP; done | sort | uniq -c`,
      permits: "restart",
      machines: {},
    },
    "a Pod reaches a Service by its name": {
      see: "kubectl exec client -- wget -qO- http://web",
      permits: "restart",
      machines: {},
    },
    "names lead to Services, to all Pods of a headless Service, and to single Pods": {
      see: "kubectl exec client -- nslookup web-headless.default.svc.cluster.local",
      permits: "restart",
      machines: {},
    },
    "a Pod reaches kube-apiserver as kubernetes.default.svc, and is admitted with its token": {
      see: `kubectl exec client -- sh -c 'kubectl auth whoami --server=https://kubernetes.default.svc --certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt --token=$(cat /var/run/secrets/kubernetes.io/serviceaccount/token)'`,
      permits: "restart",
      machines: {},
    },
    "a NetworkPolicy is enforced by a program on the Node; without one it changes nothing": {
      see: "kubectl create -f fixtures/manifests/policy.yaml; kubectl exec client -- timeout 1 wget -qO- http://POD-IP",
      permits: "restart",
      machines: {},
    },
    "a machine joins: its kubelet requests a certificate with a bootstrap token, and a person approves it": {
      see: "kubectl get certificatesigningrequests; kubectl certificate approve NAME; kubectl get nodes -w",
      permits: "restart",
      machines: { "node-2": ["containerd"] },
    },
    "Pods on both Nodes have addresses of their Node's range, and reach each other by their own addresses": {
      see: "kubectl get pods -o wide; kubectl exec POD -- wget -qO- http://OTHER-POD-IP; kubectl logs OTHER-POD",
      permits: "restart",
    },
    "a Service's address, and a port of each Node, spread connections over Pods on both Nodes, whichever Node is asked":
      {
        see: `curl -s -H "Connection: close" "http://CLUSTER-IP/?[1-60]" | sort | uniq -c`,
        permits: "restart",
      },
    "draining a Node moves its Pods to the other Node, and a steady client loses no request": {
      see: "while curl -s --max-time 1 http://CLUSTER-IP; do :; done & kubectl drain node-2 --force; kubectl get pods -o wide",
      permits: "restart",
    },
  },
} satisfies LessonSpec
