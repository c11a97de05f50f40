import { z } from "zod"
import { sockets } from "../clients/sockets.ts"
import { httpGet } from "../clients/http-get.ts"
import { logLines } from "../clients/log.ts"
import { ownLines } from "../clients/own-lines.ts"
import { ask } from "../clients/probe.ts"
import { logOf } from "../components/component.ts"
import { settingsOf, specOf, specs, type ComponentName } from "../components/registry.ts"
import { knownFiles } from "../components/settings/files.ts"
import { absolute } from "../components/settings/flags.ts"
import { findProcesses, STAND_IN_MARK } from "../components/discovery/process.ts"
import { probeOf } from "../components/discovery/settings.ts"
import { parseKubeconfig, type Source } from "../kubeconfig/parse.ts"
import type { Credentials } from "../components/discovery/access.ts"
import { messageOf } from "../base/errors.ts"
import type { Known } from "../clusters/known.ts"
import type { Failure, ScriptPlace } from "../failures/failure.ts"
import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import type { Machine } from "../machines/machine.ts"
import { isMachineName } from "../machines/network.ts"
import { pki } from "../pki/pki.ts"
import type { Answer, ApiObject, Observation, ObservedApi, ObservedComponent } from "./observation.ts"
import { LOGS } from "./containers.ts"
import { memberLists } from "./members.ts"
import { accessReviews } from "./refusals.ts"
import { SCRIPTS_FOLDER, startCommandsOf } from "./scripts.ts"
import { publicKeyOf, signingKeysIn } from "./service-account-keys.ts"
import { earlierLog } from "./signs.ts"
import { KUBECTL_VERSION, versionQueries } from "./skew.ts"
import { componentOf, flagOf } from "./symptom.ts"
import { DISKS } from "./symptoms/machine.ts"
import { CNI_VERSIONS } from "./symptoms/network.ts"
import { FORWARDING, LOCAL_ROUTES, REFUSED } from "./symptoms/services.ts"

/** Milliseconds for each look: a program that hangs must not make the diagnosis hang. */
const LOOK_WITHIN = 5_000
/**
 * Milliseconds for the answer of a component that is not ready. While it is awaited its answer matters less than the
 * next look, because the wait ends when it answers well.
 */
const AWAITED_WITHIN: Readonly<Record<Depth, number>> = { components: 500, objects: 1_500, all: 1_500 }
/** Bytes; a longer file is no configuration. */
const LONGEST_FILE = 64 * 1024
const LOG_LINES = 2_000
/** Variables that change what a component does, besides its flags, and the mark of a stand-in. */
const SETTINGS_IN_ENVIRONMENT = new RegExp(
  String.raw`^(?:${STAND_IN_MARK}|ETCD_\w+|(?:https?|no|all)_proxy|KUBECONFIG|GODEBUG|GOMEMLIMIT|LD_PRELOAD)$`,
  "i",
)

/** Commands that show how the machine itself is. */
const LOOKS = [
  DISKS,
  "cat /proc/swaps",
  "stat -fc %T /sys/fs/cgroup",
  "ls -l /opt/cni/bin",
  "ls -l /etc/cni/net.d",
  "date -u",
  "grep CapEff /proc/self/status",
  KUBECTL_VERSION,
  LOGS,
  "nft list ruleset",
  "ip route",
  LOCAL_ROUTES,
  FORWARDING,
  CNI_VERSIONS,
  REFUSED,
]

/**
 * How much is observed. components: what shows whether a component can become ready. objects: the objects of the API
 * too. all: everything, which costs half a second of CPU time.
 */
export type Depth = "components" | "objects" | "all"

/** The commands of each depth. */
const LOOKS_OF: Readonly<Record<Depth, readonly string[]>> = {
  components: [DISKS, "date -u"],
  objects: [
    DISKS,
    "date -u",
    "grep CapEff /proc/self/status",
    LOGS,
    "ip route",
    LOCAL_ROUTES,
    FORWARDING,
    "nft list ruleset",
    CNI_VERSIONS,
    REFUSED,
  ],
  all: LOOKS,
}

