import { expect, test } from "vitest"
import type { Failure } from "../failures/failure.ts"
import type { Finding } from "../failures/finding.ts"
import { cardLines, cardOf } from "./card.ts"

const refused = (port: number) =>
  `W1126 06:58:35.064409     683 logging.go:55] dial tcp 127.0.0.1:2399: connect from ${port}: connection refused, and more words than a line has`
const failure: Failure = {
  kind: "component-exited",
  name: "kube-apiserver",
  exit: { code: 1, signal: null },
  after: 20_100,
  log: [...Array.from({ length: 9 }, (_, at) => refused(40_000 + at)), "E1126 06:58:36.000000     683 run.go:72] end"],
  logPath: "/root/apiserver.log",
}
const finding: Finding = {
  id: "etcd-elsewhere",
  component: "kube-apiserver",
  cause: "kube-apiserver calls etcd at 127.0.0.1:2399, where no process listens; etcd listens on 127.0.0.1:2379",
  remedy: "Set --etcd-servers=http://127.0.0.1:2379 in 02-apiserver.sh.",
  evidence: refused(40_008),
  look: "ss --listening --tcp --numeric --processes 'sport = :2399 or sport = :2379' | grep etcd; cat /root/apiserver.log",
}

test.each([80, 100])("a card fits into %i columns and leaves commands whole; the log ends it", (width) => {
  const lines = cardLines(cardOf(failure, { finding, unwell: [] }), "02", undefined, width)
  expect(lines.filter((line) => line.length > width && !line.includes(finding.look))).toEqual([])
  expect(lines.length).toBeLessThanOrEqual(15)
  expect(lines.map((line) => line.slice(3, 14).trim()).filter((label) => label !== "")).toEqual([
    "observed",
    "why",
    "evidence",
    "do",
    "look",
    "hint",
    "log",
  ])
  expect(lines).toContain(`   look       ${finding.look}`)
  expect(lines.at(-2)).toMatch(/^ {14}\(× 9\) W .*….* than a line has$/)
  expect(lines.at(-1)).toBe("              E run.go:72: end")
})

test("a long value ends with an ellipsis", () => {
  const mismatch: Failure = { kind: "mismatch", outcome: "02 x", expected: "one", actual: "many words ".repeat(50) }
  const lines = cardLines(cardOf(mismatch, { finding: undefined, unwell: [] }), "02", undefined, 80)
  expect(lines[0]).toBe("   expected   one")
  expect(lines.slice(1, 4).map((line) => line.slice(3, 14).trim())).toEqual(["observed", "", ""])
  expect(lines[3]?.endsWith("…")).toBe(true)
})
