import type { ToolName } from "../binaries/versions.ts"
import type { ComponentName } from "./registry.ts"

export type { ComponentName } from "./registry.ts"

/** One flag of a command line. `why` is given for each flag that the workshop does not type, but that today's versions or this course need. */
export interface Flag {
  readonly flag: string
  readonly value?: string
  readonly why?: string
}

/** A file that must exist before the process starts. */
export interface ComponentFile {
  readonly path: string
  readonly content: string
  /** 0600 for a file that holds a secret. */
  readonly mode?: number
}

/** A command that completes the start of a component once that is ready. */
export interface Completion {
  readonly argv: readonly string[]
  /** What has failed where the command fails, as the beginning of a sentence. */
  readonly problem: string
  readonly remedy: string
}

/** A component as data: what to write, what to start, what to run then. It can be printed; nothing runs. */
export interface Component {
  readonly name: ComponentName
  readonly binary: ToolName
  /** Words between the binary and its flags. */
  readonly subcommand?: readonly string[]
  readonly flags: readonly Flag[]
  readonly files: readonly ComponentFile[]
  /** What to run once it is ready; nothing by default. */
  readonly completion?: readonly Completion[]
}

/** Flags to change on a command line: null removes a flag, "" sets one without a value. */
export type FlagChanges = Readonly<Record<string, string | null>>

/** The command line as words. */
export function argvOf(component: Component): string[] {
  return [
    component.binary,
    ...(component.subcommand ?? []),
    ...component.flags.map(({ flag, value }) => (value === undefined ? flag : `${flag}=${value}`)),
  ]
}

/** A component with other flags. */
export function withFlags(component: Component, changes: FlagChanges): Component {
  return {
    ...component,
    flags: [
      ...component.flags.filter(({ flag }) => !(flag in changes)),
      ...Object.entries(changes).flatMap(([flag, value]) =>
        value === null ? [] : [value === "" ? { flag } : { flag, value }],
      ),
    ],
  }
}

/** Where a component's output goes on its machine. */
export function logOf(name: ComponentName): string {
  return `/var/log/byhand/${name}.log`
}