/** What is observed besides what the machine shows. */
interface ObserveOptions {
  /** What the program that started the components knows of them; none: all of them should run. */
  readonly known?: readonly Known[]
  readonly failure?: Failure
  /** The kubeconfig that kubectl reads. */
  readonly kubeconfigPath?: string | undefined
  /** Tells which commands the learner's scripts do not come past; by default there are no scripts. */
  readonly waiting?: (() => Promise<readonly ScriptPlace[]>) | undefined
  /** The machines whose links the lesson has changed; by default none. */
  readonly changedLinks?: readonly string[] | undefined
  /** The flags with which the outcome has started components; by default none. */
  readonly changedFlags?: readonly string[] | undefined
  /** By default, all. */
  readonly depth?: Depth
}

/** Looks at everything on a machine at once. Nothing that was remembered is taken for true, and nothing is changed. */
export async function observe(
  machine: Machine,
  {
    known = [],
    failure,
    kubeconfigPath = KUBECONFIG_FILE,
    waiting,
    changedLinks = [],
    changedFlags = [],
    depth = "all",
  }: ObserveOptions = {},
): Promise<Observation> {
  const etcdLog = known.find(({ name }) => name === "etcd")?.logPath ?? logOf("etcd")
  const [processes, all, looks, agent] = await Promise.all([
    findProcesses(machine),
    sockets(machine, ["--all"]),
    looksAt(machine, [...LOOKS_OF[depth], `wc -c <${earlierLog(etcdLog)}`]),
    machine.run(["sh", "-c", "echo $PPID"]),
  ])
  // The machine's own agent holds its sockets for the lessons.
  const found = all.filter(({ pid }) => pid !== Number(agent.stdout))
  const listeners = found.filter(({ peer }) => peer.endsWith(":*"))
  const bare = await Promise.all(
    specs.map(async ({ name }): Promise<ObservedComponent> => {
      const memory = known.find((one) => one.name === name)
      const own = processes.filter((one) => one.name === name)
      // Of several the one with the known command line; each other one is a stranger.
      const process = own.find(({ argv }) => argv.join(" ") === memory?.argv.join(" ")) ?? own[0]
      const logPath = memory?.logPath ?? logOf(name)
      return {
        name,
        logPath,
        state: process?.state ?? "absent",
        pid: process?.pid ?? 0,
        argv: process?.argv ?? memory?.argv ?? [],
        env: settingsIn(process?.env ?? {}),
        cwd: process?.cwd ?? "/",
        isMeantToBe: known.length === 0 || memory?.isMeantToBe === true,
        ...(memory?.hasRunBefore === true ? { hasRunBefore: true } : {}),
        answer: undefined,
        log: ownLines(await logLines(machine, logPath), name, process?.pid ?? memory?.pid).slice(-LOG_LINES),
      }
    }),
  )
  // A component that does not know a flag is asked which flags it knows.
  const puzzled = bare.filter(({ log }) =>
    log.some((line) => /unknown flag: -|flag provided but not defined: -/.test(line)),
  )
  const [files, helps, more] = await Promise.all([
    filesOf(
      machine,
      bare,
      kubeconfigPath,
      known.flatMap(({ scriptPath }) => scriptPath ?? []),
    ),
    flagsOf(
      machine,
      puzzled.map(({ name }) => `${specOf(name).program} --help`),
    ),
    looksAt(machine, depth === "all" ? [...signingKeysIn(bare).map(publicKeyOf), ...versionQueries(bare)] : []),
  ])
  const commands = startCommandsOf({ files })
  const seen = {
    hostname: machine.name,
    components: bare.map((component): ObservedComponent => {
      const command = commands.find((one) => one.component === component.name)
      const isDue =
        component.isMeantToBe || (failure !== undefined && "log" in failure && failure.name === component.name)
      return component.argv.length > 1 || command === undefined || !isDue
        ? component
        : { ...component, argv: command.argv, isArgvFromScript: true, cwd: SCRIPTS_FOLDER }
    }),
    listeners,
    connections: found.filter((socket) => !listeners.includes(socket)),
    api: undefined,
    kubeconfigPath,
    files,
    looks: { ...looks, ...helps, ...more },
    failure,
  }
  const [components, api, listed, places] = await Promise.all([
    Promise.all(
      seen.components.map(async (component) =>
        component.state === "running"
          ? { ...component, answer: await answerOf(machine, component, seen, depth) }
          : component,
      ),
    ),
    depth === "components" ? undefined : apiOf(machine, seen, depth),
    looksAt(machine, [...memberLists(seen), ...accessReviews(seen)]),
    waiting?.(),
  ])
  return {
    ...seen,
    components,
    api,
    looks: { ...seen.looks, ...listed },
    ...(places === undefined || places.length === 0 ? {} : { waiting: places }),
    ...(changedLinks.length === 0 ? {} : { changedLinks }),
    ...(changedFlags.length === 0 ? {} : { changedFlags }),
  }
}

