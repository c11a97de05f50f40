import { ETCD_PORT } from "../../components/etcd.ts"
import { logOf, type Component } from "../../components/component.ts"
import { pki } from "../../pki/pki.ts"
import { commandOf, reasonsOf, VARIABLES, word, writes } from "./bash.ts"
import { reference, steps, type Hand } from "./steps.ts"

/**
 * The whole workshop, steps 1 to 7, as a script for bash: the same components that the lessons start, typed by hand.
 * It runs as root on a machine that has the tools and the images' archives and where nothing of it runs yet.
 * @param kubernetes the version of Kubernetes that it is for
 */
export function transcript(kubernetes: string): string {
  return [
    intro(kubernetes),
    ...steps(scripted).flatMap(({ number, title, parts }) => [
      heading(number, title),
      ...parts.flatMap(({ lines }) => lines),
    ]),
    `echo "What was started goes on running. To end it: kill ${Object.values(reference)
      .reverse()
      .map((component) => `$${pidOf(component)}`)
      .join(" ")}"`,
    `echo "All seven steps are done."`,
    "",
  ].join("\n")
}

const scripted: Hand = {
  start: starts,
  again,
  kill: (components) => {
    const pids = components.map((component) => `"$${pidOf(component)}"`).join(" ")
    return `kill -9 ${pids}\nwait ${pids} 2>/dev/null || true`
  },
  registry: (component, pushes) =>
    [
      "# A registry on loopback with the images in it, which containerd takes for the public ones.",
      starts(component),
      ...pushes,
    ].join("\n"),
  waitFor: (command) => `wait_for ${command}`,
}

function intro(kubernetes: string): string {
  return `#!/bin/bash
# A Kubernetes control plane, bootstrapped by hand: Kubernetes ${kubernetes}, steps 1 to 7.
# Run it as root where the tools are and none of it runs yet, such as in a machine of its own:
#   npx byhand up --empty && npx byhand transcript | npx byhand shell bash
set -euo pipefail

${Object.values(VARIABLES).join("\n")}
mkdir -p ${logOf("etcd").replace(/\/[^/]*$/, "")}

wait_for() {
  for _ in $(seq 1200); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "gave up: $*" >&2
  exit 1
}

if curl -s http://127.0.0.1:${ETCD_PORT} >/dev/null; then
  echo "etcd runs here already. Run this in an empty machine: npx byhand up --empty --name NAME" >&2
  exit 1
fi`
}

function heading(step: number, title: string): string {
  return `\n# ${step}. ${title}\necho ${word(`${step}. ${title}`)}`
}

/** A function that starts a component, since some are started again, and its first call. */
function starts(component: Component): string {
  return [
    ...component.files.map(writes),
    "",
    ...reasonsOf(component),
    `start_${identifier(component)}() {`,
    `  ${commandOf(component).replaceAll("\n", "\n  ")} >>${logOf(component.name)} 2>&1 &`,
    `  ${pidOf(component)}=$!`,
    "}",
    again(component),
  ].join("\n")
}

function again(component: Component): string {
  return `start_${identifier(component)}\nwait_for ${isReady(component)}`
}

function isReady({ ready }: Component): string {
  if (ready.by === "command") return ready.argv.map(word).join(" ")
  if (!ready.tls) return `curl -sf http://127.0.0.1:${ready.port}${ready.path}`
  return `curl -sf --cacert ${pki.ca.certificate} -H "Authorization: Bearer $TOKEN" https://127.0.0.1:${ready.port}${ready.path}`
}

function identifier({ name }: Component): string {
  return name.replaceAll("-", "_")
}

function pidOf(component: Component): string {
  return identifier(component).toUpperCase()
}
