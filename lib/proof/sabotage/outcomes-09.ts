import { KUBECONFIG_FILE } from "../../kubeconfig/kubeconfig.ts"
import { pki } from "../../pki/pki.ts"
import { deadLeader, flags, listen, type Sabotage } from "./sabotage.ts"

const managerFlags = (changes: Readonly<Record<string, string | null>>) => ({
  component: { "kube-controller-manager": flags(changes) },
})
const without = (controller: string) => managerFlags({ "--controllers": `*,-${controller}` })
const KILLED = "pkill -KILL -x kube-controller\nwhile pidof kube-controller-manager; do sleep 0.05; done"
const boots = { fails: ["09 once it runs"], blocks: 9 } as const

/** Sabotages that break an outcome of lesson 09: kube-controller-manager, and what its controllers make. */
export const outcomes09: readonly Sabotage[] = [
  {
    id: "controller-manager-port-taken",
    breaks: "another program already uses kube-controller-manager's port",
    before: "09 without it a Deployment",
    script: listen(10257),
    ...boots,
    finding: "port-taken",
  },
  {
    id: "controller-manager-flag-removed",
    breaks: "kube-controller-manager gets a flag that was removed years ago",
    ...managerFlags({ "--pod-eviction-timeout": "1s" }),
    ...boots,
    byScripts: { fails: ["09 without it a Deployment"], blocks: 9 },
    finding: "removed-flag",
  },
  {
    id: "second-controller-manager",
    breaks: "a second kube-controller-manager runs in the background, with the controller of Deployments only",
    before: "09 without it a Deployment",
    script: `kube-controller-manager --kubeconfig=${KUBECONFIG_FILE} --bind-address=127.0.0.1 --secure-port=10300 --leader-elect=false --controllers=deployment-controller >/dev/null 2>&1 &
kubectl create deployment trial --image=nginx --replicas=0
until kubectl get replicasets | grep -q trial; do sleep 0.1; done
kubectl delete deployment trial --cascade=background
kubectl delete replicasets --all`,
    fails: ["09 without it a Deployment"],
    until: 9,
    finding: "second-controller-manager",
  },
  {
    id: "service-account-by-hand",
    breaks: "a person has created the ServiceAccount of a new namespace",
    before: "09 without it a new namespace",
    script: "kubectl create namespace demo\nkubectl create serviceaccount default -n demo",
    fails: ["09 without it a new namespace"],
    until: 9,
    finding: "service-account-by-hand",
  },
  {
    id: "replicaset-controller-off",
    breaks: "the controller that creates Pods for ReplicaSets is switched off",
    ...without("replicaset-controller"),
    fails: [
      "09 once it runs",
      "09 each Node has",
      "09 a deleted Pod",
      "09 kubectl scale",
      "09 a rollout goes",
      "09 the kubelet dies",
      "09 of two managers",
      "09 killed in the middle",
    ],
    until: 9,
    finding: "controller-switched-off",
  },
  {
    id: "controller-manager-forbidden",
    breaks:
      "the controllers have no ServiceAccounts of their own, and RBAC gives their common user no role for their work",
    ...managerFlags({ "--use-service-account-credentials": "false" }),
    fails: [
      "09 once it runs",
      "09 a namespace gets",
      "09 a new Node",
      "09 each Node has",
      "09 kube-apiserver accepts",
      "09 a deleted Pod",
      "09 kubectl scale",
      "09 a rollout goes",
      "09 a Job runs",
      "09 an object goes",
      "09 a deleted namespace",
      "09 the token of",
      "09 the kubelet dies",
      "09 of two managers",
      "09 killed in the middle",
    ],
    until: 9,
    finding: "controller-manager-forbidden",
  },
  {
    id: "root-ca-missing",
    breaks: "kube-controller-manager does not know the CA that it must publish",
    ...managerFlags({ "--root-ca-file": null }),
    fails: ["09 a namespace gets"],
    until: 9,
    finding: "root-ca-missing",
  },
  {
    id: "controller-manager-gone",
    breaks: "kube-controller-manager is killed before it can replace a Pod",
    before: "09 a deleted Pod",
    script: KILLED,
    fails: ["09 a deleted Pod"],
    until: 9,
    finding: "not-running",
  },
  {
    id: "cluster-cidr-mismatch",
    breaks: "kube-controller-manager and the CNI configuration take the addresses of Pods from different ranges",
    ...managerFlags({ "--cluster-cidr": "10.99.0.0/16" }),
    fails: ["09 each Node has"],
    until: 9,
    finding: "cluster-cidr-mismatch",
  },
  {
    id: "token-not-mounted",
    breaks: "a ServiceAccount says that its token must not be mounted",
    before: "09 kube-apiserver accepts",
    script: `kubectl create namespace demo 2>/dev/null || true
until kubectl get serviceaccount default -n demo; do sleep 0.1; done
kubectl patch serviceaccount default -n demo -p '{"automountServiceAccountToken": false}'`,
    fails: ["09 kube-apiserver accepts"],
    until: 9,
    finding: "token-not-mounted",
  },
  {
    id: "service-account-key-mismatch",
    breaks: "kube-controller-manager signs tokens with a key that kube-apiserver does not know",
    ...managerFlags({ "--service-account-private-key-file": pki.apiserver.key }),
    fails: ["09 a Secret of type"],
    until: 9,
    finding: "service-account-key-mismatch",
  },
  {
    id: "job-controller-off",
    breaks: "the controller of Jobs is switched off",
    ...without("job-controller"),
    fails: ["09 a Job runs"],
    until: 9,
    finding: "controller-switched-off",
  },
  {
    id: "garbage-collector-off",
    breaks: "the garbage collector is switched off",
    ...without("garbage-collector-controller"),
    fails: ["09 an object goes"],
    until: 9,
    finding: "controller-switched-off",
  },
  {
    id: "namespace-controller-off",
    breaks: "the controller of namespaces is switched off",
    ...without("namespace-controller"),
    fails: ["09 a deleted namespace"],
    until: 9,
    finding: "controller-switched-off",
  },
  {
    id: "finalizer-left",
    breaks: "a Pod has a finalizer that no program removes",
    before: "09 a deleted namespace",
    script: `kubectl create namespace demo 2>/dev/null || true
until kubectl get serviceaccount default -n demo; do sleep 0.1; done
kubectl run client --image=nginx -n demo 2>/dev/null || true
kubectl wait --for=condition=Ready --timeout=60s pod/client -n demo
kubectl patch pod client -n demo --type=merge -p '{"metadata": {"finalizers": ["example.com/keep"]}}'`,
    fails: ["09 a deleted namespace", "09 the token of"],
    until: 9,
    finding: "finalizer-left",
  },
  {
    id: "taint-eviction-off",
    breaks: "the controller that evicts Pods is switched off",
    ...without("taint-eviction-controller"),
    fails: ["09 the kubelet dies"],
    until: 9,
    finding: "controller-switched-off",
  },
  {
    id: "lease-of-a-dead-manager",
    breaks: "a manager that no longer runs holds the leader lease for another hour",
    before: "09 of two managers",
    script: deadLeader("kube-controller-manager"),
    fails: ["09 of two managers"],
    until: 9,
    finding: "controller-manager-without-leadership",
  },
  {
    id: "rollout-paused",
    breaks: "the rollout of a Deployment is paused",
    before: "09 killed in the middle",
    script: `kubectl create deployment web --image=nginx --replicas=2 2>/dev/null || true
kubectl rollout pause deployment/web`,
    fails: ["09 killed in the middle"],
    until: 9,
    finding: "rollout-paused",
  },
]
