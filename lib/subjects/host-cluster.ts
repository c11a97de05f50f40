import { RemediedError } from "../base/errors.ts"
import { supportOf } from "../binaries/support.ts"
import { quote } from "../base/shell.ts"
import { BlockedError } from "../clusters/errors.ts"
import type { Known } from "../clusters/known.ts"
import { findAccess, type Access } from "../components/discovery/access.ts"
import { findProcesses, type FoundProcess } from "../components/discovery/process.ts"
import { dependenciesOf, learnersSpecs, specOf, type ComponentName } from "../components/registry.ts"
import type { Explain } from "../failures/failure.ts"
import type { Machine } from "../machines/machine.ts"
import { identifiersOn, type Identifier } from "./host-identifiers.ts"
import { HostComponent } from "./host-component.ts"
import type { OwnValues } from "./own-values.ts"
import type { Subject } from "./subject.ts"

/**
 * Milliseconds for which one look at the processes of a host is used. Outcomes that only read follow each other fast.
 */
const LOOK_LASTS = 2_000

/** Programs that contain several components, by the beginning of their name. They are named, and not looked into. */
const ALL_IN_ONE: Readonly<Record<string, string>> = {
  k3s: "k3s",
  rke2: "RKE2",
  k0s: "k0s",
  kubelite: "MicroK8s",
  hyperkube: "hyperkube",
}

/** A host does not let this user see what the lessons need. */
export class HostClosedError extends RemediedError {}

/** The cluster on a running host. Its components can be started in any way. byhand only looks at it. */
export class HostCluster implements Subject {
  readonly machine: Machine
  readonly permits = "observe"
  readonly reportsAbsence = true
  readonly parts: readonly HostComponent[]
  /** The version of Kubernetes on the host, without the v. undefined if no component tells. */
  readonly kubernetes: string | undefined
  /** What was found, as one line. */
  readonly summary: string
  readonly access: () => Promise<Access>
  readonly identifiers: () => Promise<readonly Identifier[]>
  #lookedAt = performance.now()

  private constructor(
    found: Pick<HostCluster, "machine" | "parts" | "kubernetes" | "summary" | "access" | "identifiers">,
  ) {
    this.machine = found.machine
    this.parts = found.parts
    this.kubernetes = found.kubernetes
    this.summary = found.summary
    this.access = found.access
    this.identifiers = found.identifiers
  }

  /**
   * Finds the components that run on a host.
   * @param own the values that the cluster must have; undefined if a student may choose all of them
   * @throws HostClosedError if components belong to other users, and this user may not look at them
   */
  static async open(machine: Machine, explain: Explain, own?: OwnValues): Promise<HostCluster> {
    const processes = await findProcesses(machine)
    await mustBeOpen(machine, processes)
    const access = askedOnce(() => findHostAccess(machine))
    const parts = learnersSpecs.map(
      ({ name }) => new HostComponent(name, { machine, explain, own, administrator: access }),
    )
    const [kubernetes, distribution] = await Promise.all([
      versionOn(machine, processes),
      distributionOn(machine),
      ...parts.map((part) => part.see(processes)),
    ])
    const found = parts.filter(({ isRunning }) => isRunning).map(({ name, origin }) => `${name} (${origin})`)
    const version = kubernetes === undefined ? "of an unknown version" : `${kubernetes} (${supportOf(kubernetes).text})`
    const summary = [
      `${machine.name}: Kubernetes ${version}`,
      found.length === 0 ? "no component runs" : found.join(", "),
      ...(distribution === undefined
        ? []
        : [`${distribution} runs here: its components are parts of one program, which byhand does not look into`]),
    ].join("; ")
    const identifiers = askedOnce(async () => {
      const isUp = parts.some(({ name, isRunning }) => name === "kube-apiserver" && isRunning)
      return identifiersOn(machine, isUp ? await access().catch(() => undefined) : undefined)
    })
    return new HostCluster({ machine, parts, kubernetes, summary, access, identifiers })
  }

  part<Name extends ComponentName>(name: Name): HostComponent<Name> {
    const found = this.parts.find((part) => part.name === name)
    if (found === undefined) throw new TypeError(`${name} is not a component of a host`)
    // The compiler cannot infer that the part with this name has this type.
    return found as unknown as HostComponent<Name>
  }

