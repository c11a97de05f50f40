import { UsageError } from "../../base/errors.ts"
import { quote } from "../../base/shell.ts"

/** A running host that is looked at: this one, or one that OpenSSH's client reaches. */
export type HostTarget = { readonly kind: "local" } | SshTarget

/** A host that OpenSSH's client reaches. */
export interface SshTarget {
  readonly kind: "ssh"
  /** A host name or address, or an alias in the user's ssh configuration. */
  readonly host: string
  /** undefined: the one of the ssh configuration. */
  readonly user: string | undefined
  readonly port: number | undefined
  /** The OpenSSH configuration that is used instead of those of the user and of the system. */
  readonly config: string | undefined
}

/** How a host is written. A name that begins with a hyphen would be an option of ssh. */
export const HOST_TARGET =
  /^(?:local|ssh:\/\/(?:([\w.][\w.-]*)@)?([\w.][\w.-]*|\[[\da-fA-F:.]+(?:%\w+)?\])(?::(\d{1,5}))?\/?)$/

/** Whether a word on the command line names a host, not a folder. */
export function isHostTarget(word: string): boolean {
  return word === "local" || word.startsWith("ssh://")
}

/**
 * Reads "local" or "ssh://[USER@]HOST[:PORT]".
 * @param config an OpenSSH configuration that is used instead of those of the user and of the system
 * @throws UsageError
 */
export function parseHostTarget(word: string, config?: string): HostTarget {
  const target = hostTargetIn(word, config)
  if (target !== undefined) return target
  throw new UsageError(
    `${word} names no host.`,
    "Write local, or ssh://USER@HOST:PORT, where USER and PORT are optional.",
  )
}

/** The same; undefined if the word names no host. */
export function hostTargetIn(word: string, config?: string): HostTarget | undefined {
  if (word === "local") return { kind: "local" }
  const [, user, name, port] = HOST_TARGET.exec(word) ?? []
  if (name === undefined || Number(port ?? 22) > 65_535 || Number(port ?? 22) === 0) return undefined
  return {
    kind: "ssh",
    host: name.replace(/^\[(.*)\]$/, "$1"),
    user,
    port: port === undefined ? undefined : Number(port),
    config,
  }
}

/** How a person names the target in a command: this host, or user@host. */
export function titleOf(target: HostTarget): string {
  if (target.kind === "local") return "this host"
  return `${target.user === undefined ? "" : `${target.user}@`}${target.host}`
}

/** The command with which a person logs in to the target. */
export function loginCommand(target: HostTarget): string {
  if (target.kind === "local") return "sh"
  const { config } = target
  return `ssh ${config === undefined ? "" : `-F ${quote([config])} `}${target.port === undefined ? "" : `-p ${target.port} `}${titleOf(target)}`
}
