import { UsageError } from "../base/errors.ts"
import { Classroom } from "../curriculum/classroom.ts"
import { tableOf } from "../curriculum/kubeadm.ts"
import { kubeadm, stagesUpTo } from "../curriculum/lessons.ts"
import { admit, makeRunsDir } from "../machines/admission.ts"
import { TOPICS, type Topic } from "../kubeadm/inventory.ts"
import { countsOf, type Row } from "../kubeadm/comparison.ts"
import { silentProgress } from "../base/progress-silent.ts"
import { terminalProgress } from "../base/progress-terminal.ts"
import { wrapped } from "../report/fit.ts"
import { readFolder } from "../subjects/folder.ts"
import { settingsOf, type CommonOptions, type Outcome } from "./options.ts"
import { prepared } from "./prepared.ts"
import { idOf } from "./runs.ts"

export interface CompareOptions extends CommonOptions {
  /** Whether it is printed as Markdown. */
  readonly markdown?: boolean
}

/** Columns of the words in front of a value. */
const INDENT = 12
const WIDEST = 100

/**
 * Makes a cluster with kubeadm, and compares it with our own cluster, or with the one that the scripts of a folder
 * start. All machines end.
 * @param what kubeadm: nothing else can be compared yet
 * @throws UsageError, KubeadmError, ComponentError if the other cluster does not start
 */
export async function compareWith(what: string, folder: string | undefined, options: CompareOptions): Promise<Outcome> {
  if (what !== "kubeadm")
    throw new UsageError(
      `byhand compare does not know ${what}.`,
      "It compares with kubeadm: npx byhand compare kubeadm",
    )
  const settings = { ...settingsOf(options), subject: folder }
  if (folder !== undefined) await readFolder(folder) // A folder that is wrong is named before programs are built.
  await admit(settings, idOf("compare"))
  makeRunsDir(settings)
  const { provider, artifacts } = await prepared(settings)
  const classroom = await Classroom.open(artifacts, { ...settings, machine: provider.kind })
  try {
    const progress = process.stderr.isTTY ? terminalProgress() : silentProgress
    const rows = await progress.task("Making a cluster with kubeadm, and one by hand", async () => {
      const cluster = classroom.kubeadm()
      await classroom.subject.enter(stagesUpTo(kubeadm))
      await classroom.subject.ensure(kubeadm.components)
      return tableOf(await cluster, classroom.machine, (await classroom.access()).kubeconfig)
    })
    const width = Math.min(process.stdout.columns || WIDEST, WIDEST)
    return { text: options.markdown === true ? markdownOf(rows) : textOf(rows, width), data: rows }
  } finally {
    await classroom[Symbol.asyncDispose]()
  }
}

/** The topics, each with its rows, as lines for a terminal. */
function textOf(rows: readonly Row[], width: number): string {
  const topics = grouped(rows).map(
    ([topic, own]) => `${topic}: ${countsOf(own)}\n\n${own.map((row) => blockOf(row, width)).join("")}`,
  )
  return `= same   ~ different   + only in kubeadm   - only by hand\n\n${topics.join("\n")}`
}

function blockOf({ name, kubeadm: theirs, byHand: own, verdict, reason }: Row, width: number): string {
  const line = (label: string, text: string) =>
    wrapped(text, width - INDENT).map((part, at) => `${(at === 0 ? `    ${label}` : "").padEnd(INDENT)}${part}\n`)
  if (verdict === "same") return `  = ${name}\n${line("both", theirs ?? "").join("")}`
  return [
    `  ${verdict === "different" ? "~" : verdict === "only in kubeadm" ? "+" : "-"} ${name}\n`,
    ...(theirs === undefined ? [] : line("kubeadm", theirs)),
    ...(own === undefined ? [] : line("hand", own)),
    ...line("why", reason ?? "no reason is known"),
  ].join("")
}

/** The same as Markdown, with a table for each topic. */
function markdownOf(rows: readonly Row[]): string {
  const cell = (text: string | undefined) => (text === undefined ? "" : `\`${text.replaceAll("|", String.raw`\|`)}\``)
  return grouped(rows)
    .map(([topic, own]) =>
      [
        `## ${topic}`,
        "",
        countsOf(own),
        "",
        "| | kubeadm | by hand | |",
        "| --- | --- | --- | --- |",
        ...own.map(({ name, kubeadm: theirs, byHand: other, verdict, reason }) =>
          [`| ${name}`, cell(theirs), cell(other), `${verdict}${reason === undefined ? "" : `: ${reason}`} |`].join(
            " | ",
          ),
        ),
        "",
      ].join("\n"),
    )
    .join("\n")
}

/** The titles of the topics, in their order. */
const TITLES: Readonly<Record<Topic, string>> = {
  certificate: "Certificates",
  kubeconfig: "Kubeconfigs",
  flag: "Flags",
  "kubelet field": "Fields of the kubelet's configuration",
  file: "Files",
  object: "Objects",
}

function grouped(rows: readonly Row[]): [string, readonly Row[]][] {
  return TOPICS.map((topic) => [TITLES[topic], rows.filter((row) => row.topic === topic)])
}
