import Docker from "dockerode"
import { existsSync, readFileSync } from "node:fs"
import { homedir, userInfo } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { createSecureContext } from "node:tls"
import { z } from "zod"
import { messageOf, RemediedError } from "../../base/errors.ts"

/** There is no Docker engine that can be used, and why. */
export class EngineError extends RemediedError {}

/** A Docker engine, or one that speaks as Docker does, that has answered. */
export interface Engine {
  /** As DOCKER_HOST has it. */
  readonly url: string
  readonly docker: Docker
  /** Whether it sees the files of this host, as far as can be told by how it is reached. */
  readonly isLocal: boolean
  /** Whether it runs as an ordinary user: then what is root in a container is not root on its host. */
  readonly isRootless: boolean
  /** Podman, which speaks as Docker does, but for some words. */
  readonly isPodman: boolean
  /** As Go calls it: amd64, arm64. */
  readonly architecture: string
  /** In a few words, for people. */
  readonly description: string
}

/** How long an engine may take to say what it is (milliseconds). */
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
  /** Podman's word for what Docker has among its security options. */
  Rootless: z.boolean().default(false),
})
const Version = z.object({ Components: z.array(z.object({ Name: z.string() })).nullish() })

/** Where engines listen when DOCKER_HOST does not say: Docker, Docker Desktop, rootless ones, Podman. */
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
 * Finds the engine that DOCKER_HOST names, or the first of those in the usual places that answers.
 * @throws EngineError with the reason why there is none
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
    "There is no container engine to be found here: DOCKER_HOST is not set, and no socket of Docker or Podman is in its usual place.",
    "Start one, or name it: DOCKER_HOST=unix:///path/of/docker.sock (docker context ls shows those that the docker command knows).",
  )
}

/** The engine at an address, as DOCKER_HOST has it, if it answers. @throws EngineError */
export async function engineAt(url: string): Promise<Engine> {
  const docker = new Docker({ ...connectionOf(url), timeout: PATIENCE })
  const answers = await within(PATIENCE, Promise.all([docker.info(), docker.version()])).catch((error: unknown) => {
    throw explained(url, error)
  })
  const [info, version] = [Info.safeParse(answers[0]), Version.safeParse(answers[1])]
  if (!info.success) throw new EngineError(`What answers at ${url} is no container engine.`, "Correct DOCKER_HOST.")
  const { ServerVersion, OSType, Architecture, CgroupVersion, SecurityOptions, Rootless } = info.data
  if (OSType !== "linux")
    throw new EngineError(`The engine at ${url} runs containers of ${OSType}.`, "Switch it to Linux containers.")
  const isRootless = Rootless || SecurityOptions.some((option) => option.includes("rootless"))
  const isPodman = version.data?.Components?.some(({ Name }) => Name.startsWith("Podman")) === true
  const names: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" }
  return {
    url,
    docker: new Docker(connectionOf(url)),
    isRootless,
    isPodman,
    isLocal: /^(unix|npipe):/.test(url),
    architecture: names[Architecture] ?? Architecture,
    description: `${isPodman ? "Podman" : "Docker"} ${ServerVersion} at ${url}${isRootless ? ", rootless" : ""}, cgroup v${CgroupVersion}`,
  }
}

/** As testcontainers reads the same variables. @throws EngineError */
function connectionOf(url: string): Docker.DockerOptions {
  const wrong = (why: string) =>
    new EngineError(
      `DOCKER_HOST=${url} ${why}.`,
      "Write unix:///path/of/docker.sock or tcp://host:port; with TLS, DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH too.",
    )
  const { protocol, hostname, port } = URL.canParse(url) ? new URL(url) : { protocol: "", hostname: "", port: "" }
  if (/^(unix|npipe):\/\/\/./.test(url)) return { socketPath: pathOf(url) }
  if (protocol === "ssh:") throw wrong("names an engine behind ssh, whose published ports cannot be reached")
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
      `DOCKER_TLS_VERIFY=1, but what is in ${folder} is no certificate with its key: ${reasonOf(error)}.`,
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

/** Names an engine to testcontainers, which looks in fewer places, and takes nothing for granted that DOCKER_HOST leaves out. */
export function nameToTestcontainers(url: string): void {
  const { host, port } = connectionOf(url)
  process.env["DOCKER_HOST"] = host === undefined ? url : `tcp://${host}:${port}`
  process.env["DOCKER_TLS_VERIFY"] = usesTls(url) ? "1" : ""
  process.env["DOCKER_CERT_PATH"] = certificateFolder()
}

function pathOf(url: string): string {
  return url.replace(/^(unix|npipe):\/\//, "")
}

/** For an answer that does not come: the client says only that the connection was closed, since it closed it. */
async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  const timer = new AbortController()
  const late = sleep(milliseconds, undefined, { signal: timer.signal }).then(() => {
    throw new Error("timed out")
  })
  late.catch(() => undefined) // It was quicker.
  return Promise.race([answer, late]).finally(() => timer.abort())
}

/** Of OpenSSL's words, which are numbers and places in its source, those that say something. */
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
      "Check that it is well, and that nothing between keeps it from answering.",
    )
  if (code === "EACCES")
    return said(
      `This user may not use the engine at ${url}.`,
      'Join the group that its socket belongs to (on most hosts: sudo usermod -aG docker "$USER", then log in again), or use a rootless engine.',
    )
  if (code === "ENOENT")
    return said(`There is no engine at ${url}: there is no such socket.`, "Start it, or correct DOCKER_HOST.")
  if (code === "ECONNREFUSED")
    return said(`There is no engine at ${url}: nobody listens there.`, "Start it, or correct DOCKER_HOST.")
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return said(`There is no engine at ${url}: its host has no address.`, "Correct DOCKER_HOST.")
  if (["EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"].includes(code))
    return said(`There is no engine at ${url}: its host cannot be reached.`, "Correct DOCKER_HOST, or the network.")
  if (/HTTP request to an HTTPS server/i.test(reason))
    return said(`The engine at ${url} wants TLS.`, `S${withTls.slice(1)}.`)
  if (/wrong version number|packet length too long|http request/i.test(reason))
    return said(`What answers at ${url} speaks no TLS.`, "Unset DOCKER_TLS_VERIFY, or correct DOCKER_HOST.")
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
      `TLS with the engine at ${url} fails: it does not take the cert.pem in ${certificateFolder()}: ${reason}.`,
      "Name the folder with this engine's files in DOCKER_CERT_PATH.",
    )
  if (/ALTNAME|EPROTO|CERT|SSL|TLS/.test(code))
    return said(
      `TLS with the engine at ${url} fails: ${reason}.`,
      "Check the files in DOCKER_CERT_PATH, and that DOCKER_HOST has the name that the engine's certificate is for.",
    )
  if (code === "ECONNRESET" || code === "EPIPE")
    return said(
      `What answers at ${url} closes the connection.`,
      usesTls(url) || url.startsWith("unix:")
        ? "Check that the engine is well, or correct DOCKER_HOST."
        : `Correct DOCKER_HOST, or, where it wants TLS, ${withTls}.`,
    )
  if (status === 401 || status === 403)
    return said(`The engine at ${url} refuses: ${reason}.`, "Use an account that may use it.")
  return said(`What answers at ${url} is no container engine: ${reason}.`, "Correct DOCKER_HOST.")
}
