import type Docker from "dockerode"
import { existsSync, readFileSync } from "node:fs"
import { homedir, userInfo } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { createSecureContext } from "node:tls"
import { z } from "zod"
import { messageOf, RemediedError } from "../../base/errors.ts"
import { load } from "../../base/load.ts"

function newClient(options: Docker.DockerOptions): Docker {
  return new (load("dockerode") as typeof Docker)(options) // The package exports this class.
}

/** No Docker engine can be used. The message says why. */
export class EngineError extends RemediedError {}

/** A Docker engine that has answered, or another engine with the same API, such as Podman. */
export interface Engine {
  /** Its address, in the form of DOCKER_HOST. */
  readonly url: string
  readonly docker: Docker
  /** Whether it is reached through a local socket. Then it can probably read the files of this host. */
  readonly isLocal: boolean
  /** Whether it runs as an ordinary user. Then root in a container is not root on its host. */
  readonly isRootless: boolean
  /** Whether it is Podman, whose API differs from Docker's in a few points. */
  readonly isPodman: boolean
  /** Its architecture as Go names it: amd64, arm64. */
  readonly architecture: string
  /** Program, version, address and cgroup version, for people to read. */
  readonly description: string
}

/** How long an engine may take to answer (milliseconds). */
const PATIENCE = 10_000

const Info = z.object({
  ServerVersion: z.string().default("of an unknown version"),
  OSType: z.string().default("linux"),
  Architecture: z.string(),
  CgroupVersion: z.string().default("1"),
  SecurityOptions: z
    .array(z.string())
    .nullish()
    .transform((options) => options ?? []),
  /** Podman reports this here. Docker reports it in its security options. */
  Rootless: z.boolean().default(false),
})
const Version = z.object({ Components: z.array(z.object({ Name: z.string() })).nullish() })

/** The usual addresses of engines: Docker, Docker Desktop, rootless Docker, Podman. */
function usualSockets(): string[] {
  if (process.platform === "win32") return ["npipe:////./pipe/docker_engine"]
  const runtime = process.env["XDG_RUNTIME_DIR"] ?? `/run/user/${userInfo().uid}`
  return [
    "/var/run/docker.sock",
    join(runtime, "docker.sock"),
    join(homedir(), ".docker/run/docker.sock"),
    join(homedir(), ".docker/desktop/docker.sock"),
    join(runtime, "podman/podman.sock"),
    "/run/podman/podman.sock",
  ].map((path) => `unix://${path}`)
}

/**
 * Finds the engine that DOCKER_HOST names. If DOCKER_HOST is not set, finds the first usual address at which an engine
 * answers.
 * @throws EngineError with the reason why no engine can be used
 */
export async function findEngine(): Promise<Engine> {
  const named = process.env["DOCKER_HOST"]
  if (named !== undefined && named !== "") return engineAt(named)
  const there = usualSockets().filter((url) => url.startsWith("npipe:") || existsSync(pathOf(url)))
  const problems: unknown[] = []
  for (const url of there) {
    try {
      return await engineAt(url)
    } catch (error) {
      problems.push(error)
    }
  }
  if (problems[0] !== undefined) throw problems[0]
  throw new EngineError(
    "No container engine was found: DOCKER_HOST is not set, and no socket of Docker or Podman is in its usual place.",
    "Start Docker or Podman, or name its socket: DOCKER_HOST=unix:///path/of/docker.sock (docker context ls shows the sockets that the docker command knows).",
  )
}

/**
 * The engine at an address in the form of DOCKER_HOST.
 * @throws EngineError if it does not answer, or is not a container engine
 */
export async function engineAt(url: string): Promise<Engine> {
  const docker = newClient({ ...connectionOf(url), timeout: PATIENCE })
  const answers = await within(PATIENCE, Promise.all([docker.info(), docker.version()])).catch((error: unknown) => {
    throw explained(url, error)
  })
  const [info, version] = [Info.safeParse(answers[0]), Version.safeParse(answers[1])]
  if (!info.success) throw new EngineError(`The server at ${url} is not a container engine.`, "Correct DOCKER_HOST.")
  const { ServerVersion, OSType, Architecture, CgroupVersion, SecurityOptions, Rootless } = info.data
  if (OSType !== "linux")
    throw new EngineError(`The engine at ${url} runs ${OSType} containers.`, "Switch it to Linux containers.")
  const isRootless = Rootless || SecurityOptions.some((option) => option.includes("rootless"))
  const isPodman = version.data?.Components?.some(({ Name }) => Name.startsWith("Podman")) === true
  const names: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" }
  return {
    url,
    docker: newClient(connectionOf(url)),
    isRootless,
    isPodman,
    isLocal: /^(unix|npipe):/.test(url),
    architecture: names[Architecture] ?? Architecture,
    description: `${isPodman ? "Podman" : "Docker"} ${ServerVersion} at ${url}${isRootless ? ", rootless" : ""}, cgroup v${CgroupVersion}`,
  }
}

/**
 * How to connect to an engine. Reads the same variables as testcontainers.
 * @throws EngineError if their values are wrong
 */
