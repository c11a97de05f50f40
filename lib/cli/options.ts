import { releaseFor } from "../binaries/versions.ts"
import { UsageError } from "../base/errors.ts"
import { readSettings, type Settings } from "../base/settings.ts"

/** The options of every command. */
export interface CommonOptions {
  readonly kubernetes?: string
  readonly name?: string
  readonly json?: boolean
  /** The kind of a new machine. */
  readonly machine?: string
}

/** The options of commands for a running cluster. */
export interface ClusterOptions extends CommonOptions {
  /** The machine of the last `byhand watch` or `byhand grade --keep`. */
  readonly last?: boolean
}

/** The options of byhand shell. */
export interface ShellOptions extends ClusterOptions {
  /** The name of a further machine; the first by default. */
  readonly on?: string
}

/** What a command prints, and its exit status: 0 success, 1 something failed. */
export interface Outcome {
  /** For people. */
  readonly text: string
  /** The same for programs. */
  readonly data: unknown
  readonly exitCode?: number
}

const DEFAULT_NAME = "byhand"

/**
 * The settings from the environment. Options of the command line take precedence.
 * @throws UsageError, also for an unknown version of Kubernetes
 */
export function settingsOf({ kubernetes, machine }: CommonOptions): Settings {
  const settings = readSettings({
    ...process.env,
    ...(kubernetes === undefined ? {} : { BYHAND_KUBERNETES: kubernetes }),
    ...(machine === undefined ? {} : { BYHAND_MACHINE: machine }),
  })
  releaseFor(settings.kubernetes)
  return settings
}

/**
 * The name of the cluster, which is also the host name of its machine.
 * @throws UsageError if it cannot be a host name
 */
export function nameOf({ name = DEFAULT_NAME }: CommonOptions): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new UsageError(
      `--name ${name} cannot be a host name.`,
      "Use up to 32 lowercase letters, digits and hyphens; begin and end with a letter or digit.",
    )
  }
  return name
}

/** The command line to type for this cluster. */
export function typed(command: string, name: string): string {
  const [verb = "", ...rest] = command.split(" ")
  return ["npx byhand", verb, ...(name === DEFAULT_NAME ? [] : ["--name", name]), ...rest].join(" ")
}
