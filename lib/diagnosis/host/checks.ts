import { execa } from "execa"
import { existsSync } from "node:fs"
import { readdir, readFile, statfs } from "node:fs/promises"
import { release } from "node:os"
import { dirname } from "node:path"
import { architecture } from "../../binaries/architecture.ts"
import { supportOf } from "../../binaries/support.ts"
import { knownVersions } from "../../binaries/versions.ts"
import { problemOf } from "../../base/errors.ts"
import type { MachineFeature } from "../../components/spec.ts"
import { mayLowerOomScore } from "../../machines/capabilities.ts"
import { refusedBy } from "../../machines/container/capabilities.ts"
import type { Engine } from "../../machines/container/engine.ts"
import { has, imageOf } from "../../machines/container/image.ts"
import { tried, triedWithin, type Trial } from "../../machines/namespaces.ts"
import type { Privilege } from "../../base/privilege.ts"
import type { Kind } from "../../machines/provider.ts"
import type { Settings } from "../../base/settings.ts"

/** What a check examines. */
export interface Host {
  readonly settings: Settings
  /** The strongest privilege that is available without a password. */
  readonly privilege: Privilege
  /** The container engine; rejects if there is none. */
  readonly engine: Promise<Engine>
}

/** Something that a host needs, as data with a remedy. */
export interface Check {
  readonly id: string
  readonly title: string
  /**
   * What cannot run in full without it: every lesson, the lessons that require a feature of the machine, or none, if it
   * only helps.
   */
  readonly neededFor: "every lesson" | MachineFeature | "no lesson"
  /** The kind of machine that needs it; every kind by default. */
  readonly only?: Kind
  /** Whether nothing is limited without it here, because something else does the same. */
  readonly isOptional?: boolean
  /** What to do if the check fails. */
  readonly remedy: string
  /** Whether the check passes (undefined: it has no result), and what was found, as text. */
  readonly look: (host: Host) => Promise<{ readonly ok: boolean | undefined; readonly found: string }>
}

const GIB = 2 ** 30

const NO_ENGINE = { ok: undefined, found: "there is no engine to ask" }

