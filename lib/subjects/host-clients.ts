import { execa } from "execa"
import { mkdir, writeFile } from "node:fs/promises"
import { delimiter, dirname, join } from "node:path"
import type { Duplex } from "node:stream"
import { lineIn, quote } from "../base/shell.ts"
import type { Artifacts } from "../clusters/artifacts.ts"
import { addressIn } from "../components/settings/address.ts"
import { readAccess } from "../components/discovery/access.ts"
import { CommandTimeoutError } from "../machines/agent-machine.ts"
import { ENVIRONMENT } from "../machines/environment.ts"
import { HostMachine } from "../machines/host/host-machine.ts"
import { linkTo } from "../machines/host/link.ts"
import { sudoPassword } from "../machines/host/sudo.ts"
import type { HostTarget } from "../machines/host/target.ts"
import type { Forward, Machine, Result, RunOptions, Spawned } from "../machines/machine.ts"

/** Our own clients, which ask the host through the connection: the programs of the host could answer anything. */
const CLIENTS = ["kubectl", "etcdctl", "etcdutl", "curl", "openssl"] as const

/** The words that begin a command in a line of a shell. */
const COMMAND = new RegExp(String.raw`(?:^|[;|&(\n]|\$\(|"\$\(|\bdo |\bthen )\s*(?:${CLIENTS.join("|")})\b`)

