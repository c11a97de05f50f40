import type { Machine } from "../../machines/machine.ts"
import { RemediedError } from "../../base/errors.ts"
import { isKubeconfig, parseKubeconfig, type KubeconfigContext, type Source } from "../../kubeconfig/parse.ts"
import { settingsOf } from "../registry.ts"
import { withFilesOf } from "../settings/files.ts"
import type { FoundProcess } from "./process.ts"

/** A kubeconfig that was tried, and the answer of kubectl. */
interface Tried {
  readonly kubeconfig: string
  readonly answer: string
}

/** No kubeconfig on the machine gives full access to the cluster. */
export class NoAccessError extends RemediedError {
  readonly tried: readonly Tried[]
  constructor(tried: readonly Tried[]) {
    super(
      `No kubeconfig gives full access to the cluster${tried.length === 0 ? "" : ` (${tried.map(({ kubeconfig, answer }) => `${kubeconfig}: ${answer}`).join("; ")})`}.`,
      "Write a kubeconfig to /root/.kube/config. It must contain the server's address, its CA, and a token or a client certificate of the group system:masters.",
    )
    this.tried = tried
  }
}

/**
 * The credentials that a client sends to kube-apiserver, and the CA with which the client verifies the server, in PEM
 * format.
 */
export interface Credentials {
  /** The CA that must have signed the server's certificate; empty if the kubeconfig has none. */
  readonly ca: Buffer
  /** The name that the server's certificate must contain, from the kubeconfig. */
  readonly serverName?: string | undefined
  /** undefined if the client uses a certificate. */
  readonly token: string | undefined
  readonly certificate?: Buffer | undefined
  readonly key?: Buffer | undefined
}

/** How an administrator accesses kube-apiserver. */
export interface Access extends Credentials {
  /** The path of the kubeconfig on the machine. */
  readonly kubeconfig: string
  /** The URL of kube-apiserver in it. */
  readonly server: string
  /** The kubeconfig as JSON, with its certificates and keys embedded, for clients outside the machine. */
  readonly portable: string
}

const USUAL = ["/root/.kube/config", "/etc/kubernetes/admin.conf", "/etc/kubernetes/admin.kubeconfig"]
/** The folders that are searched for other kubeconfigs. */
const FOLDERS = ["/root/cluster", "/etc/kubernetes", "/root/.kube"]
/** The answers that kubectl keeps: many files, and none is a kubeconfig. */
const CACHE_OF_KUBECTL = "/root/.kube/cache"
const MOST_FILES = 200
const LOOK_WITHIN = 10_000

/**
 * Finds a kubeconfig that gives full access to the cluster. It tries the default path of kubectl, the usual paths of an
 * administrator's kubeconfig, the learner's folder, and the kubeconfigs that components use.
 * @param more other files that can be kubeconfigs
 * @throws NoAccessError with the kubeconfigs that were tried
 */
export async function findAccess(
  machine: Machine,
  processes: readonly FoundProcess[],
  more: readonly string[] = [],
): Promise<Access> {
  const tried: Tried[] = []
  for (const { path, context } of await kubeconfigsOn(machine, processes, more)) {
    const may = await machine
      .run(["kubectl", "--kubeconfig", path, "--request-timeout=5s", "auth", "can-i", "*", "*"], {
        timeout: LOOK_WITHIN,
      })
      .catch(() => ({ exitCode: 1, stdout: "", stderr: "kubectl did not answer in time" }))
    if (may.exitCode === 0 && context !== undefined) return accessBy(machine, path, context)
    tried.push({ kubeconfig: path, answer: (may.stderr.trim() || may.stdout.trim()).split("\n").at(-1) ?? "" })
  }
  throw new NoAccessError(tried)
}

/** The credentials in a kubeconfig; undefined if the file is malformed or incomplete. */
export async function readAccess(machine: Machine, path: string): Promise<Access | undefined> {
  const context = parseKubeconfig((await machine.read(path)).toString(), path)
  return context && accessBy(machine, path, context)
}

export interface FoundKubeconfig {
  readonly path: string
  /** undefined if the kubeconfig is malformed or incomplete. */
  readonly context: KubeconfigContext | undefined
}

/** The kubeconfigs on a machine: the usual ones, those in the usual folders, those that processes use, and more. */
export async function kubeconfigsOn(
  machine: Machine,
  processes: readonly FoundProcess[],
  more: readonly string[] = [],
): Promise<FoundKubeconfig[]> {
  const [{ stdout }, named] = await Promise.all([
    machine.run(
      ["find", "-L", ...FOLDERS, "-path", CACHE_OF_KUBECTL, "-prune", "-o", "-type", "f", "-size", "-256k", "-print"],
      { timeout: LOOK_WITHIN },
    ),
    Promise.all(
      processes.map((process) => withFilesOf(machine, (files) => settingsOf(process.name, process, files).kubeconfig)),
    ),
  ])
  const beside = stdout.trim().split("\n").slice(0, MOST_FILES)
  const paths = [...new Set([...USUAL, ...beside, ...more, ...named.map((path) => path ?? "")])]
  const found = await Promise.all(
    paths
      .filter((path) => path.startsWith("/"))
      .map(async (path): Promise<FoundKubeconfig[]> => {
        const text = await machine.read(path).catch(() => undefined)
        if (text === undefined) return []
        const isMeant = USUAL.includes(path) || named.includes(path) || isKubeconfig(text.toString())
        return isMeant ? [{ path, context: parseKubeconfig(text.toString(), path) }] : []
      }),
  )
  return found.flat()
}

async function accessBy(machine: Machine, path: string, context: KubeconfigContext): Promise<Access> {
  const pem = async (source: Source | undefined) =>
    source === undefined ? undefined : "pem" in source ? source.pem : machine.read(source.file)
  const [ca, certificate, key, token] = await Promise.all([
    pem(context.ca),
    pem(context.certificate),
    pem(context.key),
    context.token ?? (context.tokenFile && machine.read(context.tokenFile).then((text) => text.toString().trim())),
  ])
  const { server, serverName } = context
  const data = (name: string, value: Buffer | undefined) =>
    value === undefined ? {} : { [`${name}-data`]: value.toString("base64") }
  const portable = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "cluster",
        cluster: {
          server,
          ...data("certificate-authority", ca),
          ...(serverName === undefined ? {} : { "tls-server-name": serverName }),
        },
      },
    ],
    users: [
      {
        name: "user",
        user: {
          ...(token === undefined ? {} : { token }),
          ...data("client-certificate", certificate),
          ...data("client-key", key),
        },
      },
    ],
    contexts: [{ name: "context", context: { cluster: "cluster", user: "user" } }],
    "current-context": "context",
  }
  return {
    kubeconfig: path,
    server,
    portable: JSON.stringify(portable),
    ca: ca ?? Buffer.alloc(0),
    serverName: serverName ?? (URL.canParse(server) ? new URL(server).hostname : undefined),
    token,
    certificate,
    key,
  }
}