function connectionOf(url: string): Docker.DockerOptions {
  const wrong = (why: string) =>
    new EngineError(
      `DOCKER_HOST=${url} ${why}.`,
      "Write unix:///path/of/docker.sock or tcp://host:port; with TLS, DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH too.",
    )
  const { protocol, hostname, port } = URL.canParse(url) ? new URL(url) : { protocol: "", hostname: "", port: "" }
  if (/^(unix|npipe):\/\/\/./.test(url)) return { socketPath: pathOf(url) }
  if (protocol === "ssh:")
    throw wrong("names an engine that is reached over ssh: the ports that it publishes cannot be reached from here")
  if (!["tcp:", "http:", "https:"].includes(protocol) || hostname === "") throw wrong("is not the address of an engine")
  if (!usesTls(url)) return { host: hostname, port: port || "2375", protocol: "http" }
  const folder = certificateFolder()
  const remedy = "Name the folder with ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH."
  const read = (file: string) => {
    try {
      return readFileSync(join(folder, file))
    } catch (error) {
      throw new EngineError(`DOCKER_TLS_VERIFY=1, but ${file} cannot be read: ${messageOf(error)}.`, remedy, {
        cause: error,
      })
    }
  }
  const files = { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") }
  try {
    createSecureContext(files)
  } catch (error) {
    throw new EngineError(
      `DOCKER_TLS_VERIFY=1, but the files in ${folder} are not a certificate and its key: ${reasonOf(error)}.`,
      remedy,
      { cause: error },
    )
  }
  return { host: hostname, port: port || "2376", protocol: "https", ...files }
}

function usesTls(url: string): boolean {
  return url.startsWith("https:") || (process.env["DOCKER_TLS_VERIFY"] === "1" && !/^(unix|npipe):/.test(url))
}

function certificateFolder(): string {
  return process.env["DOCKER_CERT_PATH"] || join(homedir(), ".docker")
}

/** Tells testcontainers which engine to use. testcontainers itself looks in fewer places than `findEngine`. */
export function nameToTestcontainers(url: string): void {
  const { host, port } = connectionOf(url)
  process.env["DOCKER_HOST"] = host === undefined ? url : `tcp://${host}:${port}`
  process.env["DOCKER_TLS_VERIFY"] = usesTls(url) ? "1" : ""
  process.env["DOCKER_CERT_PATH"] = certificateFolder()
}

function pathOf(url: string): string {
  return url.replace(/^(unix|npipe):\/\//, "")
}

/** Adds a timeout to an answer. The client's own timeout closes the connection and then reports a closed connection. */
async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  const timer = new AbortController()
  const late = sleep(milliseconds, undefined, { signal: timer.signal }).then(() => {
    throw new Error("timed out")
  })
  late.catch(() => undefined) // The answer came in time.
  return Promise.race([answer, late]).finally(() => timer.abort())
}

/** The useful part of an error's message. OpenSSL adds numbers and positions in its own source code. */
function reasonOf(error: unknown): string {
  const line = messageOf(error).trim().split("\n")[0] ?? ""
  return /error:[0-9A-F]{8}:[^:]*:[^:]*:([^:]+)/i.exec(line)?.[1] ?? line.replace(/[.:]$/, "")
}

function explained(url: string, error: unknown): EngineError {
  const code = error instanceof Error && "code" in error ? String(error.code) : ""
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 0
  const reason = reasonOf(error)
  const said = (problem: string, remedy: string) => new EngineError(problem, remedy, { cause: error })
  const withTls = "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem"
  if (reason === "timed out")
    return said(
      `The engine at ${url} does not answer within ${PATIENCE / 1000} s.`,
      "Check that the engine works, and that no firewall stops its answers.",
    )
  if (code === "EACCES")
    return said(
      `This user has no permission to use the engine at ${url}.`,
      'Join the group that its socket belongs to (on most hosts: sudo usermod -aG docker "$USER", then log in again), or use a rootless engine.',
    )
  if (code === "ENOENT")
    return said(`There is no engine at ${url}: the socket does not exist.`, "Start it, or correct DOCKER_HOST.")
  if (code === "ECONNREFUSED")
    return said(`There is no engine at ${url}: no process listens there.`, "Start it, or correct DOCKER_HOST.")
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return said(`There is no engine at ${url}: its host has no address.`, "Correct DOCKER_HOST.")
  if (["EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"].includes(code))
    return said(`There is no engine at ${url}: its host cannot be reached.`, "Correct DOCKER_HOST, or the network.")
  if (/HTTP request to an HTTPS server/i.test(reason))
    return said(`The engine at ${url} requires TLS.`, `S${withTls.slice(1)}.`)
  if (/wrong version number|packet length too long|http request/i.test(reason))
    return said(`The server at ${url} does not use TLS.`, "Unset DOCKER_TLS_VERIFY, or correct DOCKER_HOST.")
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
    return said(
      `TLS with the engine at ${url} fails: ${reason}.`,
      "Give the engine a certificate that is valid now, or correct the clock.",
    )
  if (/SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(code))
    return said(
      `TLS with the engine at ${url} fails: its certificate is not signed by the ca.pem in ${certificateFolder()}.`,
      "Name the folder with this engine's files in DOCKER_CERT_PATH.",
    )
  if (/alert/i.test(reason))
    return said(
      `TLS with the engine at ${url} fails: it refuses the cert.pem in ${certificateFolder()}: ${reason}.`,
      "Name the folder with this engine's files in DOCKER_CERT_PATH.",
    )
  if (/ALTNAME|EPROTO|CERT|SSL|TLS/.test(code))
    return said(
      `TLS with the engine at ${url} fails: ${reason}.`,
      "Check the files in DOCKER_CERT_PATH, and that DOCKER_HOST has the host name in the engine's certificate.",
    )
  if (code === "ECONNRESET" || code === "EPIPE")
    return said(
      `The server at ${url} closes the connection.`,
      usesTls(url) || url.startsWith("unix:")
        ? "Check that the engine works, or correct DOCKER_HOST."
        : `Correct DOCKER_HOST. If the engine requires TLS, ${withTls}.`,
    )
  if (status === 401 || status === 403)
    return said(`The engine at ${url} refuses this user: ${reason}.`, "Use an account that has permission.")
  return said(`The server at ${url} is not a container engine: ${reason}.`, "Correct DOCKER_HOST.")
}
