import type { LessonSpec } from "../lesson-spec.ts"
import { reference } from "../transcript/reference.ts"

/** Lesson 05. */
export const kubelet = {
  number: 5,
  slug: "kubelet",
  title: "kubelet: a machine becomes a Node",
  row: {
    topic: "kubelet",
    proves: "a machine registers itself as a Node, renews its lease, and refuses unauthenticated requests",
  },
  components: ["etcd", "kube-apiserver", "kube-scheduler", "containerd", "kubelet"],
  parts: [
    {
      script: "05-containerd",
      write: "the command that starts containerd; `etc/containerd` and `etc/cni` are given",
      starts: "containerd",
      lines: ({ registry, start }) => [
        registry(
          reference.registry,
          (reference.registry.completion ?? []).map(({ argv }) => argv.join(" ")),
        ),
        start(reference.containerd),
      ],
    },
    {
      script: "05-kubelet",
      write: "the rest of `etc/kubernetes/kubelet.yaml`, and the command that starts the kubelet",
      starts: "kubelet",
      lines: ({ start, waitFor }) => [
        start(reference.kubelet),
        waitFor(`kubectl get node "$NODE"`),
        `kubectl wait --for=condition=Ready --timeout=60s "node/$NODE"`,
        "etcdctl get /registry/minions --prefix --keys-only",
      ],
    },
  ],
  outcomes: {
    "the kubelet registers its own Node": {
      see: "kubectl get nodes",
      permits: "restart",
      after: ["etcd", "kube-apiserver", "kube-scheduler"],
    },
    "a Node is a key under /registry/minions": {
      see: "etcdctl get /registry/minions/ --prefix --keys-only",
      permits: "observe",
    },
    "it becomes Ready, and the versions that it reports are true": {
      see: "kubectl get nodes -o wide; kubelet --version; containerd --version",
      permits: "observe",
    },
    "it renews its lease": { see: "kubectl get lease -n kube-node-lease -o yaml --watch", permits: "observe" },
    "by its sockets, it calls kube-apiserver only": { see: "ss -tnp | grep kubelet", permits: "observe" },
    "its own port refuses unauthenticated requests, and answers kube-apiserver": {
      see: "curl --cacert /etc/kubernetes/pki/ca.crt https://127.0.0.1:10250/pods",
      permits: "observe",
    },
  },
} satisfies LessonSpec