/** Files on the host that a client is told to read, in a line: the option, and the path. */
const FILE_OPTION =
  /(--?(?:cacert|cert|key|kubeconfig|certificate-authority|client-certificate|client-key|CAfile|in|inkey))([= ])(\/[^\s'";|&)]+)/g

/** The addresses in a line, of URLs and of openssl s_client. */
const ADDRESS = /(https?:\/\/|-connect )((?:\[[\da-f:]+\]|[\w.-]+)(?::\d+)?)/g

/** Files that a lesson makes for itself. They are made on this host, so that nothing changes on the other one. */
const SCRATCH = /\/tmp\/(?=[\w.-])/g

interface HostClientsOptions {
  readonly host: HostMachine
  /** A folder of this run that only this user can enter. It gets copies of the host's credentials. */
  readonly folder: string
  /** The folders with our own kubectl and etcdctl. */
  readonly programs: readonly string[]
  /** The cap on a command without a timeout of its own (milliseconds). */
  readonly limit: number
}

/**
 * A running host, and our own clients for it.
 * @param options.folder the folder that was given to `login`
 * @param options.limit the cap on a command without a timeout of its own (milliseconds)
 * @throws HostError
 */
export async function observeHost(
  target: HostTarget,
  { folder, artifacts, limit }: { readonly folder: string; readonly artifacts: Artifacts; readonly limit: number },
): Promise<ObservedHost> {
  const host = await HostMachine.open(linkTo(target, folder), sudoPassword(folder))
  const programs = artifacts.binds
    .filter(({ target: path }) => CLIENTS.some((name) => path.endsWith(`/${name}`)))
    .map(({ source }) => dirname(source))
  return new ObservedHost({ host, folder, programs: [...new Set(programs)], limit })
}

/**
 * A host as lessons look at it: the commands that only read run there, and our own clients run here and reach its ports
 * through the connection. What they are told in terms of the host - addresses and files - is translated.
 */
class ObservedHost implements Machine {
  readonly name: string
  readonly privileged: boolean
  readonly lacks: string | undefined
  readonly address: string
  readonly login: string
  readonly #options: HostClientsOptions
  readonly #forwards = new Map<string, Promise<Forward>>()
  #copies = 0

  constructor(options: HostClientsOptions) {
    const { name, privileged, lacks, address, login } = options.host
    this.name = name
    this.privileged = privileged
    this.lacks = lacks
    this.address = address
    this.login = login
    this.#options = options
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    const line = lineIn(argv)
    if (line !== undefined && (COMMAND.test(line.text) || line.text.search(SCRATCH) >= 0))
      return this.#runHere(["sh", line.flags, await this.#translated(line.text)], quote(argv), options)
    if (CLIENTS.some((name) => name === argv[0]))
      return this.#runHere(["sh", "-c", await this.#translated(quote(argv))], quote(argv), options)
    return this.#options.host.run(argv, options)
  }

  async read(path: string): Promise<Buffer> {
    const { host } = this.#options
    // The log of a systemd unit is not a file.
    if (!path.startsWith(JOURNAL)) return host.read(path)
    return Buffer.from((await host.run(["sh", "-c", `${path} --no-pager --lines=2000 --output=cat`])).stdout)
  }

  connect(port: number, host?: string): Promise<Duplex> {
    return this.#options.host.connect(port, host)
  }

  forward(port: number, host?: string): Promise<Forward> {
    return this.#options.host.forward(port, host)
  }

  spawn(): Promise<Spawned> {
    return this.#options.host.spawn()
  }

  watch(): Promise<AsyncDisposable> {
    return this.#options.host.watch()
  }

  write(): Promise<void> {
    return this.#options.host.write()
  }

  /** Ends what looks at the host. The host stays as it is. */
  close(): Promise<void> {
    return this.#options.host.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Runs a command on this host, with nothing of its user's settings. */
  async #runHere(argv: readonly string[], shown: string, options: RunOptions): Promise<Result> {
    const { programs, folder, limit } = this.#options
    const [file = "", ...args] = argv
    const timeout = options.timeout ?? limit
    const ran = execa(file, args, {
      cwd: folder,
      env: {
        ...ENVIRONMENT,
        PATH: [...programs, ENVIRONMENT.PATH].join(delimiter),
        HOME: folder,
        ...(await this.#translatedEnvironment(options.env ?? {})),
      },
      extendEnv: false,
      reject: false,
      stripFinalNewline: false,
      timeout,
      forceKillAfterDelay: 1_000,
      ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    })
    ran.stdout.on("data", (chunk: Buffer) => options.onOutput?.(chunk))
    const { stdout, stderr, exitCode = 1, timedOut, isCanceled } = await ran
    if (timedOut || isCanceled) throw new CommandTimeoutError(shown, timedOut ? timeout : 0, stderr || stdout)
    return { command: shown, stdout, stderr, exitCode }
  }

  /** A line in terms of this host: addresses lead through the connection, and files of the host are copies. */
  async #translated(line: string): Promise<string> {
    const { folder } = this.#options
    const own = line.replaceAll(SCRATCH, `${folder}/`)
    let text = await replaced(own, FILE_OPTION, async ([whole, option = "", sign = "", path = ""]) => {
      if (path.startsWith(`${folder}/`) || path.startsWith("/dev/")) return whole
      const copy = option.endsWith("kubeconfig") ? await this.#kubeconfig(path) : await this.#copy(path)
      return `${option}${sign}${copy}`
    })
    if (/\bkubectl\b/.test(line)) return text // Its kubeconfig has the address.
    const ways: string[] = []
    text = await replaced(text, ADDRESS, async ([whole, kind = "", place = ""]) => {
      const { host, port } = addressIn(place, kind === "http://" ? 80 : 443)
      const way = await this.#wayTo(port, host)
      // curl must send the original name, and compare the certificate with it.
      if (kind !== "-connect ") ways.push(`--connect-to ${place.replace(/:\d+$/, "")}:${port}:${way}`)
      return kind === "-connect " ? `${kind}${way}` : whole
    })
    const options = [...new Set(ways)].join(" ")
    return options === "" ? text : text.replaceAll(/\bcurl (?=-|http)/g, `curl ${options} `)
  }

  async #translatedEnvironment(env: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const entries = Object.entries(env).map(async ([name, value]): Promise<[string, string]> => {
      if (name === "KUBECONFIG") return [name, await this.#kubeconfig(value)]
      if (/^ETCDCTL_(CACERT|CERT|KEY)$/.test(name)) return [name, await this.#copy(value)]
      if (name !== "ETCDCTL_ENDPOINTS") return [name, value]
      const { host, port } = addressIn(value, 2379)
      return [name, `${value.startsWith("https") ? "https" : "http"}://${await this.#wayTo(port, host)}`]
    })
    return Object.fromEntries(await Promise.all(entries))
  }

  /** An address on this host that leads to one of the other host: 127.0.0.1:PORT. */
  async #wayTo(port: number, host: string): Promise<string> {
    const key = `${host}:${port}`
    const way = this.#forwards.get(key) ?? this.forward(port, host)
    this.#forwards.set(key, way)
    return (await way).address
  }

  /** A copy of a file of the host. A file that does not exist there keeps its path, so that the client says so. */
  async #copy(path: string): Promise<string> {
    const content = await this.read(path).catch(() => undefined)
    return content === undefined ? path : this.#keep("file", content)
  }

  /** A kubeconfig with the credentials of one of the host, whose server is reached through the connection. */
  async #kubeconfig(path: string): Promise<string> {
    const access = await readAccess(this, path).catch(() => undefined)
    if (access === undefined) return path
    // readAccess has written it.
    const config = JSON.parse(access.portable) as {
      clusters: { cluster: Record<string, unknown> & { server: string } }[]
    }
    for (const { cluster } of config.clusters) {
      if (!URL.canParse(cluster.server)) continue
      const { protocol, hostname } = new URL(cluster.server)
      const { host, port } = addressIn(cluster.server, protocol === "http:" ? 80 : 443)
      cluster.server = `${protocol}//${await this.#wayTo(port, host)}`
      cluster["tls-server-name"] ??= hostname.replace(/^\[(.*)\]$/, "$1")
      if (access.ca.length === 0) {
        const isUnchecked = /insecure-skip-tls-verify["']?:\s*true/.test((await this.read(path)).toString())
        if (isUnchecked) {
          cluster["insecure-skip-tls-verify"] = true
          delete cluster["tls-server-name"]
        }
      }
    }
    return this.#keep("kubeconfig", JSON.stringify(config))
  }

  async #keep(kind: string, content: string | Buffer): Promise<string> {
    const { folder } = this.#options
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const path = join(folder, `${kind}-${++this.#copies}`)
    await writeFile(path, content, { mode: 0o600 })
    return path
  }
}

/**
 * The beginning of the command that prints the log of a systemd unit. A component can have it in place of a log file.
 */
export const JOURNAL = "journalctl --unit="

/** A text in which each match is replaced by what a function returns. */
async function replaced(
  text: string,
  pattern: RegExp,
  by: (match: RegExpMatchArray) => Promise<string>,
): Promise<string> {
  const parts: string[] = []
  let at = 0
  for (const match of text.matchAll(pattern)) {
    parts.push(text.slice(at, match.index), await by(match))
    at = match.index + match[0].length
  }
  return [...parts, text.slice(at)].join("")
}
