import { file, flags, type Sabotage } from "./sabotage.ts"

const CONFIG = "/etc/containerd/config.toml"
const config = (change: (text: string) => string) => ({ component: { containerd: file(CONFIG, change) } })
const boots = { fails: ["05 the kubelet registers"], blocks: 5 } as const

/** Sabotages that prevent containerd from starting or from serving the kubelet. */
export const containerd: readonly Sabotage[] = [
  {
    id: "containerd-frozen",
    breaks: "SIGSTOP stops containerd each time it starts",
    script: "(while sleep 0.02; do pkill -STOP -x containerd || true; done) >/dev/null 2>&1 &",
    ...boots,
    finding: "frozen",
  },
  {
    id: "containerd-flag-mistyped",
    breaks: "a letter of containerd's flag is missing",
    component: { containerd: flags({ "--config": null, "--onfig": CONFIG }) },
    ...boots,
    finding: "unknown-flag",
  },
  {
    id: "containerd-config-unparsable",
    breaks: "a path in containerd's configuration has no quotes",
    ...config((text) => text.replace('root = "/var/lib/containerd"', "root = /var/lib/containerd")),
    ...boots,
    finding: "containerd-config-unparsable",
  },
  {
    id: "containerd-config-version",
    breaks: "containerd's configuration has a version number that does not exist",
    ...config((text) => text.replace("version = 3", "version = 9")),
    ...boots,
    finding: "containerd-config-version",
  },
  {
    id: "containerd-plugin-name",
    breaks: "containerd's configuration contains a plugin name of containerd 1",
    ...config((text) => `disabled_plugins = ["cri"]\n${text}`),
    ...boots,
    finding: "containerd-plugin-name",
  },
  {
    id: "containerd-socket-elsewhere",
    breaks: "containerd listens on another socket than the one that its clients use",
    ...config((text) => text.replace("/run/containerd/containerd.sock", "/run/containerd.sock")),
    ...boots,
    finding: "containerd-socket-elsewhere",
  },
  {
    id: "cri-disabled",
    breaks: "containerd's plugin cri is disabled",
    ...config((text) => `disabled_plugins = ["io.containerd.grpc.v1.cri"]\n${text}`),
    ...boots,
    finding: "cri-disabled",
  },
  {
    id: "containerd-socket-removed",
    breaks: "containerd's socket file is deleted while containerd runs",
    before: "05 the kubelet registers",
    // In a learner's folder, containerd does not run yet.
    script: `rm /run/containerd/containerd.sock ||
(until pidof kubelet; do sleep 0.02; done; rm /run/containerd/containerd.sock) >/dev/null 2>&1 &`,
    ...boots,
    finding: "runtime-unreachable",
  },
  {
    id: "runtime-shim-missing",
    breaks: "containerd's configuration names a runtime that is not installed",
    ...config((text) => text.replace("io.containerd.runc.v2", "io.containerd.crun.v2")),
    script:
      "kubectl run web --image=nginx\nuntil kubectl get events | grep -q FailedCreatePodSandBox; do sleep 0.2; done",
    fails: [],
    finding: "runtime-missing",
  },
  {
    id: "containerd-killed",
    breaks: "containerd is killed",
    script: "pkill -KILL -x containerd\nwhile pidof containerd; do sleep 0.1; done",
    fails: [],
    finding: "not-running",
  },
  {
    id: "registry-killed",
    breaks: "the image registry is killed",
    script: "pkill -KILL -x crane\nwhile pidof crane; do sleep 0.1; done",
    fails: [],
    finding: "not-running",
  },
]
