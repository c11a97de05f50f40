import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { packageRoot } from "../base/settings.ts"
import { judgeSheet, SHEET, sheetWith } from "./sheet.ts"

const fixture = (...path: string[]) => join(packageRoot, "fixtures", ...path)
const names = readdirSync(fixture("solution")).filter((name) => name.endsWith(".sh"))
const scripts = Object.fromEntries(names.map((name) => [name, readFileSync(fixture("solution", name), "utf8")]))

/** The verdict on one answer, and why. */
function verdictOn(phase: string, answer: string): string {
  const judged = judgeSheet(sheetWith({ [phase]: answer }), scripts).find((one) => one.phase === phase)
  return `${judged?.verdict ?? ""}: ${judged?.why ?? ""}`
}

test("the table of a new folder has a row for each phase, and no answer", () => {
  const text = readFileSync(fixture("scaffold", SHEET), "utf8")
  expect(text).toContain(sheetWith())
  expect(new Set(judgeSheet(text, scripts).map(({ verdict }) => verdict))).toEqual(new Set(["empty"]))
})

test("the table of the solution is right", () => {
  const judged = judgeSheet(readFileSync(fixture("solution", SHEET), "utf8"), scripts)
  expect(judged.filter(({ verdict }) => verdict !== "right")).toEqual([])
})

test.each([
  ["etcd", "01-etcd", "right: 01-etcd.sh"],
  ["etcd", "`01-etcd.sh` starts it", "right: 01-etcd.sh"],
  ["etcd", "the script that writes to /var/lib/etcd: 01-etcd", "right: 01-etcd.sh"],
  ["etcd", "11-etcd starts it again", "right: 11-etcd.sh"],
  ["etcd", "05-kubelet", "wrong: 05-kubelet.sh does something else."],
  ["etcd", "none", "wrong: The answer names no script."],
  ["etcd", "I do not know", "wrong: The answer names no script."],
  ["etcd", "", "empty: Write the name of a script, or none."],
  ["etcd", "01-etcd and 04-scheduler", "half right: 04-scheduler.sh does something else."],
  ["control-plane", "02-apiserver, 04-scheduler", "half right: Another script does a part of it."],
  ["control-plane", "02-apiserver, 04-scheduler, 09-controller-manager", expect.stringMatching(/^right: /)],
  ["kubelet-start", "etc/kubernetes/kubelet.yaml, in 05-kubelet.sh", "right: 05-kubelet.sh"],
  ["upload-config", "none", "right: No script does all that."],
  ["upload-config", "01-etcd", 'wrong: No script does that: answer with "none".'],
  ["wait-control-plane", "nothing does", "right: No script does all that."],
  ["wait-control-plane", "08-pki waits for each component", "right: 08-pki.sh"],
])("%s: %j is %s", (phase, answer, expected) => {
  expect(verdictOn(phase, answer)).toEqual(expected)
})

test("a table with other words around it, and a row that is missing", () => {
  const judged = judgeSheet(
    "# My answers\n\n| phase | script |\n|---|---|\n| certs | 02-apiserver |\ntext | here",
    scripts,
  )
  expect(judged.find(({ phase }) => phase === "certs")?.verdict).toBe("right")
  expect(judged.find(({ phase }) => phase === "etcd")?.verdict).toBe("empty")
})
