import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { Document } from "../base/document.ts"
import { packageRoot } from "../base/settings.ts"
import { argvOf } from "../components/component.ts"
import { componentNames, specOf } from "../components/registry.ts"
import { flagOf } from "../components/settings/flags.ts"
import { sampleFacts } from "../components/spec.ts"
import { compare, countsOf, unexplained, type Row } from "../kubeadm/comparison.ts"
import { inventoryOf, type Topic } from "../kubeadm/inventory.ts"
import type { KubeadmCluster } from "../kubeadm/kubeadm-cluster.ts"
import { reasons } from "../kubeadm/reasons.ts"
import { judgeSheet, SHEET, type Judged, type Scripts } from "../kubeadm/sheet.ts"
import { ADMIN_CONF } from "../kubeadm/typed.ts"
import { HOME } from "../subjects/folder.ts"
import type { Machine } from "../machines/machine.ts"
import type { Kit } from "./kit.ts"
import { kubeadm, settingsIn } from "./lessons.ts"

/** The table of one topic: every thing in kubeadm's control plane and in the one that is graded. */
export interface Comparison {
  readonly rows: readonly Row[]
  /** The rows that nothing explains, as text. */
  readonly unexplained: readonly string[]
}

/** Compares kubeadm's control plane with the graded one, in one topic. Its evidence says how much is the same. */
export async function compared(kit: Kit, topic: Topic): Promise<Comparison> {
  const [cluster, { kubeconfig }] = await Promise.all([kit.kubeadm(), kit.access()])
  const rows = await tableOf(cluster, kit.machine, kubeconfig, topic)
  kit.evidence(`${rows.length} compared: ${countsOf(rows)}`)
  const isOurs = !(await isLearners(kit.machine))
  const open = unexplained(rows, isOurs).filter((row) => isOurs || !isOfCourse(row))
  return { rows, unexplained: open.map(textOf) }
}

/**
 * Whether our own cluster has something of this name. A learner's cluster may do without it: the lessons check what it
 * must be able to do.
 */
export function isOfCourse({ name }: Pick<Row, "name">): boolean {
  return ofCourse.some((known) => name === known || [" ", ":", "."].some((end) => name.startsWith(known + end)))
}

/** The names of the flags, files and fields of our own cluster, as it is in the last lesson. */
const ofCourse: readonly string[] = componentNames.flatMap((name) => {
  const described = specOf(name).describe(sampleFacts)
  const component = settingsIn(kubeadm)[name]?.(described, sampleFacts) ?? described
  const flags = component.flags.map(({ flag }) => `${name} ${flag}`)
  const config = component.files.find(({ path }) => path === flagOf({ argv: argvOf(component) }, "--config"))
  const fields = Document.yaml(config?.content).keys()
  return [...flags, ...fields, ...fields.map((field) => `${name} ${field}`)]
})

/** The table. @param topic what is compared; by default everything */
export async function tableOf(
  cluster: KubeadmCluster,
  machine: Machine,
  kubeconfig: string,
  topic?: Topic,
): Promise<Row[]> {
  const [theirs, byHand] = await Promise.all([
    inventoryOf(cluster.machine, ADMIN_CONF, topic),
    inventoryOf(machine, kubeconfig, topic),
  ])
  return compare(theirs, byHand, reasons)
}

function textOf({ name, verdict, kubeadm, byHand }: Row): string {
  if (verdict === "only by hand") return `${name} (${byHand ?? ""}) is not in kubeadm's`
  if (verdict === "only in kubeadm") return `${name} (${kubeadm ?? ""}) is only in kubeadm's`
  return `${name} is ${kubeadm ?? ""} in kubeadm's, and ${byHand ?? ""} by hand`
}

/** Judges the learner's table; for our own cluster, the one of the solution. */
export async function judgedSheet({ machine }: Pick<Kit, "machine">): Promise<Judged[]> {
  const [sheet, scripts] = (await isLearners(machine)) ? await ofLearner(machine) : await ofSolution()
  return judgeSheet(sheet, scripts)
}

/** Whether the machine has a learner's folder. */
async function isLearners(machine: Machine): Promise<boolean> {
  return (await machine.run(["test", "-d", HOME])).exitCode === 0
}

async function ofLearner(machine: Machine): Promise<[string, Scripts]> {
  const { stdout } = await machine.run(["sh", "-c", `cd ${HOME} && ls [0-9][0-9]-*.sh`])
  const names = stdout.trim().split("\n")
  const read = async (name: string) => (await machine.read(`${HOME}/${name}`)).toString()
  // A learner who has no table, and names the lesson, has written no answer.
  return [await read(SHEET).catch(() => ""), await textsOf(names, read)]
}

async function ofSolution(): Promise<[string, Scripts]> {
  const folder = join(packageRoot, "fixtures", "solution")
  const names = (await readdir(folder)).filter((name) => name.endsWith(".sh"))
  const read = (name: string) => readFile(join(folder, name), "utf8")
  return [await read(SHEET), await textsOf(names, read)]
}

async function textsOf(names: readonly string[], read: (name: string) => Promise<string>): Promise<Scripts> {
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await read(name)] as const)))
}
