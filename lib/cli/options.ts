import { releaseFor } from "../binaries/versions.ts"
import { UsageError } from "../base/errors.ts"
import { readSettings, type Settings } from "../base/settings.ts"

/** What every command takes. */
export interface CommonOptions {
  readonly kubernetes?: string
  readonly name?: string
  readonly json?: boolean
  /** What a new machine is made of. */
  readonly machine?: string
}

/** What a command says, and how it ended: 0 fine, 1 something failed. */
export interface Outcome {
  /** For people. */
  readonly text: string
  /** The same for programs. */
  readonly data: unknown
  readonly exitCode?: number
}

const DEFAULT_NAME = "byhand"

/** The settings of the environment, with what the command line says over them. @throws UsageError, for a version that nobody serves too */
export function settingsOf({ kubernetes, machine }: CommonOptions): Settings {
  const settings = readSettings({
    ...process.env,
    ...(kubernetes === undefined ? {} : { BYHAND_KUBERNETES: kubernetes }),
    ...(machine === undefined ? {} : { BYHAND_MACHINE: machine }),
  })
  releaseFor(settings.kubernetes)
  return settings
}

/** The cluster's name, which is its machine's host name too. @throws UsageError where it cannot be one */
export function nameOf({ name = DEFAULT_NAME }: CommonOptions): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new UsageError(
      `--name ${name} cannot be a host name.`,
      "Use up to 32 small letters, digits and hyphens, and begin and end with a letter or digit.",
    )
  }
  return name
}

/** The command as a person would type it for this cluster. */
export function typed(command: string, name: string): string {
  const [verb = "", ...rest] = command.split(" ")
  return ["npx byhand", verb, ...(name === DEFAULT_NAME ? [] : ["--name", name]), ...rest].join(" ")
}
