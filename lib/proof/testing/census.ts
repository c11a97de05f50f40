import { execa } from "execa"
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import { join } from "node:path"

/** Whose traces are looked for. */
export interface Suspect {
  /** Where its runs have their folders: also what tells its processes, which have it in their environment. */
  readonly runsDir: string
  /** How the ids of its machines begin, unlike those of any other. */
  readonly names: readonly string[]
  /** Folders of its own, such as the one for temporary files. */
  readonly folders?: readonly string[]
}

/** What a run could leave on the host. Other runs may come and go meanwhile: what is theirs is not counted. */
export interface Census {
  /** "PID COMMAND" of each process of the run, in the machine or beside it. */
  readonly processes: readonly string[]
  /** Namespaces of those processes, and those that were given as known and are still held by somebody. */
  readonly namespaces: readonly string[]
  readonly cgroups: readonly string[]
  /** Listening sockets of the host that those processes hold. */
  readonly sockets: readonly string[]
  /** Folders of its runs. */
  readonly files: readonly string[]
  /** What lies in the other folders of its own. */
  readonly temporary: readonly string[]
  /** The host's mounts that name the run, and its network links and nftables. */
  readonly mounts: readonly string[]
  readonly links: string
  readonly tables: string
  /** The kernel's settings that a kubelet changes. */
  readonly settings: readonly string[]
}

const KUBELET_SETTINGS = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
]
const KINDS = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]

/**
 * Counts what belongs to a run on the host.
 * @param known namespaces of an earlier census to look for once more
 */
export async function census(
  { runsDir, names, folders = [] }: Suspect,
  known: readonly string[] = [],
): Promise<Census> {
  const groups = names.map((name) => `byhand-${name}`)
  const ours = (text: string) => text.includes(runsDir) || groups.some((group) => text.includes(group))
  const processes = new Map<number, string>()
  const held = new Set<string>()
  const others = new Set<string>()
  const own = new Set(namespacesOf("self"))
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)) {
    const namespaces = namespacesOf(pid)
    const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()
    // A container's own mounts name neither, but its cgroup does; a machine of an ordinary user has no cgroup, but its mounts do.
    const cgroup = read(`/proc/${pid}/cgroup`)
    const belongs = [command, cgroup, read(`/proc/${pid}/environ`), read(`/proc/${pid}/mountinfo`)].some(ours)
    if (belongs) processes.set(Number(pid), command)
    // Numbers of namespaces are used again, by the machines of other runs and their supervisors above all.
    else if (
      cgroup.includes("/byhand-") ||
      command.includes("/machines/supervisor.sh") ||
      command.startsWith("dockerd ") ||
      command.includes("/engine-")
    )
      for (const namespace of namespaces) if (!own.has(namespace)) others.add(namespace)
    for (const namespace of namespaces)
      if ((belongs && !own.has(namespace)) || known.includes(namespace)) held.add(namespace)
  }
  return {
    processes: [...processes].map(([pid, command]) => `${pid} ${command}`),
    namespaces: [...held].filter((namespace) => !others.has(namespace)).toSorted(),
    cgroups: cgroupRoots().flatMap((root) =>
      readdirSync(root)
        .filter((folder) => groups.some((group) => folder.startsWith(group)))
        .map((folder) => join(root, folder)),
    ),
    sockets: await listeningSockets((holder) => processes.has(holder)),
    files: existsSync(runsDir) ? readdirSync(runsDir) : [],
    temporary: folders.flatMap((folder) => readdirSync(folder).map((file) => join(folder, file))),
    mounts: read("/proc/self/mountinfo").split("\n").filter(ours),
    links: await networkLinks(),
    tables: (await execa("nft", ["list", "tables"], { reject: false })).stdout ?? "",
    settings: KUBELET_SETTINGS.map((key) => `${key} ${read(`/proc/sys/${key}`).trim()}`),
  }
}

/** All but the bridges of engines of our own, which other tests start and end meanwhile, and what is plugged into them. */
async function networkLinks(): Promise<string> {
  const { stdout } = await execa("ip", ["-oneline", "link"])
  return stdout
    .split("\n")
    .filter((line) => !/^\d+: (byh\d+x\d+|veth[0-9a-f]{7})[:@]/.test(line))
    .map((line) => line.replace(/^\d+: /, ""))
    .join("\n")
}

/** Without a process that holds it there is no socket, except for a moment while others start or end. */
async function listeningSockets(isOurs: (pid: number) => boolean): Promise<string[]> {
  const { stdout } = await execa("ss", ["-tulnpH"])
  return stdout.split("\n").flatMap((line) => {
    const [protocol, , , , address, , ...users] = line.trim().split(/\s+/) // How wide a column is depends on other lines.
    const holders = [...line.matchAll(/pid=(\d+)/g)].map(([, pid]) => Number(pid))
    return holders.some(isOurs) ? [`${protocol} ${address} ${users.join(" ")}`] : []
  })
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return "" // The process has ended in the meantime, or keeps it to itself.
  }
}

function namespacesOf(pid: string): string[] {
  return KINDS.flatMap((kind) => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/${kind}`)]
    } catch {
      return []
    }
  })
}

function cgroupRoots(): string[] {
  const root = "/sys/fs/cgroup"
  if (existsSync(join(root, "cgroup.controllers"))) return [root]
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(root, name))
}
