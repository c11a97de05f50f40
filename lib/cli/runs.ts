import { readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { httpGet } from "../clients/http-get.ts"
import { APISERVER_PORT, TOKENS_FILE } from "../components/apiserver.ts"
import { UsageError } from "../base/errors.ts"
import type { Machine } from "../machines/machine.ts"
import type { Attached } from "../machines/provider.ts"
import { attachMachine } from "../machines/providers.ts"
import { pki } from "../pki/pki.ts"
import type { Settings } from "../base/settings.ts"
import { typed } from "./options.ts"

const PREFIX = "up-"

/** The id of the machine that `byhand up` starts for a cluster's name. */
export function idOf(name: string): string {
  return `${PREFIX}${name}`
}

/** The path of the kubeconfig for clients on the host. */
export function kubeconfigOf(folder: string): string {
  return join(folder, "kubeconfig")
}

/** The path of the file with the identity of the relay, the process that forwards a port of the host to the machine. */
export function relayOf(folder: string): string {
  return join(folder, "relay")
}

/** A running cluster. */
export interface Run {
  readonly name: string
  readonly machine: Machine
  readonly folder: string
  readonly enter: Attached["enter"]
  readonly since: Date
}

/** The running cluster of this name; undefined if there is none. */
export async function findRun(settings: Settings, name: string): Promise<Run | undefined> {
  const found = await attachMachine(settings, idOf(name))
  return found && { name, ...found, since: (await stat(join(found.folder, "supervisor"))).mtime }
}

/** All running clusters, sorted by name. */
export async function allRuns(settings: Settings): Promise<Run[]> {
  const folders = await readdir(settings.runsDir).catch(() => [])
  const found = await Promise.all(
    folders
      .filter((folder) => folder.startsWith(PREFIX))
      .sort()
      .map((folder) => findRun(settings, folder.slice(PREFIX.length))),
  )
  return found.filter((run) => run !== undefined)
}

/** The running cluster of this name. @throws UsageError if there is none; the message names the running clusters */
export async function theRun(settings: Settings, name: string): Promise<Run> {
  const run = await findRun(settings, name)
  if (run !== undefined) return run
  const others = (await allRuns(settings)).map((other) => other.name)
  throw new UsageError(
    `No cluster named ${name} is up.`,
    others.length > 0
      ? `These clusters are up: ${others.join(", ")}. Choose one with --name.`
      : `Start it with: ${typed("up", name)}`,
  )
}

/** What a client of a cluster's kube-apiserver needs, read from the cluster's machine. */
export interface Access {
  readonly ca: Buffer
  readonly token: string
}

/** @returns undefined if the machine has no CA certificate or no file of tokens */
export async function accessOf(machine: Machine): Promise<Access | undefined> {
  try {
    const [ca, tokens] = await Promise.all([machine.read(pki.ca.certificate), machine.read(TOKENS_FILE)])
    return { ca, token: tokens.toString().split(",")[0] ?? "" }
  } catch {
    return undefined
  }
}

/** The version that a cluster's kube-apiserver reports, without the v; undefined if it does not answer. */
export async function kubernetesOf(machine: Machine, access: Access | undefined): Promise<string | undefined> {
  if (access === undefined) return undefined
  try {
    const { body } = await httpGet(machine, { port: APISERVER_PORT, path: "/version", ...access })
    return z.object({ gitVersion: z.string() }).parse(JSON.parse(body)).gitVersion.replace(/^v/, "")
  } catch {
    return undefined
  }
}

/** Whether a run has a kubeconfig for clients on the host. A machine that was started empty has none. */
export async function hasKubeconfig(folder: string): Promise<boolean> {
  return readFile(kubeconfigOf(folder)).then(
    () => true,
    () => false,
  )
}
