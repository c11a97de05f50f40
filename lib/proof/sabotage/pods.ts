import { file, flags, REMOVE_WEB, type Sabotage } from "./sabotage.ts"

/** Creates a Pod with one container. @param fields fields of the container, as JSON without the outer braces */
const run = (fields: string) =>
  `kubectl run web --image=nginx --overrides='{"spec": {"containers": [{"name": "web", "image": "nginx", ${fields}}]}}'`
const until = (words: string) => `until kubectl get pod web | grep -Eq '${words}'; do sleep 0.2; done`
/** Waits until the container has restarted at least once and the Pod is in CrashLoopBackOff. */
const restarted = `until [ "$(kubectl get pod web -o jsonpath='{.status.containerStatuses[0].restartCount}')" -ge 1 ] 2>/dev/null && kubectl get pod web | grep -Evq Running; do sleep 0.2; done
until kubectl get pod web | grep -q CrashLoopBackOff; do sleep 0.2; done`
const sandbox =
  "kubectl run web --image=nginx\nuntil kubectl get events | grep -q FailedCreatePodSandBox; do sleep 0.2; done"

/** Ends kube-controller-manager, which byhand up has started. */
const NO_MANAGER = "pkill -KILL -x kube-controller\nwhile pidof kube-controller-manager; do sleep 0.05; done"

/** Ends kube-proxy, and removes the rules that it has left in the kernel. */
const NO_PROXY = "pkill -KILL -x kube-proxy || true\nwhile pidof kube-proxy; do sleep 0.05; done\nnft flush ruleset"

/** Sabotages of Pods, Deployments and Services. */
export const pods: readonly Sabotage[] = [
  {
    id: "not-ready-taint",
    breaks: "new Nodes get a not-ready taint, and no controller removes it",
    component: {
      "kube-apiserver": flags({ "--disable-admission-plugins": "ServiceAccount" }),
      // It would lift the taint before the script ends it.
      "kube-controller-manager": flags({ "--controllers": "*,-node-lifecycle-controller" }),
    },
    script: `${NO_MANAGER}\nkubectl run web --image=nginx`,
    fails: [],
    finding: "not-ready-taint",
  },
  {
    id: "not-ready-taint-late",
    breaks: "a running Node gets a not-ready taint, and no controller removes it",
    before: "07 and a new Pod",
    script: 'kubectl taint node "$(hostname)" node.kubernetes.io/not-ready:NoSchedule',
    fails: ["07 and a new Pod"],
    finding: "not-ready-taint",
  },
  {
    id: "sandbox-oom-score",
    breaks: "containerd requests an OOM score that this machine is not allowed to set",
    component: {
      containerd: file("/etc/containerd/config.toml", (text) =>
        text.replace("restrict_oom_score_adj = true", "restrict_oom_score_adj = false"),
      ),
    },
    script: sandbox,
    fails: [],
    finding: "sandbox-oom-score",
  },
  {
    id: "sandbox-not-permitted",
    breaks: "runc does not have the capability CAP_SYS_ADMIN",
    component: {
      containerd: file("/etc/containerd/config.toml", (text) =>
        text.replace(
          'runtime_type = "io.containerd.runc.v2"\n',
          (line) =>
            `${line}  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]\n    BinaryName = "/usr/local/bin/poor-runc"\n`,
        ),
      ),
    },
    script: `printf '#!/bin/sh\\nexec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin runc "$@"\\n' >/usr/local/bin/poor-runc
chmod 755 /usr/local/bin/poor-runc
${sandbox}`,
    fails: [],
    finding: "sandbox-not-permitted",
  },
  {
    id: "seccomp-profile-missing",
    breaks: "a Pod uses a seccomp profile that its Node does not have",
    script: `${run('"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "audit.json"}}')}\n${until("CreateContainerError")}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "seccomp-profile-missing",
  },
  {
    id: "capability-dropped",
    breaks: "a container starts without any capability",
    script: `${run('"securityContext": {"capabilities": {"drop": ["ALL"]}}')}\n${restarted}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "capability-dropped",
  },
  {
    id: "program-not-found",
    breaks: "the command of a Pod is misspelled",
    script: `${run('"command": ["ngnix"]')}\n${until("RunContainerError|CrashLoopBackOff")}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "program-not-found",
  },
  {
    id: "container-crashes",
    breaks: "a container's program gets a configuration that is not valid",
    script: `${run(`"command": ["nginx", "-g", "deamon off;"]`)}\n${restarted}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "container-crashes",
  },
  {
    id: "container-ends",
    breaks: "a container's program runs in the background, so the container ends",
    script: `${run(`"command": ["sh", "-c", "nginx; echo started"]`)}\n${restarted}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "container-ends",
  },
  {
    id: "out-of-memory",
    breaks: "a container uses more memory than its limit",
    script: `${run(`"command": ["sh", "-c", "head -c 100m /dev/zero | tail"], "resources": {"limits": {"memory": "20Mi"}}`)}\n${restarted}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "out-of-memory",
  },
  {
    id: "liveness-probe",
    breaks: "a liveness probe asks the wrong port",
    script: `${run(`"livenessProbe": {"httpGet": {"path": "/", "port": 81}, "periodSeconds": 1, "failureThreshold": 1}`)}\n${restarted}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "liveness-probe",
  },
  {
    id: "object-missing",
    breaks: "a Pod refers to a ConfigMap that does not exist",
    script: `${run(`"envFrom": [{"configMapRef": {"name": "settings"}}]`)}\n${until("CreateContainerConfigError")}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "object-missing",
  },
  {
    id: "runs-as-root",
    breaks: "a Pod must not run as root, and its image runs as root",
    script: `${run(`"securityContext": {"runAsNonRoot": true}`)}\n${until("CreateContainerConfigError")}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "runs-as-root",
  },
  {
    id: "pod-never-restarts",
    breaks: "a Pod with the restart policy Never fails",
    script:
      "kubectl run web --image=nginx --restart=Never -- sh -c 'exit 1'\nuntil kubectl get pod web | grep -q Error; do sleep 0.2; done",
    undo: REMOVE_WEB,
    fails: [],
    finding: "pod-never-restarts",
  },
  {
    id: "deployment-without-controller-manager",
    breaks: "a Deployment is created while kube-controller-manager does not run",
    script: `${NO_MANAGER}
kubectl create deployment web --image=nginx --replicas=2`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "deployment-without-controller-manager",
  },
  {
    id: "service-without-kube-proxy",
    breaks: "a Service is created while kube-proxy does not run",
    script: `${NO_PROXY}
kubectl run web --image=nginx
kubectl expose pod web --port=80`,
    fails: [],
    finding: "service-without-kube-proxy",
  },
]
