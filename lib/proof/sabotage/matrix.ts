import type { Verdict } from "../../report/verdict.ts"
import type { Proof } from "./prove.ts"

const MARKS: Readonly<Record<Verdict, string>> = {
  passed: "·",
  failed: "F",
  blocked: "b",
  "cannot check here": "?",
  "not chosen": " ",
}

/** A table with a line for each sabotage, a column for each test, and a gap between lessons. */
export function matrix(tests: readonly string[], proofs: readonly Proof[]): string {
  const lessons = [...new Set(tests.map((test) => test.slice(0, 2)))]
  const columns = lessons.map((lesson) => tests.filter((test) => test.startsWith(lesson)))
  const width = Math.max(0, ...proofs.map(({ sabotage }) => sabotage.id.length))
  const lines = [
    `${" ".repeat(width)}  ${columns.map((column, at) => (lessons[at] ?? "").padEnd(column.length)).join(" ")}  finding`,
    ...proofs.map(({ sabotage, verdicts, mistakes }) => {
      const marks = columns
        .map((column) => column.map((test) => MARKS[verdicts.get(test) ?? "not chosen"]).join(""))
        .join(" ")
      return `${sabotage.id.padEnd(width)}  ${marks}  ${sabotage.finding}${sabotage.fails.length === 0 ? " (doctor)" : ""}${mistakes.length > 0 ? "  ✗" : ""}`
    }),
  ]
  return [...lines, "", "F failed, b blocked, · passed", ""].join("\n")
}