  /**
   * Checks that components and all that they depend on run and are ready.
   * @throws ComponentError, BlockedError
   */
  async ensure(names: readonly ComponentName[]): Promise<void> {
    await this.#look()
    for (const { name, isProvided } of dependenciesOf(names)) {
      if (isProvided === true) continue // A host has its own registry, or none.
      const part = this.part(name)
      if (part.failure !== undefined) throw new BlockedError(name, part.failure)
      await part.start()
    }
  }

  async #look(): Promise<void> {
    if (performance.now() - this.#lookedAt < LOOK_LASTS) return
    const processes = await findProcesses(this.machine)
    await Promise.all(this.parts.map((part) => part.see(processes)))
    this.#lookedAt = performance.now()
  }

  known(): Known[] {
    return this.parts.map(({ known }) => known)
  }

  forgetExits(): Promise<void> {
    return Promise.resolve()
  }

  /** Nothing is changed on a host. */
  canEnter(): boolean {
    return false
  }

  enter(): Promise<void> {
    return Promise.resolve()
  }

  on(name: string): Promise<Subject> {
    return Promise.reject(new TypeError(`A host has no further machine ${name}.`))
  }
}

/** How an administrator reaches the cluster of a host: also by a kubeconfig in a home folder, or beside a component. */
async function findHostAccess(machine: Machine): Promise<Access> {
  const processes = await findProcesses(machine)
  const folders = [...new Set(processes.map(({ cwd }) => cwd).filter((cwd) => cwd !== "/"))]
  const places = [
    "/home/*/.kube/config",
    ...folders.flatMap((cwd) => [`${quote([cwd])}/*config*`, `${quote([cwd])}/*.conf`]),
  ]
  const { stdout } = await machine.run(["sh", "-c", `ls -d ${places.join(" ")} 2>/dev/null`])
  return findAccess(machine, processes, stdout.trim().split("\n"))
}

/** The same answer for all callers, as soon as there is one. */
function askedOnce<T>(find: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | undefined
  return () => {
    const finding = (found ??= find())
    finding.catch(() => {
      found = undefined
    })
    return finding
  }
}

/** @throws HostClosedError */
async function mustBeOpen(machine: Machine, processes: readonly FoundProcess[]): Promise<void> {
  const own = processes.filter(({ name }) => specOf(name).isProvided !== true)
  if (machine.privileged || own.length === 0) return
  const pids = own.map(({ pid }) => pid)
  const { stdout } = await machine.run([
    "sh",
    "-c",
    `for p in ${pids.join(" ")}; do [ -r /proc/$p/environ ] || echo $p; done`,
  ])
  const closed = own.filter(({ pid }) => stdout.split("\n").includes(String(pid))).map(({ name }) => name)
  if (closed.length === 0) return
  throw new HostClosedError(
    `This user may not look at ${[...new Set(closed)].join(", ")}, which other users have started on ${machine.name}.`,
    "Log in as root, or let the user run sudo without a password: sudo -n true",
  )
}

/** The version of Kubernetes that the components' own programs tell. */
async function versionOn(machine: Machine, processes: readonly FoundProcess[]): Promise<string | undefined> {
  const found = ["kube-apiserver", "kubelet"].flatMap((name) => processes.find((one) => one.name === name) ?? [])[0]
  if (found === undefined) return undefined
  const { stdout } = await machine.run([`/proc/${found.pid}/exe`, "--version"], { timeout: 10_000 })
  return /^Kubernetes v(\S+)/.exec(stdout)?.[1]
}

/** The all-in-one distribution that runs on a host. undefined if there is none. */
async function distributionOn(machine: Machine): Promise<string | undefined> {
  const { stdout } = await machine.run(["ps", "-e", "--sort=start_time,pid", "-o", "pid=,stat=,comm="])
  const programs = stdout.split("\n").map((line) => line.split(" ")[2] ?? "")
  const [, title] =
    Object.entries(ALL_IN_ONE).find(([name]) => programs.some((one) => one === name || one.startsWith(`${name}-`))) ??
    []
  return title
}
