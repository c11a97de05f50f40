import { file, listen, type Sabotage } from "./sabotage.ts"

const config = (change: (text: string) => string) => ({
  component: { kubelet: file("/etc/kubernetes/kubelet.yaml", change) },
})

/** Sabotages that break an outcome of lesson 05 in a running cluster. */
export const outcomes05: readonly Sabotage[] = [
  {
    id: "a-node-on-paper",
    breaks: "a Node object is created for which no kubelet runs",
    before: "05 a Node is a key",
    script: `kubectl create -f - <<'EOF'
{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ghost"}, "spec": {"unschedulable": true}}
EOF`,
    fails: ["05 a Node is a key"],
    until: 5,
    finding: "node-without-kubelet",
  },
  {
    id: "lease-renewed-seldom",
    breaks: "the duration of the kubelet's lease is too long",
    ...config((text) => text.replace(/^nodeLeaseDurationSeconds: 4\b/m, "nodeLeaseDurationSeconds: 400")),
    until: 5,
    fails: ["05 it renews"],
    finding: "lease-renewed-seldom",
  },
  {
    id: "kubelet-tells-others",
    breaks: "the kubelet sends traces to another program",
    before: "05 by its sockets",
    script: `${listen(4317)}\nuntil ss -Htn state established dport = :4317 | grep -q .; do sleep 0.1; done`,
    ...config((text) => `${text}tracing: { endpoint: "127.0.0.1:4317", samplingRatePerMillion: 1000000 }\n`),
    until: 5,
    fails: ["05 by its sockets"],
    finding: "kubelet-tells-others",
  },
  {
    id: "kubelet-lets-strangers-in",
    breaks: "the kubelet answers requests without authentication",
    ...config((text) => text.replace("anonymous: { enabled: false }", "anonymous: { enabled: true }")),
    until: 5,
    fails: ["05 its own port"],
    finding: "kubelet-lets-strangers-in",
  },
  {
    id: "kubelet-frozen",
    breaks: "SIGSTOP stops the kubelet while it runs",
    before: "05 it renews",
    script: "pkill -STOP -x kubelet",
    until: 5,
    fails: ["05 it renews", "05 its own port"],
    finding: "frozen",
  },
]
