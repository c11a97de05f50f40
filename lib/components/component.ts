import type { ToolName } from "../binaries/versions.ts"
import type { ComponentName } from "./registry.ts"

export type { ComponentName } from "./registry.ts"

/**
 * One flag of a command line. `why` is set for each flag that the original workshop does not use, but that current
 * versions or this course need.
 */
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

/** A command that runs before a component starts, or when it is ready and completes its start. */
export interface Completion {
  readonly argv: readonly string[]
  /** What it means if the command fails, as a clause. */
  readonly problem: string
  readonly remedy: string
}

/**
 * A line for a POSIX shell that completes a start.
 * @param problem what it means if the line fails, as a clause
 * @param env variables that the line needs
 * @param within seconds after which it is ended; it is not ended by default
 */
export function shellLine(
  line: string,
  problem: string,
  env: Readonly<Record<string, string>>,
  within?: number,
): Completion {
  const set = Object.entries(env).map((variable) => variable.join("="))
  const limit = within === undefined ? [] : ["timeout", String(within)]
  return { argv: ["env", ...set, ...limit, "sh", "-ec", line], problem, remedy: `Run it yourself: ${line}` }
}

/** A component as data: the files to write, the process to start and the commands to run after that. */
export interface Component {
  readonly name: ComponentName
  readonly binary: ToolName
  /** The words between the binary and its flags. */
  readonly subcommand?: readonly string[]
  readonly flags: readonly Flag[]
  readonly files: readonly ComponentFile[]
  /** The commands to run before each start, when its files are there; none by default. */
  readonly preparation?: readonly Completion[]
  /** The commands to run when it is ready; none by default. */
  readonly completion?: readonly Completion[]
}

/** Changes of flags on a command line: null removes a flag, "" sets a flag without a value. */
export type FlagChanges = Readonly<Record<string, string | null>>

/** The command line of a component, as a list of words. */
export function argvOf(component: Component): string[] {
  return [
    component.binary,
    ...(component.subcommand ?? []),
    ...component.flags.map(({ flag, value }) => (value === undefined ? flag : `${flag}=${value}`)),
  ]
}

/** A copy of a component with changed flags. */
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

/** The path of a component's log file on its machine. */
export function logOf(name: ComponentName): string {
  return `/var/log/byhand/${name}.log`
}
