import { apiserver } from "../components/apiserver.ts"
import { argvOf, logOf, type Component, type ComponentFile } from "../components/component.ts"
import { containerd } from "../components/containerd.ts"
import { etcd } from "../components/etcd.ts"
import { kubelet } from "../components/kubelet.ts"
import { registry } from "../components/registry.ts"
import { scheduler } from "../components/scheduler.ts"
import { archivePath } from "../cluster/equipment.ts"
import { PORTS } from "../cluster/cluster.ts"
import { REFERENCES } from "../images/resolve.ts"
import { KUBECONFIG_FILE, kubeconfig } from "../kubeconfig/kubeconfig.ts"
import { pki, pkiCommands } from "../pki/pki.ts"
import { quote } from "../shell.ts"

/** What bash fills in when the script runs. */
const VARIABLES = /\$(TOKEN|NODE|NODE_IP)\b/

/**
 * The whole workshop, steps 1 to 7, as a script for bash: the same components that the lessons start, typed by hand.
 * It runs as root on a machine that has the tools and the images' archives and where nothing of it runs yet.
 * @param kubernetes the version of Kubernetes that it is for
 */
export function transcript(kubernetes: string): string {
  const components = reference()
  return [
    intro(kubernetes),
    ...steps({ start: starts, again }).flatMap(({ number, title, lines }) => [heading(number, title), ...lines]),
    `echo "What was started goes on running. To end it: kill ${Object.values(components).reverse().map((component) => `$${pidOf(component)}`).join(" ")}"`,
    `echo "All seven steps are done."`,
    "",
  ].join("\n")
}

/**
 * What to type in one step, as lines for bash: files first, then each command on its own; $TOKEN, $NODE and $NODE_IP are left open.
 * @param number 1 to 7
 */
export function typedIn(number: number): string {
  const step = steps({ start: typed, again: ({ name, lesson }) => `# ${name} again, as in step ${lesson}` }).find((one) => one.number === number)
  const waiting = (line: string) => line.replace(/^wait_for (.*)$/, "until $1 >/dev/null 2>&1; do sleep 1; done")
  return (step?.lines ?? []).map(waiting).join("\n")
}

interface Step {
  readonly number: number
  readonly title: string
  readonly lines: readonly string[]
}

/** The workshop's steps; how a component is started, and started again, is for whoever renders them to say. */
function steps({ start, again }: { start: (component: Component) => string; again: (component: Component) => string }): readonly Step[] {
  const components = reference()
  return [
    { number: 1, title: "etcd: all that the cluster knows", lines: [
      start(components.etcd),
      "etcdctl put /hello world",
      "etcdctl get /hello",
    ] },
    { number: 2, title: "kube-apiserver: the only one that speaks with etcd", lines: [
      "# Certificates and keys, readable by their owner alone.",
      `mkdir -p ${pki.folder}`,
      "umask 077",
      ...pkiCommands("$NODE").map((argv) => `${broken(argv.map(word))} 2>/dev/null`),
      "umask 022",
      writes({ path: KUBECONFIG_FILE, mode: 0o600, content: kubeconfig({ server: `https://127.0.0.1:${PORTS.apiserver}`, ca: { file: pki.ca.certificate }, token: "$TOKEN" }) }),
      start(components.apiserver),
      "wait_for kubectl get namespace default",
      "kubectl get nodes # No resources found",
      "kubectl get namespaces",
      "etcdctl get /registry/namespaces --prefix --keys-only",
    ] },
    { number: 3, title: "An object is a value in etcd", lines: [
      "kubectl create configmap demo --from-literal=k=v",
      `etcdctl get /registry/configmaps/default/demo | grep '"k":"v"'`,
    ] },
    { number: 4, title: "kube-scheduler: finds each Pod a Node", lines: [
      start(components.scheduler),
    ] },
    { number: 5, title: "containerd and kubelet: a Node", lines: [
      "# A registry on loopback with the images in it, which containerd takes for the public ones.",
      start(components.registry),
      ...[REFERENCES.pause, REFERENCES.nginx].map((reference) =>
        `crane push ${archivePath(reference)} 127.0.0.1:${PORTS.registry}/${reference.split("/").slice(1).join("/")} --insecure`),
      start(components.containerd),
      start(components.kubelet),
      `wait_for kubectl get node "$NODE"`,
      `kubectl wait --for=condition=Ready --timeout=60s "node/$NODE"`,
      "etcdctl get /registry/minions --prefix --keys-only",
    ] },
    { number: 6, title: "A Pod", lines: [
      "kubectl run hello --image=nginx",
      "kubectl wait --for=condition=Ready --timeout=60s pod/hello",
      "kubectl get pods -o wide",
      "kubectl get events --field-selector involvedObject.name=hello",
      "etcdctl get /registry/pods/default/hello --keys-only",
      "POD_IP=$(kubectl get pod hello -o jsonpath='{.status.podIP}')",
      `curl -sf "http://$POD_IP"`,
      "kubectl logs hello",
      "kubectl exec hello -- nginx -v",
    ] },
    { number: 7, title: "The control plane dies; the Pod does not", lines: [
      "who_is_it() { kubectl get pod hello -o jsonpath='{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}'; }",
      "BEFORE=$(who_is_it)",
      `kill -9 "$${pidOf(components.scheduler)}" "$${pidOf(components.apiserver)}"`,
      `wait "$${pidOf(components.scheduler)}" "$${pidOf(components.apiserver)}" 2>/dev/null || true`,
      "if kubectl get pods; then exit 1; fi # refused",
      `curl -sf "http://$POD_IP" >/dev/null # nginx goes on serving`,
      again(components.apiserver),
      again(components.scheduler),
      `[ "$(who_is_it)" = "$BEFORE" ] # the same Pod`,
      "kubectl run second --image=nginx",
      "kubectl wait --for=condition=Ready --timeout=60s pod/second",
      "kubectl get pods -o wide",
    ] },
  ]
}

