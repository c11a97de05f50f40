import { execa } from "execa"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { constants } from "node:os"
import { RemediedError } from "../errors.ts"
import { ENVIRONMENT } from "../machine/agent-machine.ts"
import { isAlive } from "../machine/identity.ts"
import { DROP_CAPABILITIES } from "../machine/sandbox.ts"
import { nameOf, settingsOf, type CommonOptions } from "./options.ts"
import { theRun } from "./runs.ts"

/** The machine's first process is not to be found. */
class NoMachineError extends RemediedError {}

/**
 * A shell inside a machine, on this terminal, or one command where words are given.
 * @returns its exit status
 */
export async function shell(words: readonly string[], options: CommonOptions): Promise<number> {
  const { machine, folder } = await theRun(settingsOf(options), nameOf(options))
  const target = ["--target", await firstProcess(folder), "--mount", "--uts", "--ipc", "--net", "--pid", "--root"]
  const nsenter = machine.privileged
    ? [...(process.getuid?.() === 0 ? [] : ["sudo"]), "nsenter", ...target, "--cgroup"]
    : ["nsenter", ...target, "--user", "--preserve-credentials"]
  const environment = Object.entries({ ...ENVIRONMENT, TERM: process.env["TERM"] ?? "dumb" }).map(([name, value]) => `${name}=${value}`)
  const command = words.length > 0 ? words : ["sh", "-c", "command -v bash >/dev/null && exec bash || exec sh"]
  const ignore = () => undefined
  process.on("SIGINT", ignore).on("SIGQUIT", ignore) // Ctrl-C is for what runs in there.
  // Whoever comes in from outside has no more powers than who is inside already: those in there could take them over.
  const [file = "", ...args] = [...nsenter, "env", "-i", ...environment, "sh", "-c", await readFile(DROP_CAPABILITIES, "utf8"), "sh", "sh", "-c", 'cd && exec "$@"', "sh", ...command]
  const { exitCode, signal } = await execa(file, args, { stdio: "inherit", reject: false })
  return exitCode ?? (signal === undefined ? 1 : 128 + constants.signals[signal])
}

/** The process that has number 1 inside, by its number out here. @throws NoMachineError */
async function firstProcess(folder: string): Promise<string> {
  const identity = await readFile(join(folder, "init"), "utf8")
  const outer = identity.split(" ")[0] ?? "" // unshare, which waits for the first process.
  const children = isAlive(identity) ? await readFile(`/proc/${outer}/task/${outer}/children`, "utf8") : ""
  const first = children.split(" ")[0]
  if (first === undefined || first === "") throw new NoMachineError(`The machine in ${folder} has ended.`, "Start it again with: npx byhand up")
  return first
}
