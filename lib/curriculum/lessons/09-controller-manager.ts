import { withFlags, type Component } from "../../components/component.ts"
import { managerWithPki, withPki } from "../../components/secured.ts"
import { managerCommands, pki } from "../../pki/pki.ts"
import type { LessonSpec } from "../lesson-spec.ts"
import { madeOnce } from "../transcript/bash.ts"
import { facts, reference } from "../transcript/reference.ts"

/** kube-apiserver with the admission plugins ServiceAccount and TaintNodesByCondition, which are on by default. */
const withPlugins = (component: Component) => withFlags(component, { "--disable-admission-plugins": null })

/** The components as a person starts them in this lesson. */
export const managed = {
  // Its files exist since lesson 08.
  apiserver: { ...withPlugins(withPki["kube-apiserver"](reference["kube-apiserver"], facts)), files: [] },
  manager: managerWithPki(reference["kube-controller-manager"]),
}

/** The components that the lesson needs before kube-controller-manager starts. */
const before = ["etcd", "kube-apiserver", "kube-scheduler", "containerd", "kubelet"] as const

/** Lesson 09. */
export const controllerManager = {
  number: 9,
  slug: "controller-manager",
  title: "kube-controller-manager: it makes things so",
  row: {
    topic: "kube-controller-manager",
    proves:
      "Deployments, Jobs, namespaces, tokens and dead Nodes: each is one controller's work; killed in a rollout, it finishes the rollout",
  },
  components: [...before, "kube-controller-manager"],
  settings: { "kube-apiserver": withPlugins, "kube-controller-manager": managerWithPki },
  isThere: (subject) => subject.part("kube-controller-manager").isRunning,
  parts: [
    {
      script: "09-controller-manager",
      write: "the commands that start kube-apiserver with all its plugins, and kube-controller-manager",
      starts: "kube-controller-manager",
      lines: ({ start, kill }) => [
        ...madeOnce(pki.controllerManager.certificate, managerCommands()),
        "# From here on, a controller creates ServiceAccounts and lifts the taints of new Nodes: both plugins can be on.",
        kill([reference["kube-apiserver"]]),
        start(managed.apiserver),
        start(managed.manager),
      ],
    },
    {
      lines: () => [
        "kubectl create deployment web --image=nginx --replicas=2",
        "kubectl rollout status deployment/web --timeout=60s",
        "kubectl get deployments,replicasets,pods -o wide",
        "kubectl scale deployment web --replicas=3",
        "kubectl rollout status deployment/web --timeout=60s",
        "kubectl set env deployment/web COLOR=green",
        "kubectl rollout status deployment/web --timeout=60s",
        "kubectl get replicasets",
        "kubectl rollout undo deployment/web",
        "kubectl rollout status deployment/web --timeout=60s",
        "kubectl create job once --image=nginx -- echo done",
        "kubectl wait --for=condition=complete --timeout=60s job/once",
        "kubectl logs job/once",
        "kubectl create namespace demo",
        "until kubectl get serviceaccount default -n demo; do sleep 0.2; done",
        "kubectl get configmap kube-root-ca.crt -n demo -o jsonpath='{.data.ca\\.crt}'",
        "kubectl delete namespace demo",
        "kubectl delete job/once deployment/web",
      ],
    },
  ],
  outcomes: {
    "without it a Deployment is a key in etcd: no ReplicaSet, no Pod": {
      see: "kubectl create deployment web --image=nginx --replicas=2; kubectl get deployments,replicasets,pods",
      permits: "restart",
      after: before,
    },
    "without it a new namespace has no ServiceAccount, and kube-apiserver refuses Pods there": {
      see: "kubectl create namespace demo; kubectl run client --image=nginx -n demo",
      permits: "restart",
      after: before,
    },
    "once it runs, ReplicaSet and Pods appear, and etcd's revisions show who wrote each": {
      see: "kubectl get deployments,replicasets,pods -o yaml --show-managed-fields; etcdctl get /registry/pods/default/web -w json --prefix",
      permits: "restart",
      after: before,
    },
    "a namespace gets its ServiceAccount default, and kube-root-ca.crt, with which kube-apiserver is verified": {
      see: "kubectl get serviceaccounts,configmaps -n demo -o yaml",
      permits: "restart",
    },
    "a new Node is tainted not-ready from its first revision on, and a controller lifts the taint when it is Ready": {
      see: "etcdctl get /registry/minions/NODE --rev=…; kubectl get node NODE -o jsonpath={.spec.taints}",
      permits: "restart",
    },
    "each Node has a range of Pod addresses of its own, and its Pods have addresses of that range": {
      see: "kubectl get nodes -o custom-columns=NAME:.metadata.name,RANGE:.spec.podCIDR; kubectl get pods -o wide",
      permits: "restart",
    },
    "kube-apiserver accepts the token that a Pod finds in its container": {
      see: "kubectl exec client -n demo -- cat /var/run/secrets/kubernetes.io/serviceaccount/token",
      permits: "restart",
    },
    "a Secret of type service-account-token is filled with a token, and kube-apiserver accepts it": {
      see: "kubectl create -n demo -f fixtures/manifests/token.yaml; kubectl describe secret token -n demo",
      permits: "restart",
    },
    "a deleted Pod is replaced": {
      see: "kubectl get pods -l app=web --watch & kubectl delete pod -l app=web",
      permits: "restart",
    },
    "kubectl scale: more Pods, and fewer": {
      see: "kubectl scale deployment web --replicas=4; kubectl get pods -l app=web",
      permits: "restart",
    },
    "a rollout goes from one ReplicaSet to the next, and its undo goes back to the first": {
      see: "kubectl set env deployment/web COLOR=green; kubectl get replicasets -w & kubectl rollout undo deployment/web",
      permits: "restart",
    },
    "a Job runs its Pod to the end": {
      see: "kubectl create job once --image=nginx -- echo done; kubectl get jobs; kubectl logs job/once",
      permits: "restart",
    },
    "an object goes when its owner goes, unless the owner is deleted with --cascade=orphan": {
      see: "kubectl delete deployment NAME; kubectl delete deployment NAME --cascade=orphan; kubectl get replicasets",
      permits: "restart",
    },
    "a deleted namespace is emptied in etcd key by key, and its own key is the last": {
      see: "etcdctl watch /registry --prefix --rev=… & kubectl delete namespace demo",
      permits: "restart",
    },
    "the token of a deleted Pod is refused": {
      see: "kubectl delete pod client -n demo; kubectl get --raw /api --token=TOKEN",
      permits: "restart",
    },
    "the kubelet dies: its Node is NotReady and tainted, its Pod is evicted; it comes back, and all recovers": {
      see: "pkill -KILL kubelet; kubectl get nodes,pods -w; kubectl describe node NODE",
      permits: "restart",
      after: before,
    },
    "of two managers, one leads by a lease; when it dies, the other goes on, and no Pod is created twice": {
      see: "kubectl get lease kube-controller-manager -n kube-system -o yaml",
      permits: "restart",
      after: before,
    },
    "killed in the middle of a rollout and started again, it finishes the rollout": {
      see: "kubectl set env deployment/web COLOR=blue; pkill -KILL kube-controller; kubectl get replicasets; kube-controller-manager …",
      permits: "restart",
    },
  },
} satisfies LessonSpec
