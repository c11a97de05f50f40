import { literal } from "../base/literal.ts"
import { PHASES } from "./timeline.ts"

/** The name of the file that a learner fills in. */
export const SHEET = "12-kubeadm.md"

/** What a script does that a phase of kubeadm does too: it starts one of some programs, or it mentions words. */
interface Deed {
  readonly programs?: readonly string[]
  readonly words?: RegExp
  /** Whether "none" is right too: kubeadm does more than the script, or it can be seen either way. */
  readonly isOptional?: boolean
}

/** What does the same by hand. An answer must name a script for each deed. A phase without deeds has no counterpart. */
const DEEDS: Readonly<Record<string, readonly Deed[]>> = {
  preflight: [],
  certs: [{ words: /\bopenssl (?:req|x509|genrsa|genpkey|ecparam)\b|\bcfssl\b/ }],
  kubeconfig: [{ words: /kind: Config\b|kubectl config set-cluster|current-context/ }],
  etcd: [{ programs: ["etcd"] }],
  "control-plane": [
    { programs: ["kube-apiserver"] },
    { programs: ["kube-controller-manager"] },
    { programs: ["kube-scheduler"] },
  ],
  "kubelet-start": [{ programs: ["kubelet"] }],
  "wait-control-plane": [{ words: /readyz|livez|healthz|kubectl wait|wait_for|^\s*until /m, isOptional: true }],
  "upload-config": [],
  "upload-certs": [{ words: /\/shared/, isOptional: true }],
  "mark-control-plane": [{ words: /kubectl (?:label|taint)/, isOptional: true }],
  "bootstrap-token": [{ words: /bootstrap\.kubernetes\.io\/token|kubeadm token/ }],
  "kubelet-finalize": [{ words: /rotateCertificates/, isOptional: true }],
  addon: [{ programs: ["kube-proxy"] }, { words: /coredns/i }],
  "show-join-command": [{ words: /bootstrap-token/, isOptional: true }],
}

/** How one answer of a learner is judged. */
export interface Judged {
  readonly phase: string
  readonly verdict: "right" | "half right" | "wrong" | "empty"
  /** What is right, or what is missing, as a sentence. */
  readonly why: string
}

/** What is not right, one text for each phase. */
export function notRight(judged: readonly Judged[]): string[] {
  return judged.flatMap(({ phase, verdict, why }) => {
    if (verdict === "right") return []
    return [verdict === "empty" ? `${phase}: no answer yet` : `${phase}: ${verdict}. ${why}`]
  })
}

/** The texts of scripts, by name. */
export type Scripts = Readonly<Record<string, string>>

/**
 * Judges a table that says which script does what each phase of `kubeadm init` does. An answer may have any wording: the
 * names of scripts in it count, and the names of files that a script writes.
 * @param sheet the table, in Markdown; the first cell of a row names the phase, the last one has the answer
 */
export function judgeSheet(sheet: string, scripts: Scripts): Judged[] {
  const answers = new Map(rowsOf(sheet).map((cells) => [(cells[0] ?? "").replaceAll("`", ""), cells.at(-1) ?? ""]))
  return PHASES.map(({ name }) => judged(name, answers.get(name) ?? "", scripts))
}

/** The rows of the tables in a Markdown text, as cells. */
function rowsOf(markdown: string): string[][] {
  return markdown
    .split("\n")
    .filter((line) => /^\s*\|.*\|\s*$/.test(line))
    .map((line) =>
      line
        .trim()
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    )
}

function judged(phase: string, answer: string, scripts: Scripts): Judged {
  const is = (verdict: Judged["verdict"], why: string): Judged => ({ phase, verdict, why })
  if (answer === "") return is("empty", "Write the name of a script, or none.")
  const deeds = DEEDS[phase] ?? []
  const named = Object.keys(scripts).filter((script) => isNamed(script, answer, scripts))
  const counterparts = deeds.map((deed) => scriptsThatDo(deed, scripts)).filter((names) => names.length > 0)
  const isNone = named.length === 0 && /\bnone\b|\bno script\b|\bnothing\b|^[-–—]$/i.test(answer)
  if (isNone && (counterparts.length === 0 || deeds.every(({ isOptional }) => isOptional === true)))
    return is("right", "No script does all that.")
  if (counterparts.length === 0) return is("wrong", 'No script does that: answer with "none".')
  if (named.length === 0) return is("wrong", "The answer names no script.")
  const missing = counterparts.filter((names) => !names.some((script) => named.includes(script)))
  const strangers = named.filter((script) => !deeds.some((deed) => mentions(deed, scripts[script] ?? "")))
  if (missing.length === counterparts.length) return is("wrong", `${listed(named)} does something else.`)
  if (missing.length > 0) return is("half right", "Another script does a part of it.")
  if (strangers.length > 0) return is("half right", `${listed(strangers)} does something else.`)
  return is("right", listed(named))
}

/** Whether an answer names a script, with or without its ending, or a file that only this script mentions. */
function isNamed(script: string, answer: string, scripts: Scripts): boolean {
  const name = script.replace(/\.sh$/, "")
  if (new RegExp(String.raw`(?<![\w@-])${literal(name)}(?![\w@-])`).test(answer)) return true
  const files = answer.match(/\/[\w./@-]+\w/g) ?? []
  return files.some((file) => {
    const owners = Object.keys(scripts).filter((one) => scripts[one]?.includes(file.replace(/^.*\//, "")))
    return owners.length === 1 && owners[0] === script
  })
}

function scriptsThatDo({ programs = [], words }: Deed, scripts: Scripts): string[] {
  // A command that starts a program has a flag behind it, or goes on in the next line.
  const starts = programs.map((program) => new RegExp(String.raw`(?<![\w.-])${program}(?:\s+--|\s*\\\n|\s+["$])`))
  return Object.entries(scripts)
    .map(([name, text]) => [name, text.replaceAll(/^\s*#.*$/gm, "")] as const)
    .filter(([, text]) => starts.some((start) => start.test(text)) || words?.test(text) === true)
    .map(([name]) => name)
}

/** Whether a script has anything to do with it: it can restart a program that another script has started. */
function mentions({ programs = [], words }: Deed, text: string): boolean {
  return programs.some((program) => text.includes(program)) || words?.test(text) === true
}

function listed(names: readonly string[]): string {
  return new Intl.ListFormat("en-GB").format(names)
}

/** The table that a learner fills in. @param answers the answer for each phase; by default empty */
export function sheetWith(answers: Readonly<Record<string, string>> = {}): string {
  const rows = PHASES.map(({ name, does }) => `| \`${name}\` | ${does} | ${answers[name] ?? ""} |`)
  return [
    "| phase of `kubeadm init` | what it does | which of your scripts does the same |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n")
}