export const checks: readonly Check[] = [
  {
    id: "node",
    title: "Node.js",
    neededFor: "every lesson",
    remedy: "Install Node.js 20.19 or newer.",
    look: () =>
      Promise.resolve({
        ok: process.versions.node.localeCompare("20.19.0", "en", { numeric: true }) >= 0,
        found: process.version,
      }),
  },
  {
    id: "kubernetes",
    title: "Kubernetes",
    neededFor: "no lesson",
    remedy: `Choose a version that still gets fixes, one of ${knownVersions.join(", ")}: --kubernetes, or BYHAND_KUBERNETES.`,
    look: ({ settings: { kubernetes } }) => {
      const { phase, text } = supportOf(kubernetes)
      return Promise.resolve({ ok: phase !== "ended", found: `${kubernetes}, ${text}` })
    },
  },
  {
    id: "privilege",
    only: "sandbox",
    title: "privilege",
    neededFor: "containers",
    remedy: "Run as root, or with sudo that needs no password. Typing sudo -v beforehand works too.",
    look: ({ privilege }) =>
      Promise.resolve({
        ok: privilege !== "user",
        found: privilege === "user" ? "neither root nor sudo: a user namespace" : privilege,
      }),
  },
  {
    id: "user-namespaces",
    only: "sandbox",
    title: "user namespaces",
    neededFor: "no lesson",
    remedy:
      "Only needed without root: sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 user.max_user_namespaces=10000",
    look: async () => {
      const works = await tried(["unshare", "--user", "--map-root-user", "mount", "--version"])
      return {
        ok: works.ok,
        found: works.ok ? "can be made" : `cannot be made: ${works.found}${await limitsOnUserNamespaces()}`,
      }
    },
  },
  {
    id: "namespaces",
    only: "sandbox",
    title: "namespaces",
    neededFor: "every lesson",
    remedy:
      "Use a kernel with namespaces. In a container, give the container every capability and seccomp=unconfined, or run outside of it.",
    look: async (host) => within(host, "mount -t tmpfs tmpfs /tmp", "pid, mount, net, uts, ipc: can be made"),
  },
  {
    id: "overlay",
    only: "sandbox",
    title: "overlay file system",
    neededFor: "every lesson",
    remedy: "Load it: modprobe overlay",
    look: async (host) =>
      host.privilege === "user"
        ? { ok: true, found: "not needed without root" }
        : within(
            host,
            "mount -t tmpfs tmpfs /tmp && cd /tmp && mkdir lower upper work all && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work all",
            "can be mounted",
          ),
  },
  {
    id: "veth",
    only: "sandbox",
    title: "veth links",
    neededFor: "every lesson",
    remedy: "Load it: modprobe veth",
    look: async (host) => within(host, "ip link add left type veth peer name right", "can be made"),
  },
  {
    id: "bridge",
    only: "sandbox",
    title: "bridge links",
    neededFor: "containers",
    remedy: "Load it: modprobe bridge",
    look: async (host) => within(host, "ip link add bridge0 type bridge", "can be made"),
  },
  {
    id: "cgroups",
    only: "sandbox",
    title: "cgroups",
    neededFor: "containers",
    remedy:
      "Enable the controllers cpu, cpuset, memory and pids in the kernel (on some boards with cgroup_enable=memory on its command line).",
    look: cgroups,
  },
  {
    id: "cap-sys-resource",
    only: "sandbox",
    title: "CAP_SYS_RESOURCE",
    neededFor: "no lesson",
    remedy: "",
    look: async ({ privilege }) => {
      if (privilege === "user") return { ok: true, found: "not needed without root" }
      const status =
        privilege === "sudo"
          ? (await execa("sudo", ["-n", "cat", "/proc/self/status"])).stdout
          : await readFile("/proc/self/status", "utf8")
      return {
        ok: true,
        found:
          mayLowerOomScore(status) === true
            ? "available"
            : "not available: containerd is configured with restrict_oom_score_adj",
      }
    },
  },
  {
    id: "tools",
    only: "sandbox",
    title: "tools",
    neededFor: "every lesson",
    remedy: "Install them; on Debian: apt-get install util-linux iproute2 mount findutils grep hostname",
    look: () =>
      onPath([
        "unshare",
        "nsenter",
        "setpriv",
        "setsid",
        "mount",
        "pivot_root",
        "ip",
        "ss",
        "find",
        "grep",
        "hostname",
      ]),
  },
  {
    id: "openssl",
    only: "sandbox",
    title: "openssl",
    neededFor: "every lesson",
    remedy: "Install OpenSSL 3; on Debian: apt-get install openssl",
    look: async () => {
      const { stdout, failed } = await execa("openssl", ["version"], { reject: false })
      return failed
        ? { ok: false, found: "not found" }
        : { ok: Number(/\d+/.exec(stdout)?.[0]) >= 3, found: stdout.split(" (")[0] ?? "" }
    },
  },
  {
    id: "engine-beside",
    only: "sandbox",
    title: "container engine",
    neededFor: "no lesson",
    isOptional: true,
    remedy: "Only needed if no sandbox can be made, or for --machine container.",
    look: async ({ engine }) =>
      engine.then(
        ({ description }) => ({ ok: true, found: description }),
        (error: unknown) => ({ ok: false, found: `none: ${problemOf(error)}` }),
      ),
  },
  {
    id: "engine",
    only: "container",
    title: "container engine",
    neededFor: "every lesson",
    remedy: "Start Docker, Docker Desktop or Podman, or name one in DOCKER_HOST.",
    look: async ({ engine }) =>
      engine.then(
        ({ description }) => ({ ok: true, found: description }),
        (error: unknown) => ({ ok: false, found: problemOf(error) }),
      ),
  },
  {
    id: "engine-binaries",
    only: "container",
    title: "its architecture",
    neededFor: "every lesson",
    remedy: `Use an engine for ${architecture}: binaries are found or built for this host's.`,
    look: async ({ engine: found }) => {
      const engine = await found.catch(() => undefined)
      return engine === undefined ? NO_ENGINE : { ok: engine.architecture === architecture, found: engine.architecture }
    },
  },
  {
    id: "engine-grants",
    only: "container",
    title: "what it grants",
    neededFor: "containers",
    remedy:
      "Use an engine that runs as root and grants them: containers in the machine need to mount file systems and to create networks.",
    look: async ({ engine: found, settings }) => {
      const engine = await found.catch(() => undefined)
      if (engine === undefined) return NO_ENGINE
      if (engine.isRootless) return { ok: false, found: "it is rootless" }
      const image = await imageOf(settings)
      if (!(await has(engine, image)))
        return { ok: undefined, found: "known after the first run, which makes the image of the machine" }
      const refused = await refusedBy(engine, image, {})
      return {
        ok: refused.length === 0,
        found: refused.length === 0 ? "every capability that is requested" : `refused: ${refused.join(", ")}`,
      }
    },
  },
  {
    id: "curl",
    title: "curl",
    neededFor: "no lesson",
    remedy: "Only byhand transcript needs it; on Debian: apt-get install curl",
    look: () => onPath(["curl"]),
  },
  {
    id: "sources",
    title: "sources of binaries",
    neededFor: "no lesson",
    remedy:
      "Without Go and apt-get, every binary must come from the official releases, from a mirror of them (BYHAND_MIRROR), or from a folder (BYHAND_BIN_DIR).",
    look: async ({ settings }) => {
      const go = await execa("go", ["env", "GOVERSION"], { reject: false })
      const apt = await onPath(["apt-get", "dpkg-deb"])
      const kept = await readdir(`${settings.cacheDir}/bin`).catch(() => [])
      const found = [
        ...(settings.binDir === undefined ? [] : [settings.binDir]),
        ...(kept.length > 0 ? ["the cache"] : []),
        ...(go.failed ? [] : [`Go modules (${go.stdout})`]),
        ...(apt.ok ? ["Debian packages"] : []),
      ]
      return { ok: found.length > 0 ? true : undefined, found: [...found, "official releases"].join(", ") }
    },
  },
  {
    id: "memory",
    title: "free memory",
    neededFor: "containers",
    remedy: "Free some memory: the cluster needs 1.5 GiB, and builds from Go modules need 3 GiB.",
    look: async () => {
      const available = Number(/^MemAvailable:\s+(\d+)/m.exec(await readFile("/proc/meminfo", "utf8"))?.[1]) * 1024
      return { ok: available >= 1.5 * GIB, found: gib(available) }
    },
  },
  {
    id: "disk-cache",
    title: "disk for the cache",
    neededFor: "no lesson",
    remedy: "A cache with all builds needs 6 GiB. Set BYHAND_CACHE to a folder on another disk.",
    look: async ({ settings }) => {
      const isFilled = existsSync(`${settings.cacheDir}/bin`)
      const free = await freeBytes(settings.cacheDir)
      return { ok: free >= (isFilled ? 1 : 6) * GIB, found: `${gib(free)} free at ${settings.cacheDir}` }
    },
  },
  {
    id: "disk-runs",
    title: "disk for a run",
    neededFor: "every lesson",
    remedy: "A run needs up to 1 GiB. Set BYHAND_RUNS to a folder on another disk.",
    look: async ({ settings }) => {
      const free = await freeBytes(settings.runsDir)
      return { ok: free >= GIB, found: `${gib(free)} free at ${settings.runsDir}` }
    },
  },
  {
    id: "time-sync",
    title: "time sync",
    neededFor: "no lesson",
    remedy: "Certificates and leases depend on the clock. Turn on NTP: timedatectl set-ntp true",
    look: async () => {
      const { stdout, failed } = await execa("timedatectl", ["show", "--property=NTPSynchronized", "--value"], {
        reject: false,
      })
      if (failed) return { ok: undefined, found: "unknown: timedatectl is not installed" }
      return { ok: stdout === "yes", found: stdout === "yes" ? "synchronized" : "not synchronized" }
    },
  },
]

