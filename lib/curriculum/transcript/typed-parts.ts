import type { Component } from "../../components/component.ts"
import { probeOfComponent } from "../../components/registry.ts"
import { asks, commandOf, definitionsFor, reasonsOf, withOther, word, writes } from "./bash.ts"
import type { MachineName } from "../../machines/network.ts"
import type { LessonSpec } from "../lesson-spec.ts"
import type { Hand } from "./hand.ts"

/** What to type for one part of a lesson. */
export interface TypedPart {
  /** The start script that it belongs to, without ".sh"; undefined if it starts nothing that keeps running. */
  readonly script: string | undefined
  /** The further machine on which it is typed; undefined for the first. */
  readonly on: MachineName | undefined
  /**
   * Lines for bash that run as they are printed: in the script, or at a prompt if there is none. Components run in the
   * background. The lines of a script end it when its component has exited, because then it never becomes ready.
   */
  readonly text: string
}

/**
 * What a person types in a lesson, in order.
 * @param script writes the lines of start scripts; by default as the workshop does
 */
export function typedParts({ parts }: LessonSpec, script: Hand = inScript): TypedPart[] {
  return parts.map((part) => ({
    script: part.script,
    on: part.on,
    text: withVariables(part.lines(part.script === undefined ? atPrompt : script)),
  }))
}

/** The lines. Before them come definitions of the variables that they use. */
function withVariables(lines: readonly string[]): string {
  return [...definitionsFor(lines), ...lines].join("\n")
}

const atPrompt = hand((command) => `until ${command} >/dev/null 2>&1; do sleep 0.2; done`)
/** The lines of the workshop in a start script. */
export const inScript = hand((command) => `until ${command} >/dev/null 2>&1; do kill -0 $! || exit 1; sleep 0.2; done`)

/** @param waitFor writes a loop that ends when a command succeeds */
function hand(waitFor: Hand["waitFor"]): Hand {
  const again = (component: Component) => `${commandOf(component)} &\n${waitFor(isReady(component))}`
  const kill: Hand["kill"] = (components) => {
    const programs = components.map(({ binary }) => binary).join(" ")
    // A process can have ended already. pidof does not show a process whose last threads still hold its port.
    return `PIDS=$(pidof ${programs}) && kill -9 $PIDS\nwhile kill -0 $PIDS 2>/dev/null; do sleep 0.1; done`
  }
  return {
    start: (component) => `${preparation(component)}\n${again(component)}`,
    again,
    kill,
    restart: (component, flag) =>
      [
        `mapfile -d '' words <"/proc/$(pidof ${component.binary})/cmdline"`,
        kill([component]),
        `${withOther("words", flag)} &`,
        waitFor(isReady(component)),
      ].join("\n"),
    registry: (component, pushes) =>
      [
        `# Images come from a registry on 127.0.0.1. "npx byhand grade" starts and fills it. In an empty machine, type this first:`,
        ...[`${commandOf(component).replaceAll(/\s*\\\n\s*/g, " ")} &`, ...pushes].map((line) => `#   ${line}`),
      ].join("\n"),
    given: ({ path }, title) => `# ${title} is in ${path.slice(1)}; 05-kubelet.sh has copied it.`,
    waitFor,
  }
}

/** The files of a component, and the reasons for its flags. */
export function preparation(component: Component): string {
  return [...component.files.map(writes), ...reasonsOf(component)].join("\n")
}

/** kubectl reads the CA and its credentials from its kubeconfig. etcd accepts only certificates of its own CA. */
function isReady(component: Component): string {
  const ready = probeOfComponent(component)
  if (ready.by === "command") return ready.argv.map(word).join(" ")
  if (ready.tls?.certificate !== undefined) return asks(ready)
  return ready.tls
    ? `kubectl get --raw=${ready.path} --server=https://${ready.host}:${ready.port}`
    : `curl -sf http://${ready.host}:${ready.port}${ready.path}`
}