/** The observation of a machine that cannot be looked at any more: what went wrong is all that is known. */
export function nothing(hostname: string, failure: Failure): Observation {
  return {
    hostname,
    components: [],
    listeners: [],
    connections: [],
    kubeconfigPath: KUBECONFIG_FILE,
    files: {},
    looks: {},
    failure,
  }
}

async function looksAt(machine: Machine, commands: readonly string[]): Promise<Record<string, string>> {
  const seen = await Promise.all(
    commands.map(async (look) => {
      const { stdout, stderr } = await machine
        .run(["sh", "-c", look], { timeout: LOOK_WITHIN })
        .catch((error: unknown) => ({ stdout: "", stderr: messageOf(error) }))
      return [look, `${stdout}${stderr}`.trim()] as const
    }),
  )
  return Object.fromEntries(seen)
}

/** The names of the flags that each --help lists, one a line. */
async function flagsOf(machine: Machine, commands: readonly string[]): Promise<Record<string, string>> {
  const texts = Object.entries(await looksAt(machine, commands))
  return Object.fromEntries(
    texts.map(([command, text]) => [
      command,
      [...text.matchAll(/^\s+(?:-\w, )?(--[\w-]+)/gm)].map(([, flag = ""]) => flag).join("\n"),
    ]),
  )
}

/** Whether a file can belong to what runs on a machine. A script can be that of another machine: 10-kubelet@node-2.sh. */
function isOfMachine(path: string, name: string): boolean {
  if (!path.startsWith(`${SCRIPTS_FOLDER}/`) || !path.endsWith(".sh")) return true
  const [, of] = /@([^/]+)\.sh$/.exec(path) ?? []
  return of === (isMachineName(name) ? name : undefined)
}

/**
 * Every file that a command line names, those that such a file names, and those in the folders where components look by
 * themselves. No private keys.
 */
