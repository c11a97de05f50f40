import type { Component } from "../../components/component.ts"
import { commandOf, reasonsOf, VARIABLES, word, writes } from "./bash.ts"
import { steps, type Hand, type Part } from "./steps.ts"

/** What to type for one step, or for one start script of it. */
export interface Answer {
  /** The start script that it belongs into, without the .sh; undefined where it is only typed. */
  readonly script: string | undefined
  /** Lines for bash that run as they stand: at a prompt, or as the script. What is started runs on in the background. */
  readonly text: string
}

/** The workshop's own answers for a step, in order; none where there is no such step. @param number 1 to 7 */
export function answers(number: number): Answer[] {
  const parts = steps(byHand).find((step) => step.number === number)?.parts ?? []
  return parts.map((part) => ({ script: part.script, text: textOf(part) }))
}

/** The lines, and before them whatever variable they use and do not set. */
function textOf({ lines }: Part): string {
  const text = lines.join("\n")
  const uses = (name: string) => new RegExp(String.raw`\$${name}\b`).test(text)
  return [...Object.entries(VARIABLES).flatMap(([name, definition]) => (uses(name) ? [definition] : [])), text].join(
    "\n",
  )
}

const byHand: Hand = {
  start: (component) => [...component.files.map(writes), ...reasonsOf(component), again(component)].join("\n"),
  again,
  kill: (components) => `kill -9 $(pidof ${components.map(({ binary }) => binary).join(" ")})`,
  registry: (component, pushes) =>
    [
      `# Images come from a registry on 127.0.0.1, which "npx byhand grade" starts and fills. In an empty machine of your own you do it:`,
      ...[`${commandOf(component).replaceAll(/\s*\\\n\s*/g, " ")} &`, ...pushes].map((line) => `#   ${line}`),
    ].join("\n"),
  waitFor,
}

function again(component: Component): string {
  return `${commandOf(component)} &\n${waitFor(isReady(component))}`
}

function waitFor(command: string): string {
  return `until ${command} >/dev/null 2>&1; do sleep 0.2; done`
}

/** kubectl brings along the CA and the token wherever its kubeconfig is. */
function isReady({ ready }: Component): string {
  if (ready.by === "command") return ready.argv.map(word).join(" ")
  return ready.tls
    ? `kubectl get --raw=${ready.path} --server=https://127.0.0.1:${ready.port}`
    : `curl -sf http://127.0.0.1:${ready.port}${ready.path}`
}
