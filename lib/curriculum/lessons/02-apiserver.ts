import type { LessonSpec } from "../lesson-spec.ts"
import { reference } from "../transcript/reference.ts"
import { madeOnce, writes } from "../transcript/bash.ts"
import { APISERVER_PORT } from "../../components/apiserver.ts"
import { KUBECONFIG_FILE, kubeconfig } from "../../kubeconfig/kubeconfig.ts"
import { pki, pkiCommands } from "../../pki/pki.ts"

/** Lesson 02. */
export const apiserver = {
  number: 2,
  slug: "apiserver",
  title: "kube-apiserver: the only client of etcd",
  row: {
    topic: "kube-apiserver",
    proves: "the only process that talks to etcd; namespaces are keys; requests without a token are refused",
  },
  components: ["etcd", "kube-apiserver"],
  parts: [
    {
      script: "02-apiserver",
      write: "keys, a token, a kubeconfig, and the command that starts kube-apiserver",
      starts: "kube-apiserver",
      lines: ({ start, waitFor }) => [
        "# Certificates and keys, readable only by their owner. They are made once, because clients keep using them.",
        ...madeOnce(pki.serviceAccount.public, pkiCommands("$NODE"), pki.folder),
        writes({
          path: KUBECONFIG_FILE,
          mode: 0o600,
          content: kubeconfig({
            server: `https://127.0.0.1:${APISERVER_PORT}`,
            ca: { file: pki.ca.certificate },
            user: { token: "$TOKEN" },
          }),
        }),
        start(reference["kube-apiserver"]),
        waitFor("kubectl get namespace default"),
        "kubectl get nodes # No resources found",
        "kubectl get namespaces",
        "etcdctl get /registry/namespaces --prefix --keys-only",
      ],
    },
  ],
  outcomes: {
    "kube-apiserver starts on top of etcd, and holds port 6443 itself": {
      see: "ss -tlnp sport = :6443",
      permits: "observe",
      after: ["etcd"],
    },
    "kubectl get nodes says that there are none": { see: "kubectl get nodes", permits: "observe" },
    "the built-in namespaces are Active": { see: "kubectl get namespaces", permits: "observe" },
    "the Service kubernetes has the first address of --service-cluster-ip-range": {
      see: "kubectl get service kubernetes; ps -o args= -C kube-apiserver",
      permits: "observe",
    },
    "what kube-apiserver makes for itself is in etcd": {
      see: "etcdctl get /registry/ --prefix --keys-only",
      permits: "observe",
    },
    "the namespaces that kubectl lists are the keys under /registry/namespaces": {
      see: "kubectl get namespaces -o name; etcdctl get /registry/namespaces/ --prefix --keys-only",
      permits: "observe",
    },
    "a namespace written straight into etcd shows up in kubectl": {
      see: "etcdctl get /registry/namespaces/default --print-value-only | sed s/default/smuggled/g | etcdctl put /registry/namespaces/smuggled; kubectl get namespaces",
      permits: "restart",
    },
    "without a token, or with a wrong one, the answer is 401; the right one identifies the user": {
      see: "kubectl auth whoami; kubectl --token=wrong auth whoami",
      permits: "observe",
    },
    "a client that trusts another CA refuses to connect to kube-apiserver": {
      see: "curl --cacert /etc/kubernetes/pki/kubelet.crt https://127.0.0.1:6443/readyz",
      permits: "observe",
    },
    "by its sockets, kube-apiserver alone is connected to etcd": { see: "ss -tnp dport = :2379", permits: "observe" },
  },
} satisfies LessonSpec