/** Every component as the lessons start it, with what only the machine knows left open. */
function reference() {
  return {
    etcd: etcd({ dataDir: "/var/lib/etcd", port: PORTS.etcd }),
    apiserver: apiserver({ etcdPort: PORTS.etcd, port: PORTS.apiserver, token: "$TOKEN", storage: "json" }),
    scheduler: scheduler({ port: PORTS.scheduler, leaderElection: false }),
    registry: registry({ port: PORTS.registry }),
    // Without CAP_SYS_RESOURCE containerd has to be told so; with it, it may be.
    containerd: containerd({ pauseImage: REFERENCES.pause, registryPort: PORTS.registry, mayAdjustOomScore: false }),
    kubelet: kubelet({ port: PORTS.kubelet, nodeIp: "$NODE_IP" }),
  }
}

function intro(kubernetes: string): string {
  return `#!/bin/bash
# A Kubernetes control plane, bootstrapped by hand: Kubernetes ${kubernetes}, steps 1 to 7.
# Run it as root where the tools are and none of it runs yet, such as in a machine of its own:
#   npx byhand up --empty && npx byhand transcript | npx byhand shell bash
set -euo pipefail

TOKEN=$(openssl rand -hex 16)
NODE=$(hostname)
NODE_IP=$(ip -4 -oneline address show scope global | awk '{ sub("/.*", "", $4); print $4; exit }')
mkdir -p ${logOf("etcd").replace(/\/[^/]*$/, "")}

wait_for() {
  for _ in $(seq 1200); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "gave up: $*" >&2
  exit 1
}

if curl -s http://127.0.0.1:${PORTS.etcd} >/dev/null; then
  echo "etcd runs here already. Run this in an empty machine: npx byhand up --empty --name NAME" >&2
  exit 1
fi`
}

function heading(step: number, title: string): string {
  return `\n# ${step}. ${title}\necho ${word(`${step}. ${title}`)}`
}

/** A function that starts a component, since some are started again, and its first call. */
function starts(component: Component): string {
  const reasons = component.flags.flatMap(({ flag, why }) => (why === undefined ? [] : [`# ${flag}: ${why}`]))
  return [
    ...component.files.map(writes),
    "",
    ...reasons,
    `start_${identifier(component)}() {`,
    `  ${broken(argvOf(component).map(word)).replaceAll("\n", "\n  ")} >>${logOf(component.name)} 2>&1 &`,
    `  ${pidOf(component)}=$!`,
    "}",
    again(component),
  ].join("\n")
}

/** A component's files and its command, as a person would type them. */
function typed(component: Component): string {
  const reasons = component.flags.flatMap(({ flag, why }) => (why === undefined ? [] : [`# ${flag}: ${why}`]))
  return [...component.files.map(writes), ...reasons, `${broken(argvOf(component).map(word))} &`].join("\n")
}

function again(component: Component): string {
  return `start_${identifier(component)}\nwait_for ${isReady(component)}`
}

function isReady({ ready }: Component): string {
  if (ready.by === "command") return ready.argv.map(word).join(" ")
  if (!ready.tls) return `curl -sf http://127.0.0.1:${ready.port}${ready.path}`
  return `curl -sf --cacert ${pki.ca.certificate} -H "Authorization: Bearer $TOKEN" https://127.0.0.1:${ready.port}${ready.path}`
}

/** A file as a heredoc; its mode counts from the start, so that no secret can be read before it is set. */
function writes({ path, content, mode = 0o644 }: ComponentFile): string {
  const end = VARIABLES.test(content) ? "EOF" : "'EOF'"
  return `install -D -m ${mode.toString(8).padStart(4, "0")} /dev/stdin ${word(path)} <<${end}\n${content}EOF`
}

/** One flag a line. */
function broken(words: readonly string[]): string {
  return words.join(" ").replaceAll(/ (?=--?[a-z])/gi, " \\\n  ")
}

/** One word as a person would type it, with what bash is to fill in left open. */
function word(text: string): string {
  return VARIABLES.test(text) ? `"${text.replaceAll(/["\\`]/g, "\\$&")}"` : quote([text])
}

function identifier({ name }: Component): string {
  return name.replaceAll("-", "_")
}

function pidOf(component: Component): string {
  return identifier(component).toUpperCase()
}
