// Watches which processes run certain programs. Some of them live for 30 ms only, so this runs on the machine: a look from
// outside would take as long.
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from "node:fs"
import type { Sight } from "./frames.mts"

/** Milliseconds between two looks. */
const INTERVAL = 5
/** A look may use at most one part in so many of the processor's time, however many processes there are. */
const SHARE = 10
/** How many looks search for the file that a process logs to through a pipe. */
const LOOKS_FOR_LOG = 100
/** Bytes that are compared at the beginning, in the middle and at the end of two programs. */
const COMPARED = 65_536

interface Watched {
  readonly path: string
  readonly identity: string
  readonly size: number
}

/** A process that runs a watched program. */
interface Live {
  readonly identity: string
  readonly pipe: string | undefined
  looks: number
}

/**
 * Reports each process that begins to run one of some programs, and its end. A copy of a program counts as the program.
 * @param programs their paths; a path that does not exist is ignored
 * @returns a function that ends the watch
 */
export function watch(programs: readonly string[], report: (sight: Sight) => void): () => void {
  const watched = programs.flatMap((path): Watched[] => {
    const about = statSync(path, { throwIfNoEntry: false })
    return about === undefined ? [] : [{ path, identity: `${about.dev}:${about.ino}`, size: about.size }]
  })
  const live = new Map<string, Live>()
  /** The program that a file is, by the identity of the file; "" if it is none of them. */
  const known = new Map(watched.map(({ identity, path }) => [identity, path]))
  let timer: NodeJS.Timeout | undefined

  const programOf = (pid: string): readonly [program: string, identity: string] | undefined => {
    const about = attempt(() => statSync(`/proc/${pid}/exe`, { throwIfNoEntry: false }))
    if (about === undefined) return undefined // It has ended.
    const identity = `${about.dev}:${about.ino}`
    const original = watched.find(({ size }) => size === about.size)
    if (!known.has(identity))
      known.set(identity, original !== undefined && isCopy(`/proc/${pid}/exe`, original) ? original.path : "")
    return [known.get(identity) ?? "", identity]
  }

  const look = () => {
    const began = performance.now()
    const pids = readdirSync("/proc").filter((name) => name >= "1" && name <= "9:")
    const now = new Set<string>()
    for (const pid of pids) {
      const [program = "", identity = ""] = programOf(pid) ?? []
      if (program === "") continue
      now.add(pid)
      const before = live.get(pid)
      if (before === undefined) {
        const sight = describe(pid, program)
        if (sight === undefined) now.delete(pid)
        else {
          live.set(pid, { identity, pipe: sight.stderr.startsWith("pipe:") ? sight.stderr : undefined, looks: 0 })
          report({ is: "seen", ...sight })
        }
      } else if (before.pipe !== undefined && before.looks++ < LOOKS_FOR_LOG) {
        const file = behindPipe(before.pipe, pids)
        if (file === undefined) continue
        live.set(pid, { ...before, pipe: undefined })
        report({ is: "logs", pid: Number(pid), stderr: file })
      }
    }
    for (const pid of live.keys())
      if (!now.has(pid)) {
        live.delete(pid)
        report({ is: "gone", pid: Number(pid), at: Date.now() })
      }
    timer = setTimeout(look, Math.max(INTERVAL, (performance.now() - began) * SHARE))
  }
  look()
  return () => clearTimeout(timer)
}

/** Everything about a process that cannot be read any more when it has ended. */
function describe(pid: string, program: string) {
  return attempt(() => {
    const words = (name: string) => readFileSync(`/proc/${pid}/${name}`, "utf8").split("\0").slice(0, -1)
    const argv = words("cmdline")
    if (argv.length === 0) return undefined // It is just ending.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return {
      pid: Number(pid),
      parent: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]),
      program,
      argv,
      env: words("environ"),
      cwd: readlinkSync(`/proc/${pid}/cwd`),
      stderr: attempt(() => readlinkSync(`/proc/${pid}/fd/2`)) ?? "",
      at: Date.now(),
    }
  })
}

/** The file to which a reader of a pipe writes, such as that of tee. */
function behindPipe(pipe: string, pids: readonly string[]): string | undefined {
  for (const pid of pids) {
    if (attempt(() => readlinkSync(`/proc/${pid}/fd/0`)) !== pipe) continue
    const targets = (attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? [])
      .filter((fd) => fd !== "0" && fd !== "2")
      .map((fd) => attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? "")
    // The file that tee writes comes after its standard output.
    const file = targets.toReversed().find((target) => target.startsWith("/") && !target.startsWith("/dev/"))
    if (file !== undefined) return file
  }
  return undefined
}

/** Whether a program has the content of another, as far as three parts of both show. */
function isCopy(path: string, { path: original, size }: Watched): boolean {
  const parts = (of: string) =>
    attempt(() => {
      const file = openSync(of, "r")
      const part = Buffer.alloc(3 * COMPARED)
      for (const [at, from] of [0, size / 2, size - COMPARED].entries())
        readSync(file, part, at * COMPARED, COMPARED, Math.max(0, Math.floor(from)))
      closeSync(file)
      return part
    })
  const own = parts(path)
  return own !== undefined && parts(original)?.equals(own) === true
}

/** The result of a look at a process; undefined if the process has ended meanwhile. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
