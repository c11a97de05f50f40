/** The outcomes that must fail, each with its finding. */
export type Prediction = readonly (readonly [outcome: string, finding: string])[]

/** The build that needs a machine for itself. */
export const forkBomb = "forks-for-ever"

/**
 * Builds in fixtures/subjects/fail: folders of start scripts that look correct but are not. For each build: the
 * outcomes that must fail, and the finding that each of them must get. No other outcome may fail before the first of
 * them.
 */
export const failingBuilds = {
  "says-that-it-passed": [["01 etcd starts", "script-ended"]],
  "never-ends": [["01 etcd starts", "script-without-effect"]],
  "canned-etcdctl": [["01 etcd starts", "script-without-effect"]],
  "listens-for-etcd": [["01 etcd starts", "port-taken"]],
  "kills-the-grader": [["01 etcd starts", "machine-ended"]],
  "forks-for-ever": [["01 etcd starts", "no-processes-left"]],
  "kube-apiserver-in-python": [["02 kube-apiserver starts", "not-genuine"]],
  "hidden-etcd": [
    ["02 what kube-apiserver makes", "another-etcd"],
    ["02 a namespace written straight", "another-etcd"],
    ["02 by its sockets", "another-etcd"],
  ],
  "mirrored-etcd": [
    ["02 a namespace written straight", "another-etcd"],
    ["02 by its sockets", "another-etcd"],
  ],
  "made-for-ann": [["02 kube-apiserver starts", "value-of-another"]],
  "open-to-everybody": [["02 without a token", "open-to-everybody"]],
  "kube-scheduler-in-bash": [["04 once a scheduler runs", "not-genuine"]],
  "scheduler-killed-later": [["05 a Node is a key", "ended-by-itself"]],
  "fake-kubectl": [["05 the kubelet registers", "script-without-effect"]],
  "other-kubectl": [["02 kubectl get nodes", "witness-replaced"]],
  "pod-that-never-ran": [
    ["06 kubectl run hello", "pod-never-ran"],
    ["06 its process is a child", "pod-never-ran"],
    ["07 the kubelet acts alone", "pod-never-ran"],
  ],
  "etcd-open-to-all": [["08 every port refuses a client", "etcd-accepts-any-client"]],
  "kubelet-is-administrator": [
    ["08 each component", "component-is-administrator"],
    ["08 a kubelet can neither", "component-is-administrator"],
    ["08 kubectl logs", "component-is-administrator"],
  ],
  "kubectl-loop": [["09 once it runs", "controller-switched-off"]],
  "proxy-on-the-host": [["10 the kernel's rules", "service-address-on-host"]],
  "first-member-twice": [["11 two members join", "etcd-without-data"]],
} as const satisfies Readonly<Record<string, Prediction>>
