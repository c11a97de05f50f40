import { ETCD_PORT } from "../../components/etcd.ts"
import { logOf, type Component } from "../../components/component.ts"
import { probeOfComponent } from "../../components/registry.ts"
import { asks, commandOf, definitionsFor, reasonsOf, withOther, word, writes } from "./bash.ts"
import { lessonId, lessons } from "../lessons.ts"
import type { MachineName } from "../../machines/network.ts"
import type { Hand } from "./hand.ts"
import { reference } from "./reference.ts"

/**
 * The whole workshop as a script for bash: the same components that the lessons start, typed by hand. It must run as
 * root on a machine that has the tools and the image archives, and on which no component runs yet.
 * With several machines there is a script for each, and they run at the same time: lines wait for what the other
 * machines give them in /shared.
 * @param kubernetes the version of Kubernetes that the machine has
 * @param machine the further machine on which it runs; undefined for the first
 */
export function transcript(kubernetes: string, machine?: MachineName): string {
  const typed = lessons.flatMap(({ number, title, parts }) => {
    const own = parts.filter(({ on }) => on === machine)
    // A further machine has no part in most lessons.
    return own.length === 0 && machine !== undefined
      ? []
      : [heading(number, title), ...own.flatMap(({ lines }) => lines(scripted))]
  })
  if (machine !== undefined) return [intro(kubernetes, typed), ...typed, ""].join("\n")
  return [
    intro(kubernetes, typed),
    ...typed,
    `echo "The components still run. To end them: kill ${Object.values(reference)
      .reverse()
      .map((component) => `$${pidOf(component)}`)
      .join(" ")}"`,
    `echo "All ${lessons.length} lessons are done."`,
    "",
  ].join("\n")
}

const scripted: Hand = {
  start: starts,
  again,
  restart: (component, flag) =>
    [
      `mapfile -d '' words <"/proc/$${pidOf(component)}/cmdline"`,
      scripted.kill([component]),
      functionOf(component, withOther("words", flag)),
      again(component),
    ].join("\n"),
  kill: (components) => {
    const pids = components.map((component) => `"$${pidOf(component)}"`).join(" ")
    return `kill -9 ${pids}\nwait ${pids} 2>/dev/null || true`
  },
  registry: (component, pushes) =>
    [
      "# A registry on loopback that holds the images. containerd uses it as the mirror of the public registries.",
      starts(component),
      ...pushes,
    ].join("\n"),
  given: writes,
  waitFor: (command) => `wait_for ${command}`,
}

function intro(kubernetes: string, typed: readonly string[]): string {
  return `#!/bin/bash
# A Kubernetes control plane, bootstrapped by hand: Kubernetes ${kubernetes}, lessons ${ids(0)} to ${ids(-1)}.
# Run it as root on a machine that has the tools and on which no component runs yet, such as:
#   npx byhand up --empty && npx byhand transcript | npx byhand shell bash
# Each further machine has a script of its own. That of lesson 10 runs at the same time as this one. Those of lessons 11 and 12
# run one after another, when this one has ended:
${furtherMachines.map((name) => `#   npx byhand transcript --on ${name} | npx byhand shell --on ${name} bash`).join("\n")}
set -euo pipefail

${definitionsFor(typed).join("\n")}
mkdir -p ${logOf("etcd").replace(/\/[^/]*$/, "")}

wait_for() {
  for _ in $(seq 1200); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "gave up after 120 s: $*" >&2
  exit 1
}

if curl -s http://127.0.0.1:${ETCD_PORT} >/dev/null; then
  echo "etcd already runs here. Run this script in an empty machine: npx byhand up --empty --name NAME" >&2
  exit 1
fi`
}

/** The further machines on which something is typed. */
const furtherMachines: readonly MachineName[] = [
  ...new Set(lessons.flatMap(({ parts }) => parts.flatMap(({ on }) => on ?? []))),
]

/** The number of the lesson at an index, as text. */
function ids(at: number): string {
  const lesson = lessons.at(at)
  return lesson === undefined ? "" : lessonId(lesson)
}

function heading(step: number, title: string): string {
  return `\n# ${step}. ${title}\necho ${word(`${step}. ${title}`)}`
}

/**
 * A shell function that starts a component, and its first call. It is a function because some components are started
 * twice.
 */
function starts(component: Component): string {
  return [
    ...component.files.map(writes),
    "",
    ...reasonsOf(component),
    functionOf(component, commandOf(component)),
    again(component),
  ].join("\n")
}

function functionOf(component: Component, command: string): string {
  return [
    `start_${identifier(component)}() {`,
    `  ${command.replaceAll("\n", "\n  ")} >>${logOf(component.name)} 2>&1 &`,
    `  ${pidOf(component)}=$!`,
    "}",
  ].join("\n")
}

function again(component: Component): string {
  return `start_${identifier(component)}\nwait_for ${isReady(component)}`
}

function isReady(component: Component): string {
  const ready = probeOfComponent(component)
  if (ready.by === "command") return ready.argv.map(word).join(" ")
  // Without a token file, health can be asked without credentials.
  const isByToken = component.flags.some(({ flag }) => flag === "--token-auth-file")
  return asks(ready, ...(isByToken ? [`-H "Authorization: Bearer $TOKEN"`] : []))
}

function identifier({ name }: Component): string {
  return name.replaceAll("-", "_")
}

function pidOf(component: Component): string {
  return identifier(component).toUpperCase()
}
