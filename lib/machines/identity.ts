import { readFileSync } from "node:fs"

const hasProc = process.platform === "linux"

/**
 * Who a process is: its number, when it started (in clock ticks since boot, proc(5) stat field 22), and in which boot.
 * A number alone is given again to somebody else.
 */
export function identify(pid: number): string {
  return `${pid} ${startTime(pid) ?? "gone"} ${bootId()}\n`
}

/** Whether the process that `identify` described still lives; one that has ended and that nobody has asked after does not. */
export function isAlive(identity: string): boolean {
  const [pid, start, boot] = identity.trim().split(" ")
  return boot === bootId() && start === startTime(Number(pid))
}

function bootId(): string {
  return hasProc ? readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() : "unknown"
}

function startTime(pid: number): string | undefined {
  try {
    if (!hasProc) return process.kill(pid, 0) ? "unknown" : undefined // Elsewhere the number has to do.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return state === "Z" || state === "X" ? undefined : fields[18]
  } catch {
    return undefined // No such process.
  }
}
