import type { LessonSpec } from "../lesson-spec.ts"
import { reference } from "../transcript/reference.ts"

/** Lesson 04. */
export const scheduler = {
  number: 4,
  slug: "scheduler",
  title: "kube-scheduler: it fills in one field",
  row: {
    topic: "kube-scheduler",
    proves: "a Pod waits for it; one field changes; twenty lines of TypeScript can do the same; leases elect a leader",
  },
  components: ["etcd", "kube-apiserver", "kube-scheduler"],
  parts: [
    {
      script: "04-scheduler",
      write: "the command that starts kube-scheduler",
      starts: "kube-scheduler",
      lines: ({ start }) => [start(reference["kube-scheduler"])],
    },
  ],
  outcomes: {
    "without a scheduler a Pod stays Pending, assigned to no Node, and its status gives no reason": {
      see: "kubectl run waiting --image=nginx; kubectl get pod waiting -o yaml",
      permits: "restart",
      after: ["etcd", "kube-apiserver"],
    },
    "once a scheduler runs, it marks the Pod as Unschedulable: there is no Node": {
      see: "kubectl describe pod waiting",
      permits: "restart",
      after: ["etcd", "kube-apiserver"],
    },
    "once there is a Node, the Pod is bound to it": {
      see: "kubectl apply -f fixtures/manifests/node.yaml; kubectl get pod waiting -o wide",
      permits: "restart",
    },
    "a scheduler of twenty lines can do the same: it binds the Pod whose schedulerName it has": {
      see: "kubectl create -f fixtures/manifests/pod-for-tiny-scheduler.yaml; kubectl get pod picky -o wide",
      permits: "restart",
    },
    "by its sockets, it is connected to kube-apiserver only": {
      see: "ss -tnp | grep kube-scheduler",
      permits: "observe",
    },
    "killed and restarted, it has lost nothing: the waiting Pod is bound": {
      see: "pkill -KILL kube-scheduler; kubectl run late --image=nginx; kube-scheduler …; kubectl get pod late -o wide",
      permits: "restart",
    },
    "of two schedulers, one leads by a lease; when it dies, the lease moves to the other": {
      see: "kubectl get lease kube-scheduler -n kube-system -o yaml",
      permits: "restart",
    },
  },
} satisfies LessonSpec
