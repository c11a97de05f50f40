import type { Verdict } from "../../report/verdict.ts"
import type { Proof } from "./prove.ts"
import type { Sabotage } from "./sabotage.ts"
import { notByScripts, type Style } from "./styles.ts"

const MARKS: Readonly<Record<Verdict, string>> = {
  passed: "·",
  failed: "F",
  blocked: "b",
  "cannot check here": "?",
  "not started": " ",
  "not chosen": " ",
}

/** What a style's column shows of a sabotage. */
function markOf(proof: Proof | undefined): string {
  if (proof === undefined) return "–"
  return proof.mistakes.length === 0 ? "✓" : "✗"
}

/**
 * A table with a line for each sabotage. It has a column for each test, with a gap between lessons, and a column for
 * each style in which learners' folders made the mistakes. Below it are the reasons why folders cannot make some.
 * @param tried the styles; undefined stands for our own cluster
 */
export function matrix(
  tests: readonly string[],
  sabotages: readonly Sabotage[],
  proofs: readonly Proof[],
  tried: readonly (Style | undefined)[],
): string {
  const lessons = [...new Set(tests.map((test) => test.slice(0, 2)))]
  const columns = lessons.map((lesson) => tests.filter((test) => test.startsWith(lesson)))
  const width = Math.max(0, ...sabotages.map(({ id }) => id.length))
  const byScripts = tried.filter((style) => style !== undefined)
  const lines = sabotages.map((sabotage) => {
    const of = (style: Style | undefined) =>
      proofs.find((proof) => proof.sabotage === sabotage && proof.style === style)
    // Without a proof on our own cluster, the tests show what became of the first style.
    const shown = tried.map(of).find((proof) => proof !== undefined)
    const marks = columns
      .map((column) => column.map((test) => MARKS[shown?.verdicts.get(test) ?? "not chosen"]).join(""))
      .join(" ")
    const inStyles = byScripts.map((style) => `  ${markOf(of(style)).padEnd(style.length)}`).join("")
    const isWrong = tried.some((style) => (of(style)?.mistakes.length ?? 0) > 0)
    return `${sabotage.id.padEnd(width)}  ${marks}${inStyles}  ${sabotage.finding}${sabotage.fails.length === 0 ? " (doctor)" : ""}${isWrong ? "  ✗" : ""}`
  })
  const reasons = new Map<string, string[]>()
  if (byScripts.length > 0)
    for (const sabotage of sabotages) {
      const reason = notByScripts(sabotage)
      if (reason !== undefined) reasons.set(reason, [...(reasons.get(reason) ?? []), sabotage.id])
    }
  return [
    `${" ".repeat(width)}  ${columns.map((column, at) => (lessons[at] ?? "").padEnd(column.length)).join(" ")}${byScripts.map((style) => `  ${style}`).join("")}  finding`,
    ...lines,
    "",
    "F failed, b blocked, · passed",
    ...[...reasons].map(([reason, ids]) => `– ${ids.length} not by scripts (${reason}): ${ids.join(", ")}`),
    "",
  ].join("\n")
}
