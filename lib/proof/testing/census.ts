import { execa } from "execa"
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import { join } from "node:path"

/** The run whose traces the census looks for. */
export interface Suspect {
  /** The folder that contains the folders of its runs. Its processes have this path in their environment. */
  readonly runsDir: string
  /** The beginnings of the ids of its machines. No other run may use them. */
  readonly names: readonly string[]
  /** Other folders that only this run uses, such as the folder for temporary files. */
  readonly folders?: readonly string[]
}

/**
 * Everything that a run can leave on the host. Other runs can start and end at the same time. Their traces are not
 * counted.
 */
export interface Census {
  /** "PID COMMAND" of each process of the run, inside and outside the machine. */
  readonly processes: readonly string[]
  /** The namespaces of these processes, and the known namespaces that a process still uses. */
  readonly namespaces: readonly string[]
  readonly cgroups: readonly string[]
  /** Listening sockets of the host that belong to these processes. */
  readonly sockets: readonly string[]
  /** Folders of its runs. */
  readonly files: readonly string[]
  /** The files in the other folders of the run. */
  readonly temporary: readonly string[]
  /** The host's mounts whose line contains a name or folder of the run. */
  readonly mounts: readonly string[]
  /** The host's network links. */
  readonly links: string
  /** The host's nftables. */
  readonly tables: string
  /** The kernel settings that a kubelet changes. */
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
 * Counts everything that belongs to a run on the host.
 * @param known namespaces of an earlier census, which the census looks for again
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
    // The mounts of a container do not contain the run's folder or name, but its cgroup does. A machine of an ordinary
    // user has
    // no cgroup, but its mounts contain the folder.
    const cgroup = read(`/proc/${pid}/cgroup`)
    const belongs = [command, cgroup, read(`/proc/${pid}/environ`), read(`/proc/${pid}/mountinfo`)].some(ours)
    if (belongs) processes.set(Number(pid), command)
    // The kernel reuses the numbers of namespaces, mainly for other runs' machines and supervisors.
    else if (
      cgroup.includes("/byhand-") ||
      command.includes("/machines/supervisor.sh") ||
      command.includes("/machines/network.sh") ||
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

/**
 * The host's network links, without the bridges and veth links of Docker engines that other tests start and end at the
 * same time.
 */
async function networkLinks(): Promise<string> {
  const { stdout } = await execa("ip", ["-oneline", "link"])
  return stdout
    .split("\n")
    .filter((line) => !/^\d+: (byh\d+x\d+|veth[0-9a-f]{7})[:@]/.test(line))
    .map((line) => line.replace(/^\d+: /, ""))
    .join("\n")
}

/**
 * The listening sockets whose process belongs to the run. A socket without a process exists only for a moment, so it is
 * ignored.
 */
async function listeningSockets(isOurs: (pid: number) => boolean): Promise<string[]> {
  const { stdout } = await execa("ss", ["-tulnpH"])
  return stdout.split("\n").flatMap((line) => {
    // The width of a column depends on other lines.
    const [protocol, , , , address, , ...users] = line.trim().split(/\s+/)
    const holders = [...line.matchAll(/pid=(\d+)/g)].map(([, pid]) => Number(pid))
    return holders.some(isOurs) ? [`${protocol} ${address} ${users.join(" ")}`] : []
  })
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return "" // The process has ended in the meantime, or this process is not allowed to read the file.
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
