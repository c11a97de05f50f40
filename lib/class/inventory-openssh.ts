import { execFileSync } from "node:child_process"
import { existsSync, realpathSync } from "node:fs"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { messageOf, UsageError } from "../base/errors.ts"
import { plain } from "./plain.ts"
import { subjectSchema } from "./class-schema.ts"
import type { Inventory } from "./inventory.ts"
import { checked, textOf, type Origin } from "./origin.ts"

/** Milliseconds that ssh may take to read its configuration. */
const PATIENCE = 20_000

/**
 * The hosts of an OpenSSH configuration: each name after Host that has no wildcard. Only the names are read here. What
 * they mean is read by ssh itself, which gets the file, so that each of its options applies.
 * @throws UsageError with the line, also for what ssh does not accept
 */
export function readSshConfig(file: string): Inventory {
  const lines = new Map<string, number>()
  for (const [at, line] of textOf(file).split("\n").entries()) {
    const [, names = ""] = /^\s*Host(?:\s*=\s*|\s+)(.*)$/i.exec(line) ?? []
    for (const name of wordsIn(names)) if (!/[*?!]/.test(name) && !lines.has(name)) lines.set(name, at + 1)
  }
  const names = [...lines.keys()]
  const [first] = names
  if (first === undefined)
    throw new UsageError(
      `${file}, line 1: no Host in it has a name without wildcards.`,
      "Write a line Host NAME for each student; files that Include names are not searched.",
    )
  const origin: Origin = { file, lineOf: ([at]) => lines.get(names[Number(at)] ?? "") ?? 1 }
  const subjects = names.map((name, at) => checked(subjectSchema, { id: name, host: `ssh://${name}` }, origin, [at]))
  mustBeAccepted(file, first)
  return { subjects, origin, sshConfig: isOfUser(file) ? undefined : resolve(file) }
}

/** The words of a line; a word can be in double quotes, and # begins a comment. */
function wordsIn(text: string): string[] {
  const words: string[] = []
  for (const [word, quoted] of text.matchAll(/"([^"]*)"|[^\s"]+/g)) {
    if (word.startsWith("#")) break
    words.push(quoted ?? word)
  }
  return words
}

/** Whether ssh reads the file anyway. Then it also reads that of the system, which it does not if a file is given. */
function isOfUser(file: string): boolean {
  const own = join(homedir(), ".ssh", "config")
  return existsSync(own) && realpathSync(own) === realpathSync(file)
}

/** @throws UsageError with the first line that ssh does not accept */
function mustBeAccepted(file: string, host: string): void {
  try {
    execFileSync("ssh", ["-G", "-F", resolve(file), "--", host], {
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
      timeout: PATIENCE,
    })
  } catch (error) {
    const words = error instanceof Error && "stderr" in error && typeof error.stderr === "string" ? error.stderr : ""
    const [, line, problem] = /\bline (\d+): (.*?)\.*\s*$/m.exec(words) ?? []
    throw new UsageError(
      line === undefined
        ? `${file} is not accepted by ssh: ${plain(words.trim().split("\n")[0] || messageOf(error))}.`
        : `${file}, line ${line}: ssh does not accept it: ${plain(problem ?? "")}.`,
      "man ssh_config describes the options. Try: ssh -G -F FILE HOST",
      { cause: error },
    )
  }
}