async function filesOf(
  machine: Machine,
  components: readonly ObservedComponent[],
  kubeconfigPath: string,
  scriptPaths: readonly string[],
): Promise<Record<string, string>> {
  const files = new Map<string, string>()
  const { stdout } = await machine.run(
    [
      "sh",
      "-c",
      `ls -d /etc/cni/net.d/* /etc/containerd/config.toml /etc/containerd/certs.d/*/hosts.toml ${SCRIPTS_FOLDER}/*.sh 2>/dev/null
find ${SCRIPTS_FOLDER}/etc -type f 2>/dev/null`,
    ],
    { timeout: LOOK_WITHIN },
  )
  const named = [
    kubeconfigPath,
    ...stdout
      .trim()
      .split("\n")
      .filter((path) => isOfMachine(path, machine.name)),
    ...components.flatMap(({ argv, cwd }) =>
      argv
        .slice(1)
        .flatMap((word) => [...pathsIn(word), absolute({ cwd: cwd ?? "/" }, word.replace(/^--?[\w-]+=/, "")) ?? ""]),
    ),
  ]
  const add = async (paths: readonly string[]) => {
    const fresh = [...new Set(paths)].filter((path) => path.startsWith("/") && !files.has(path))
    const sizes = await machine.run(["stat", "--format=%F %s %n", ...fresh, "/dev/null"], { timeout: LOOK_WITHIN })
    const small = [...sizes.stdout.matchAll(/^regular (?:empty )?file (\d+) (.+)$/gm)]
      .filter(([, size]) => Number(size) <= LONGEST_FILE)
      .map(([, , path = ""]) => path)
    await Promise.all(
      small.map(async (path) => {
        const text = (await machine.read(path).catch(() => Buffer.alloc(0))).toString()
        if (!text.includes("PRIVATE KEY")) files.set(path, text)
      }),
    )
  }
  await add(named)
  const further = () => [...files.values()].flatMap((text) => (text.includes("BEGIN CERTIFICATE") ? [] : pathsIn(text)))
  await add(further())
  // A script names a configuration, which names further files.
  await add(further())
  await add(await networksOf(machine, files.values()))
  await add(scriptPaths)
  return Object.fromEntries([...files].toSorted(([one], [other]) => one.localeCompare(other)))
}

/** The files in the folders of CNI configurations that containerd's configurations name. */
async function networksOf(machine: Machine, texts: Iterable<string>): Promise<string[]> {
  const folders = [...texts].flatMap((text) => /^\s*conf_dir\s*=\s*["']([^"']+)["']/m.exec(text)?.[1] ?? [])
  if (folders.length === 0) return []
  const { stdout } = await machine.run(["find", ...folders, "-maxdepth", "1", "-type", "f"], { timeout: LOOK_WITHIN })
  return stdout.trim().split("\n")
}

/** The variables of an environment that are settings, without the passwords of proxies. */
function settingsIn(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env)
      .filter(([name]) => SETTINGS_IN_ENVIRONMENT.test(name))
      .map(([name, value]) => [name, value.replace(/\/\/[^/@]*@/, "//…@")]),
  )
}

/** Absolute paths in a text. */
function pathsIn(text: string): string[] {
  return text.match(/(?<![\w.-]|:\/)\/[\w./@-]+/g) ?? []
}

/** Whether a component's health is asked by a command, which costs more than a request: while it is awaited itself. */
function isAsked({ name }: ObservedComponent, failure: Failure | undefined, depth: Depth): boolean {
  return depth === "all" || (failure !== undefined && "log" in failure && failure.name === name)
}

/** The answer to a component's health query. */
async function answerOf(
  machine: Machine,
  component: ObservedComponent,
  seen: Observation,
  depth: Depth,
): Promise<Answer | undefined> {
  const { probe } = await probeOf(machine, component, seen.components)
  if (probe.by === "command" && !isAsked(component, seen.failure, depth)) return undefined
  const timeout = answerWithin(seen, component.name, depth)
  const { isWell, question, answer } = await ask(machine, probe, () => accessOf(machine, seen), timeout)
  return { isWell, text: `${question}: ${answer}` }
}

/**
 * Milliseconds for the answer of a component. One that is awaited often accepts a request without ever answering it.
 */
function answerWithin({ failure }: Pick<Observation, "failure">, name: ComponentName, depth: Depth): number {
  return failure?.kind === "not-ready" && failure.name === name ? AWAITED_WITHIN[depth] : LOOK_WITHIN
}

/**
 * An administrator's credentials, and the certificates that the server's own must be, or be signed by: a token of the
 * token file, or else what the kubeconfig of kubectl holds.
 */
