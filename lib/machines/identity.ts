import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { packageRoot } from "../base/settings.ts"
import { ENVIRONMENT } from "./environment.ts"

/** Other systems have no /proc, so only the pid identifies a process there. */
const isLinux = process.platform === "linux"

/**
 * Identifies a process so that it cannot be confused with a later one that gets the same pid (PID reuse): its pid, its
 * start time and the boot. The rule is in processes.sh, which the supervisor of a machine uses too.
 * @returns one line, with its newline
 */
export function identify(pid: number): string {
  if (!isLinux) return `${pid} ${runs(pid) ? "unknown" : "gone"} unknown\n`
  return inShell("identify", [String(pid)])
}

/** Whether the process that `identify` described still runs. A zombie does not run. */
export function isAlive(identity: string): boolean {
  const words = identity.trim().split(" ")
  if (words.length !== 3) return false
  if (!isLinux) return words[1] === "unknown" && runs(Number(words[0]))
  try {
    inShell("is_alive", words)
    return true
  } catch {
    return false
  }
}

/** Calls a function of processes.sh. @returns what it prints @throws if its exit status is not 0 */
function inShell(name: "identify" | "is_alive", words: readonly string[]): string {
  const library = join(packageRoot, "lib", "machines", "processes.sh")
  const script = '. "$1"; shift; "$@"'
  return execFileSync("/bin/sh", ["-c", script, "sh", library, name, ...words], {
    env: { PATH: ENVIRONMENT.PATH },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  })
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false // No such process.
  }
}
