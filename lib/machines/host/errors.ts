import { RemediedError } from "../../base/errors.ts"
import { MachineError } from "../agent-machine.ts"
import { loginCommand, titleOf, type HostTarget } from "./target.ts"

/** A host could not be reached, or does not let this user look at it. */
export class HostError extends RemediedError {}

/** The connection to a host was lost. */
export class HostLostError extends MachineError {
  constructor(target: HostTarget) {
    super(
      `The connection to ${titleOf(target)} was lost.`,
      `Check that the host runs (${loginCommand(target)}), and grade it again.`,
      "EPIPE",
    )
  }
}

/**
 * The error for what ssh wrote when it could not log in: what is wrong, and what to type.
 * @param words the standard error of ssh
 */
export function loginError(target: HostTarget, words: string): HostError {
  const name = titleOf(target)
  const login = loginCommand(target)
  const host = target.kind === "ssh" ? target.host : "localhost"
  const known =
    target.kind === "ssh" && target.port !== undefined && target.port !== 22 ? `'[${host}]:${target.port}'` : host
  const has = (pattern: RegExp) => pattern.test(words)
  if (has(/REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed|IDENTIFICATION HAS CHANGED/))
    return new HostError(
      `${host} shows another host key than the one that is known, so nothing was sent to it.`,
      `If the host was installed again, compare its key with its owner, and forget the old one: ssh-keygen -R ${known}; then log in once: ${login}`,
    )
  if (has(/No .* host key is known for|Host key verification failed/))
    return new HostError(
      `The host key of ${host} is not known, so nothing was sent to it.`,
      `Log in once, and compare the key that is shown with its owner: ${login}`,
    )
  if (has(/Permission denied|Too many authentication failures/))
    return new HostError(
      `${host} does not let ${target.kind === "ssh" ? (target.user ?? "this user") : "this user"} log in without a question.`,
      `Use the right user, and a key that ssh finds or that ssh-agent holds (ssh-copy-id). Try: ${login}`,
    )
  if (has(/Could not resolve hostname/))
    return new HostError(`There is no host ${host}.`, `Check the name, and Host in ~/.ssh/config. Try: ${login}`)
  const last = words.trim().split("\n").at(-1)?.trim() ?? ""
  return new HostError(
    `${name} cannot be reached: ${last === "" ? "ssh ended without a word" : last.replace(/[.\r]+$/, "")}.`,
    `Try: ${login}`,
  )
}