/** Tries a script in the same kinds of namespaces as those of a machine. */
async function within({ privilege }: Host, script: string, works: string): Promise<Trial> {
  const { ok, found } = await triedWithin(privilege, script)
  return { ok, found: ok ? works : found }
}

async function onPath(tools: readonly string[]): Promise<{ ok: boolean; found: string }> {
  // A machine has these on its PATH too.
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"]
  const missing = tools.filter((tool) => !folders.some((folder) => existsSync(`${folder}/${tool}`)))
  return Promise.resolve(
    missing.length === 0
      ? { ok: true, found: tools.join(" ") }
      : { ok: false, found: `not found: ${missing.join(", ")}` },
  )
}

async function limitsOnUserNamespaces(): Promise<string> {
  const names = [
    "kernel/unprivileged_userns_clone",
    "kernel/apparmor_restrict_unprivileged_userns",
    "user/max_user_namespaces",
  ]
  const values = await Promise.all(
    names.map(async (name) => {
      // A kernel may lack some of them.
      const value = await readFile(`/proc/sys/${name}`, "utf8").catch(() => undefined)
      return value === undefined ? "" : `; ${name.replace("/", ".")} = ${value.trim()}`
    }),
  )
  return values.join("")
}

async function cgroups(): Promise<{ ok: boolean; found: string }> {
  const needed = ["cpu", "cpuset", "memory", "pids"]
  const isV2 = existsSync("/sys/fs/cgroup/cgroup.controllers")
  const controllers = isV2
    ? (await readFile("/sys/fs/cgroup/cgroup.controllers", "utf8")).trim().split(" ")
    : (await readdir("/sys/fs/cgroup").catch(() => [])).flatMap((folder) => folder.split(","))
  const missing = needed.filter((controller) => !controllers.includes(controller))
  return {
    ok: missing.length === 0,
    found: `version ${isV2 ? 2 : 1}, kernel ${release()}${missing.length > 0 ? `; without ${missing.join(", ")}` : ""}`,
  }
}

/** The free bytes on the disk of a folder, or of the nearest folder above it that exists. */
async function freeBytes(folder: string): Promise<number> {
  if (!existsSync(folder)) return freeBytes(dirname(folder))
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`
}
