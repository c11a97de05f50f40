import { expect, test } from "vitest"
import { drawFrom } from "../draw.ts"
import type { TestResult } from "../sabotage/tasks.ts"
import { edited, kinds, slip, type Edit } from "./edits.ts"
import { judge } from "./judge.ts"

const files = new Map([
  ["01-etcd.sh", '#!/bin/bash\n# a comment\nexec etcd \\\n  --data-dir="/var/lib/etcd" \\\n  --name=one\n'],
  ["etc/kubernetes/kubelet.yaml", "kind: KubeletConfiguration\n# a comment\nfailCgroupV1: false\n"],
])

test("the same seed makes the same slip; each is one edit of one file, never of a comment; every kind occurs", () => {
  const made = Array.from({ length: 400 }, (_, seed) => slip(files, drawFrom(seed)))
  expect(slip(files, drawFrom(7))).toEqual(made[7])
  for (const edit of made) {
    const text = files.get(edit.file) ?? ""
    expect(edit.before).not.toMatch(/^#/)
    expect(text.split("\n")[edit.line - 1]).toBe(edit.before)
    expect(edited(text, edit), edit.kind).not.toBe(text)
    expect(edited(text, edit)).toContain("# a comment")
    if (edit.file.endsWith(".sh")) expect(edit.commandLine).toBe(edit.line < 4 ? edit.line : 3)
  }
  expect(new Set(made.map(({ kind }) => kind))).toEqual(new Set(kinds))
})

const edit: Edit = {
  kind: "a letter is changed",
  file: "01-etcd.sh",
  line: 4,
  commandLine: 3,
  before: "  --data-dir=/var/lib/etcd",
  after: ["  --daba-dir=/var/lib/etcd"],
}
const result = (given: Partial<TestResult>): TestResult => ({
  test: "01 etcd starts",
  verdict: "failed",
  reason: "",
  finding: "unknown-flag",
  advice: "etcd has no flag --daba-dir",
  ...given,
})

test("an edit of a here-document is named by the file that it writes", () => {
  const script = "#!/bin/bash\ninstall -D /dev/stdin /etc/a.yaml <<'EOF'\nkey: value\nEOF\n"
  const made = Array.from({ length: 200 }, (_, seed) => slip(new Map([["01-a.sh", script]]), drawFrom(seed)))
  const inside = made.find(({ line, kind }) => line === 3 && kind === "a letter is changed")
  expect(inside?.writes).toBe("/etc/a.yaml")
  expect(made.find(({ line }) => line === 1)?.writes).toBeUndefined()
  if (inside === undefined) return
  expect(judge(inside, [result({ advice: "etcd cannot read /etc/a.yaml" })])).toBe("named")
  expect(judge(inside, [result({ advice: "etcd cannot read /etc/b.yaml" })])).toBe("wrong")
})

test("an edit of a short name is named by the variable, or by the function", () => {
  const unset = { ...edit, before: "PKI=/x", after: [] }
  const swapped = { ...edit, before: "end() {", after: ["ned() {"] }
  expect(judge(unset, [result({ finding: "x", advice: "line 7 uses the variable PKI, which has no value" })])).toBe(
    "named",
  )
  expect(judge(unset, [result({ finding: "x", advice: "the PKI is wrong" })])).toBe("wrong")
  expect(judge(swapped, [result({ finding: "x", advice: "line 2 defines ned" })])).toBe("named")
  expect(judge(swapped, [result({ finding: "x", advice: "the send fails" })])).toBe("wrong")
})

test.each([
  ["harmless", [result({ verdict: "passed" })]],
  ["named", [result({ verdict: "passed" }), result({})]],
  ["named", [result({ finding: "script-ended", advice: "line 4: --daba-dir" })]],
  ["named", [result({ finding: "script-syntax", advice: "Correct line 4 of ./01-etcd.sh" })]],
  ["named", [result({ finding: "script-syntax", advice: "Correct line 44 of ./01-etcd.sh" })]],
  ["wrong", [result({ finding: "script-syntax", advice: "Correct line 44 of ./02-apiserver.sh" })]],
  ["named", [result({ finding: "script-ended", advice: "01-etcd.sh exited with 1 in line 3 (exec etcd)" })]],
  ["vague", [result({ finding: "script-ended", advice: "01-etcd.sh exited with 1 in line 2 (mkdir)" })]],
  ["vague", [result({ finding: "script-ended", advice: "01-etcd.sh exited with 1" })]],
  ["wrong", [result({ finding: "port-taken", advice: "port 2379 is taken" })]],
  ["no end", undefined],
] as const)("%s", (expected, results) => {
  expect(judge(edit, results)).toBe(expected)
})
