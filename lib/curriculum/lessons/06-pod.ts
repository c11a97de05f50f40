import type { LessonSpec } from "../lesson-spec.ts"
import { POD_IP } from "../transcript/bash.ts"

/** Lesson 06. */
export const pod = {
  number: 6,
  slug: "pod",
  title: "a Pod runs",
  row: {
    topic: "a Pod",
    proves: "`kubectl run hello --image=nginx`, followed through etcd revision by revision, down to the process",
  },
  components: ["etcd", "kube-apiserver", "kube-scheduler", "containerd", "kubelet"],
  parts: [
    {
      lines: () => [
        "kubectl run hello --image=nginx",
        "kubectl wait --for=condition=Ready --timeout=60s pod/hello",
        "kubectl get pods -o wide",
        "kubectl get events --field-selector involvedObject.name=hello",
        "etcdctl get /registry/pods/default/hello --keys-only",
        POD_IP,
        `curl -sf "http://$POD_IP"`,
        "kubectl logs hello",
        "kubectl exec hello -- nginx -v",
      ],
    },
  ],
  outcomes: {
    "kubectl run hello --image=nginx: Pending, ContainerCreating, Running": {
      see: "kubectl run hello --image=nginx; kubectl get pod hello --watch",
      permits: "restart",
    },
    "revision by revision: written with no Node, bound by the scheduler, status by the kubelet": {
      see: "etcdctl watch /registry/pods/default/hello --rev=…",
      permits: "observe",
    },
    "the events name who did what": {
      see: "kubectl get events --field-selector involvedObject.name=hello",
      permits: "observe",
    },
    "it lies at /registry/pods/default/hello": { see: "etcdctl get /registry/pods/default/hello", permits: "observe" },
    "nginx answers on the Pod's IP": {
      see: "curl http://$(kubectl get pod hello -o jsonpath={.status.podIP})",
      permits: "observe",
    },
    "its process is a child of a containerd shim": {
      see: "ctr -n k8s.io tasks ls; ps -ef --forest",
      permits: "observe",
    },
    "the Pod's address comes from the CNI network, which Services do not use": {
      see: "kubectl get pod hello -o wide; cat /etc/cni/net.d/*; kubectl get service kubernetes",
      permits: "observe",
    },
    "kubectl logs and kubectl exec reach into it": {
      see: "kubectl logs hello; kubectl exec hello -- nginx -v",
      permits: "observe",
    },
  },
} satisfies LessonSpec
