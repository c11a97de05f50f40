import { file, flags, REMOVE_WEB, type Sabotage } from "./sabotage.ts"

/** A Pod that is nothing but one container. @param fields of the container, JSON without braces */
const run = (fields: string) =>
  `kubectl run web --image=nginx --overrides='{"spec": {"containers": [{"name": "web", "image": "nginx", ${fields}}]}}'`
const until = (words: string) => `until kubectl get pod web | grep -Eq '${words}'; do sleep 0.2; done`
/** It has been started again once at least. */
const restarted = `until [ "$(kubectl get pod web -o jsonpath='{.status.containerStatuses[0].restartCount}')" -ge 1 ] 2>/dev/null && kubectl get pod web | grep -Evq Running; do sleep 0.2; done
until kubectl get pod web | grep -q CrashLoopBackOff; do sleep 0.2; done`
const sandbox =
  "kubectl run web --image=nginx\nuntil kubectl get events | grep -q FailedCreatePodSandBox; do sleep 0.2; done"

/** What becomes of Pods, Deployments and Services. */
export const pods: readonly Sabotage[] = [
  {
    id: "not-ready-taint",
    breaks: "Nodes are registered with a taint that nobody lifts",
    component: { "kube-apiserver": flags({ "--disable-admission-plugins": "ServiceAccount" }) },
    script: "kubectl run web --image=nginx",
    fails: [],
    finding: "not-ready-taint",
  },
  {
    id: "not-ready-taint-late",
    breaks: "a Node is tainted as not ready, and nobody lifts that",
    before: "07 and a new Pod",
    script: 'kubectl taint node "$(hostname)" node.kubernetes.io/not-ready:NoSchedule',
    fails: ["07 and a new Pod"],
    finding: "not-ready-taint",
  },
  {
    id: "sandbox-oom-score",
    breaks: "containerd asks for an OOM score that this machine may not give",
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
    breaks: "runc lacks a capability",
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
    breaks: "a Pod asks for a seccomp profile that its Node does not have",
    script: `${run('"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "audit.json"}}')}\n${until("CreateContainerError")}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "seccomp-profile-missing",
  },
  {
    id: "capability-dropped",
    breaks: "a container is started without any capability",
    script: `${run('"securityContext": {"capabilities": {"drop": ["ALL"]}}')}\n${restarted}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "capability-dropped",
  },
  {
    id: "program-not-found",
    breaks: "a Pod's command is mistyped",
    script: `${run('"command": ["ngnix"]')}\n${until("RunContainerError|CrashLoopBackOff")}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "program-not-found",
  },
  {
    id: "container-crashes",
    breaks: "a container's program does not know its configuration",
    script: `${run(`"command": ["nginx", "-g", "deamon off;"]`)}\n${restarted}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "container-crashes",
  },
  {
    id: "container-ends",
    breaks: "a container's program goes to the background, and its container ends",
    script: `${run(`"command": ["sh", "-c", "nginx; echo started"]`)}\n${restarted}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "container-ends",
  },
  {
    id: "out-of-memory",
    breaks: "a container takes more memory than it may",
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
    breaks: "a Pod wants a ConfigMap that there is not",
    script: `${run(`"envFrom": [{"configMapRef": {"name": "settings"}}]`)}\n${until("CreateContainerConfigError")}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "object-missing",
  },
  {
    id: "runs-as-root",
    breaks: "a Pod may not run as root, and its image does",
    script: `${run(`"securityContext": {"runAsNonRoot": true}`)}\n${until("CreateContainerConfigError")}`,
    undo: REMOVE_WEB,
    fails: [],
    finding: "runs-as-root",
  },
  {
    id: "pod-never-restarts",
    breaks: "a Pod that may not be started again fails",
    script:
      "kubectl run web --image=nginx --restart=Never -- sh -c 'exit 1'\nuntil kubectl get pod web | grep -q Error; do sleep 0.2; done",
    undo: REMOVE_WEB,
    fails: [],
    finding: "pod-never-restarts",
  },
  {
    id: "deployment-without-controller-manager",
    breaks: "a Deployment is made where no controller-manager runs",
    script: "kubectl create deployment web --image=nginx --replicas=2",
    undo: REMOVE_WEB,
    fails: [],
    finding: "deployment-without-controller-manager",
  },
  {
    id: "service-without-kube-proxy",
    breaks: "a Service is made where no kube-proxy runs",
    script: "kubectl run web --image=nginx\nkubectl expose pod web --port=80",
    undo: REMOVE_WEB,
    fails: [],
    finding: "service-without-kube-proxy",
  },
]
