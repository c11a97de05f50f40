import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { readdir, readFile, rename, stat } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { httpGet } from "../clients/http-get.ts"
import { APISERVER_PORT, TOKENS_FILE } from "../components/apiserver.ts"
import { UsageError } from "../base/errors.ts"
import { isAlive } from "../machines/identity.ts"
import type { Machine } from "../machines/machine.ts"
import type { Network } from "../machines/network.ts"
import { readPurpose, type Purpose } from "../machines/purpose.ts"
import type { Attached } from "../machines/provider.ts"
import { attachMachine } from "../machines/providers.ts"
import { pki } from "../pki/pki.ts"
import type { Settings } from "../base/settings.ts"
import { nameOf, typed, type ClusterOptions } from "./options.ts"

const PREFIX = "up-"

/** The id of the machine of a cluster's name: the name of its run's folder. */
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
  /** Its further machines. */
  readonly network: Network
  readonly folder: string
  readonly enter: Attached["enter"]
  readonly since: Date
  /** Which lessons use the machine; undefined if `byhand up` has started it. */
  readonly purpose: Purpose | undefined
  /** The PID of the process that started the machine, if it still runs and has not detached the machine yet. */
  readonly owner: string | undefined
}

/** The running cluster of this name; undefined if there is none. */
export async function findRun(settings: Settings, name: string): Promise<Run | undefined> {
  const found = await attachMachine(settings, idOf(name))
  if (found === undefined) return undefined
  const [{ mtime: since }, purpose, owner] = await Promise.all([
    stat(join(found.folder, "supervisor")),
    readPurpose(found.folder),
    ownerOf(found.folder),
  ])
  return { name, ...found, since, purpose, owner }
}

/** The PID of the process that has started the machine in a folder; undefined if that process has ended. */
async function ownerOf(folder: string): Promise<string | undefined> {
  const owner = await readFile(join(folder, "owner"), "utf8").catch(() => "") // There may be no such folder.
  return isAlive(owner) ? owner.split(" ")[0] : undefined
}

/**
 * Makes room for a new machine of this name.
 * @throws UsageError if another process is starting a machine of this name
 */
export async function vacate(settings: Settings, name: string): Promise<void> {
  const folder = join(settings.runsDir, idOf(name))
  const owner = await ownerOf(folder)
  if (owner !== undefined)
    throw new UsageError(
      `Process ${owner} is starting ${name} already.`,
      "Wait for it, or give the new cluster another --name.",
    )
  // A run that ended without its supervisor has left its folder: rename it. The next machine that starts removes it.
  if (existsSync(folder)) await rename(folder, join(settings.runsDir, `left-${randomBytes(3).toString("hex")}`))
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

/**
 * The running cluster that the options name: by its name, or the machine of the last `watch` or `grade --keep`. Without
 * either, the cluster that `byhand up` starts by default, or the only one that is up.
 * @throws UsageError if there is none; the message names the running clusters
 */
export async function theRun(settings: Settings, options: ClusterOptions): Promise<Run> {
  const runs = await allRuns(settings)
  const up = runs.map(({ name }) => name).join(", ")
  if (options.last === true) {
    if (options.name !== undefined) throw new UsageError("--name and --last exclude each other.", "Give one of them.")
    const last = runs
      .filter(({ purpose }) => purpose !== undefined)
      .toSorted((a, b) => b.since.getTime() - a.since.getTime())[0]
    if (last !== undefined) return last
    throw new UsageError(
      "No machine of byhand watch or byhand grade is up.",
      "Grade with: npx byhand grade FOLDER --keep",
    )
  }
  const name = nameOf(options)
  const run =
    runs.find((one) => one.name === name) ?? (options.name === undefined && runs.length === 1 ? runs[0] : undefined)
  if (run !== undefined) return run
  if (runs.length === 0) throw new UsageError(`No cluster named ${name} is up.`, `Start it with: ${typed("up", name)}`)
  throw new UsageError(
    options.name === undefined ? "Several clusters are up." : `No cluster named ${name} is up.`,
    options.name === undefined
      ? `Choose one with --name: ${up}.`
      : `These clusters are up: ${up}. Choose one with --name.`,
  )
}

/** How a person addresses this cluster: with --last, or by its name. */
export function addressed(command: string, { name, purpose }: Pick<Run, "name" | "purpose">): string {
  return purpose === undefined ? typed(command, name) : `npx byhand ${command} --last`
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
