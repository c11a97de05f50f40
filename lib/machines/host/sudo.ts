import { execa } from "execa"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline/promises"
import { Writable } from "node:stream"
import { HostError } from "./errors.ts"
import type { HostLink } from "./link.ts"
import { titleOf } from "./target.ts"

/** The file with the password, in the folder of the login. */
const FILE = "sudo"
const ATTEMPTS = 3

/** Tells the password that sudo demands on a host. It is asked again if sudo refuses the answer. */
export type AskSecret = (host: string) => Promise<string>

/** The exit status is 0 if the user is root, or may become root without a password. */
const NEEDS_NONE = '[ "$(id -u)" = 0 ] || sudo -n sh -c : 2>/dev/null'

/**
 * sudo reads the password from standard input, and what it runs reads the rest. With -k it demands the password even if
 * it was given a moment ago: else the command would read it.
 */
const SUDO_WITH_PASSWORD = "sudo -k -S -p ''"

/**
 * The line that becomes the shell on a host, and what the line reads first: root's shell, if the user is root or may
 * become root.
 * @param password what sudo demands there; undefined if it demands none, or none is known
 */
export function rootShell(password: string | undefined): { readonly line: string; readonly input: string } {
  return password === undefined
    ? {
        line: 'if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then exec sudo -n sh; else exec sh; fi',
        input: "",
      }
    : { line: `exec ${SUDO_WITH_PASSWORD} sh`, input: `${password}\n` }
}

/**
 * Asks for the password of sudo on a host, if sudo there demands one. It is kept in a file of mode 0600, where
 * `sudoPassword` reads it in other processes of the run. After an empty answer the host is looked at without root.
 * @param folder the folder of the login, which only this user can enter
 * @throws HostError if sudo refuses three answers
 */
export async function askForSudo(link: HostLink, folder: string, ask: AskSecret): Promise<void> {
  if (await succeeds(link, NEEDS_NONE)) return
  const host = titleOf(link.target)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const password = await ask(host)
    if (password === "") return
    if (await succeeds(link, `exec ${SUDO_WITH_PASSWORD} sh -c :`, `${password}\n`)) {
      writeFileSync(join(folder, FILE), password, { mode: 0o600 })
      return
    }
  }
  throw new HostError(
    `sudo on ${host} has refused ${ATTEMPTS} passwords.`,
    "Log in there and try: sudo true. The user must be in the file sudoers, and the password is that user's own.",
  )
}

/** The password that a person has given for this login; undefined if none was needed or given. */
export function sudoPassword(folder: string): string | undefined {
  const path = join(folder, FILE)
  return existsSync(path) ? readFileSync(path, "utf8") : undefined
}

/**
 * Answers with the first line of a file. A password that is refused once is not tried again: hosts lock users out.
 * @throws HostError for the second question
 */
export function answerFrom(path: string): AskSecret {
  let isRefused = false
  return (host) => {
    if (isRefused)
      return Promise.reject(
        new HostError(
          `sudo on ${host} has refused the password in ${path}.`,
          "Correct the file that BYHAND_SUDO_FILE names. Without that setting, byhand asks on a terminal.",
        ),
      )
    isRefused = true
    return Promise.resolve(readFileSync(path, "utf8").split(/\r?\n/)[0] ?? "")
  }
}

/** Asks on the terminal, and does not show the answer. undefined if there is no terminal. */
export function terminalAsk(): AskSecret | undefined {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  return async (host) => {
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
    const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
    // In raw mode the terminal sends no signal for Ctrl-C.
    lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"))
    process.stderr.write(`sudo's password on ${host} (empty: look without root): `)
    try {
      return await lines.question("")
    } finally {
      lines.close()
      process.stderr.write("\n")
    }
  }
}

async function succeeds(link: HostLink, line: string, input = ""): Promise<boolean> {
  const [file = "", ...words] = link.shell(line)
  const { exitCode } = await execa(file, words, { input, reject: false, stdout: "ignore", stderr: "ignore" })
  return exitCode === 0
}
