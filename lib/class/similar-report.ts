import { paint } from "../base/colour.ts"
import { fit } from "../report/fit.ts"
import type { Screen } from "../report/terminal.ts"
import { indented } from "./board.ts"
import type { Owner, SharedIdentifiers } from "./identifiers.ts"
import { timeText } from "./marks.ts"
import { plain } from "./plain.ts"
import type { AlikeFiles, AlikePair, Similarities, SharedKey } from "./similar.ts"

/** What a teacher must know first. */
export const NO_VERDICT = "Similarity alone is never a verdict: look at both, and ask both students. No points change."
/** The largest numbers of groups of hosts, keys and pairs in the terminal, and of the files of a pair. JSON and the page have all. */
const MOST = { hosts: 10, keys: 10, pairs: 10, files: 3 } as const
/** Characters of a digest. */
const DIGEST = 12

/** "12 folders were compared: 2 keys …" */
export function comparedText({ compared, keys, pairs, hosts }: Similarities): string {
  const count = (number: number, what: string) => (number === 1 ? `1 ${what}` : `${number} ${what}s`)
  const what = [
    ...(compared > 0 || hosts.compared === 0 ? [count(compared, "folder")] : []),
    ...(hosts.compared > 0 ? [count(hosts.compared, "host")] : []),
  ].join(" and ")
  const isOne = compared + hosts.compared === 1
  const found = [
    ...(keys.length === 0 ? [] : [keys.length === 1 ? "1 key or certificate" : `${keys.length} keys or certificates`]),
    ...(pairs.length === 0 ? [] : [pairs.length === 1 ? "1 pair of students" : `${pairs.length} pairs of students`]),
    ...(hosts.shared.length === 0 ? [] : [`${count(hosts.shared.length, "group")} of hosts`]),
  ]
  return `${what} ${isOne ? "was" : "were"} compared: ${found.length === 0 ? "nothing in common but what is given" : found.join(", ")}.`
}

/** What was not compared. */
export function notesOf({ others, given, hosts }: Similarities): string[] {
  return [
    ...(hosts.shared.length === 0
      ? []
      : ["Hosts have these in common if one was copied, also by the course itself, such as from one image."]),
    ...(given === 0
      ? []
      : [
          `Passages that many students have seem to be given, and were left out (${given} rows of words). ` +
            "Look at them if you did not give them.",
        ]),
    ...others.map(({ id, reason }) => `${id} was not compared: ${plain(reason)}.`),
  ]
}

/** What a key is, and in how many folders. */
export function keyTitle({ kind, digest, places }: SharedKey): string {
  const folders = new Set(places.map(({ student }) => student)).size
  return `the same ${kind} in ${folders} folders (SHA-256 ${digest.slice(0, DIGEST)}…)`
}

/** "the same machine-id (1f0c…) and CA certificate (93ab…) on 2 hosts" */
export function hostsTitle({ identifiers, owners }: SharedIdentifiers): string {
  const what = identifiers.map(({ kind, value }) => `${kind} (${value.slice(0, DIGEST)}…)`)
  const text = what.length === 1 ? what.join("") : `${what.slice(0, -1).join(", ")} and ${what.at(-1) ?? ""}`
  return `the same ${text} on ${owners.length} hosts`
}

/** Whose host, and since when it is known. */
export function ownerText({ student, first, isEarlier }: Owner): string {
  return `${student}, ${isEarlier ? "in an earlier run" : "first seen"} ${timeText(first)}`
}

/** How much two files have in common. */
export function shareText([a, b]: AlikeFiles["files"], share: number): string {
  const names = a === b ? plain(a) : `${plain(a)} and ${plain(b)}`
  return `${names}: ${Math.round(share * 100)} % of the shorter one's own text`
}

/** What the folders of a class have in common, for a terminal, with an empty line before it. */
export function similarLines(similar: Similarities, screen: Pick<Screen, "width" | "isTTY">): string[] {
  const { width } = screen
  const { keys, pairs, hosts } = similar
  const more = (count: number, most: number, what: string) =>
    count > most ? [fit(`${count - most} more ${what} are in book.json.`, width)] : []
  return [
    "",
    paint("bold", "Similar scripts", screen),
    ...[NO_VERDICT, comparedText(similar), ...notesOf(similar)].flatMap((text) => indented(text, "", width)),
    ...hosts.shared
      .slice(0, MOST.hosts)
      .flatMap((shared) => [
        ...indented(hostsTitle(shared), "", width).map((line) => paint("yellow", line, screen)),
        ...shared.owners.map((owner) => fit(`  ${ownerText(owner)}`, width)),
      ]),
    ...more(hosts.shared.length, MOST.hosts, "groups of hosts"),
    ...keys
      .slice(0, MOST.keys)
      .flatMap((key) => [
        paint("yellow", fit(keyTitle(key), width), screen),
        ...key.places.map(({ student, file }) => fit(`  ${student}: ${plain(file)}`, width)),
      ]),
    ...more(keys.length, MOST.keys, "keys or certificates"),
    ...pairs.slice(0, MOST.pairs).flatMap((pair) => pairLines(pair, screen)),
    ...more(pairs.length, MOST.pairs, "pairs"),
  ]
}

/** The files of a pair, with lines of the two that are most alike: on the left those of the first student. */
function pairLines({ students, files }: AlikePair, screen: Pick<Screen, "width" | "isTTY">): string[] {
  const column = Math.floor((screen.width - 7) / 2)
  const cell = (line: number, text: string) => fit(`${line}: ${plain(text)}`, column)
  return [
    paint("yellow", fit(`${students[0]} and ${students[1]}`, screen.width), screen),
    ...files
      .slice(0, MOST.files)
      .flatMap(({ files: names, share, examples }, at) => [
        fit(`  ${shareText(names, share)}`, screen.width),
        ...(at === 0 ? examples : []).map(
          ({ texts: [a, b], lines }) => `    ${cell(lines[0], a).padEnd(column)} │ ${cell(lines[1], b)}`,
        ),
      ]),
    ...(files.length > MOST.files ? [`  and ${files.length - MOST.files} more`] : []),
  ]
}

/** What the folders of a class have in common, as JSON. */
export function similarData({ keys, pairs, hosts, compared, others, given }: Similarities): object {
  return {
    note: NO_VERDICT,
    compared,
    notCompared: others,
    rowsLeftOut: given,
    hosts: {
      compared: hosts.compared,
      shared: hosts.shared.map(({ identifiers, owners }) => ({
        identifiers,
        students: owners.map(({ student, first, isEarlier }) => ({
          id: student,
          first: new Date(first).toISOString(),
          isEarlier,
        })),
      })),
    },
    keys,
    pairs: pairs.map(({ students, files }) => ({
      students,
      files: files.map(({ files: names, share, examples }) => ({
        files: names,
        share: Math.round(share * 100) / 100,
        examples,
      })),
    })),
  }
}