async function accessOf(machine: Machine, seen: Observation): Promise<Partial<Credentials> & { readonly pin: Buffer }> {
  const apiserver = componentOf(seen, "kube-apiserver")
  const tokens = (seen.files[flagOf(apiserver, "--token-auth-file") ?? ""] ?? "").split("\n")
  const token = (tokens.find((line) => line.includes("system:masters")) ?? tokens[0])?.split(",")[0]
  const pin = pinOf(apiserver, seen)
  if (token !== undefined && token !== "") return { token, pin }
  const context = parseKubeconfig(seen.files[seen.kubeconfigPath] ?? "", seen.kubeconfigPath)
  const pem = async (source: Source | undefined) =>
    source === undefined ? undefined : "pem" in source ? source.pem : machine.read(source.file).catch(() => undefined)
  const [certificate, key] = await Promise.all([pem(context?.certificate), pem(context?.key)])
  return { token: context?.token, certificate, key, pin }
}

/**
 * The certificate that a component was told to show, and the CA's: a server that shows one of them and has its key is
 * the component.
 */
function pinOf(component: ObservedComponent | undefined, { files }: Observation): Buffer {
  const own =
    flagOf(component, "--tls-cert-file") ?? `${flagOf(component, "--cert-dir") ?? "/var/run/kubernetes"}/apiserver.crt`
  return Buffer.from([own, pki.ca.certificate].map((path) => files[path] ?? "").join("\n"))
}

const object = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string().optional(),
    creationTimestamp: z.string().optional(),
    deletionTimestamp: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
})
const list = z.object({
  items: z
    .array(object)
    .nullish()
    .transform((items) => items ?? []),
})

async function apiOf(machine: Machine, seen: Observation, depth: Depth): Promise<ObservedApi | undefined> {
  const apiserver = componentOf(seen, "kube-apiserver")
  if (apiserver?.state !== "running") return undefined
  const options = {
    ...settingsOf("kube-apiserver", apiserver, knownFiles(seen.files)).address,
    timeout: answerWithin(seen, "kube-apiserver", depth),
    ...(await accessOf(machine, seen)),
  }
  const { token, ...rest } = options
  const request = async (path: string) => httpGet(machine, { ...rest, path, ...(token === undefined ? {} : { token }) })
  const items = async (path: string): Promise<readonly ApiObject[] | undefined> => {
    const { status, body } = await request(path).catch(() => ({ status: 0, body: "" }))
    return status === 200 ? list.parse(JSON.parse(body)).items : undefined
  }
  // Without an answer there is nothing to observe.
  const version = await request("/version").catch(() => ({ status: 0, body: "" }))
  if (version.status !== 200) return undefined
  const [
    namespaces,
    nodes,
    pods,
    events,
    services,
    leases,
    deployments,
    replicaSets,
    requests,
    bindings,
    jobs,
    rootCas,
    endpointSlices,
    systemMaps,
  ] = await Promise.all([
    items("/api/v1/namespaces"),
    items("/api/v1/nodes"),
    items("/api/v1/pods"),
    items("/api/v1/events"),
    items("/api/v1/services"),
    items("/apis/coordination.k8s.io/v1/leases"),
    items("/apis/apps/v1/deployments"),
    items("/apis/apps/v1/replicasets"),
    items("/apis/certificates.k8s.io/v1/certificatesigningrequests"),
    items(
      "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?labelSelector=kubernetes.io/bootstrapping!=rbac-defaults",
    ),
    items("/apis/batch/v1/jobs"),
    items(`/api/v1/configmaps?fieldSelector=${encodeURIComponent("metadata.name=kube-root-ca.crt")}`),
    items("/apis/discovery.k8s.io/v1/endpointslices"),
    items("/api/v1/namespaces/kube-system/configmaps"),
  ])
  return {
    version: z.object({ gitVersion: z.string() }).parse(JSON.parse(version.body)).gitVersion,
    namespaces,
    nodes,
    pods,
    events,
    services,
    leases,
    deployments,
    replicaSets,
    certificateSigningRequests: requests,
    clusterRoleBindings: bindings,
    jobs,
    rootCas,
    endpointSlices,
    corefiles: systemMaps?.filter(hasCorefile),
  }
}

function hasCorefile({ data }: ApiObject): boolean {
  return typeof data === "object" && data !== null && "Corefile" in data
}
