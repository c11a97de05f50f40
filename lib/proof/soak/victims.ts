import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { specs } from "../../components/registry.ts"
import { isAlive } from "../../machines/identity.ts"

/**
 * The role of a process in a run. The launcher waits outside a machine for the machine's first process. The network
 * contains the bridge between the machines of a run.
 */
export type ProcessRole = "runner" | "worker" | "supervisor" | "network" | "launcher" | "machine" | "component"

/** The places where a run's processes are found. */
export interface Scene {
  /** The process group of the command. */
  readonly group: number
  /** The folders of the run's machines. */
  readonly machines: readonly string[]
}

interface Process {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly name: string
  readonly argv: readonly string[]
}

/** The names of a cluster's processes. The kernel truncates names after 15 characters. */
const PROCESSES = [...specs.map(({ program }) => program), "containerd-shim", "nginx"].map((name) => name.slice(0, 15))

/** The PIDs of the processes that have a role at this moment. */
export function find(role: ProcessRole, { group, machines }: Scene): number[] {
  const all = processes()
  const runners = all.filter((one) => one.group === group && /\/\.bin\/(vitest|byhand)$/.test(one.argv[1] ?? ""))
  const launchers = machines.flatMap(placesOf).flatMap((place) => ownerOf(join(place, "init")))
  const unshares = all.filter(({ pid, name }) => launchers.includes(pid) && name === "unshare")
  const firsts = all.filter(({ parent }) => unshares.some(({ pid }) => pid === parent))
  const below = (pid: number): Process[] =>
    all.filter(({ parent }) => parent === pid).flatMap((child) => [child, ...below(child.pid)])
  switch (role) {
    case "runner":
      return runners.map(({ pid }) => pid)
    case "worker":
      return all
        .filter((one) => one.argv[0] === process.execPath && runners.some(({ pid }) => pid === one.parent))
        .map(({ pid }) => pid)
    case "supervisor":
      return machines.flatMap((folder) => ownerOf(join(folder, "supervisor")))
    case "network":
      return all
        .filter(
          ({ argv }) => argv[1]?.endsWith("/network.sh") === true && machines.some((one) => argv[2]?.startsWith(one)),
        )
        .map(({ pid }) => pid)
    case "launcher":
      return launchers
    case "machine":
      return firsts.map(({ pid }) => pid)
    case "component":
      return firsts
        .flatMap(({ pid }) => below(pid))
        .filter(({ name }) => PROCESSES.includes(name))
        .map(({ pid }) => pid)
  }
}

/** The folders with the files of each machine of a run. */
function placesOf(folder: string): string[] {
  const further = join(folder, "machines")
  return [folder, ...(existsSync(further) ? readdirSync(further).map((name) => join(further, name)) : [])]
}

/** The PID of the process that a file in a run's folder identifies, if that process still runs. */
function ownerOf(path: string): number[] {
  try {
    const identity = readFileSync(path, "utf8")
    return isAlive(identity) ? [Number(identity.split(" ")[0])] : []
  } catch {
    return [] // The file does not exist yet, or it was removed.
  }
}

function processes(): Process[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, "utf8") // "PID (NAME) STATE PARENT GROUP …"
        const [, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
        return [
          {
            pid: Number(entry),
            parent: Number(parent),
            group: Number(group),
            name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")),
            argv: readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0"),
          },
        ]
      } catch {
        return [] // The process has ended in the meantime.
      }
    })
}
