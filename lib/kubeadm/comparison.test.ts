import { expect, test } from "vitest"
import { compare, unexplained, type Reason } from "./comparison.ts"
import type { Item } from "./inventory.ts"

const flag = (name: string, value: string): Item => ({ topic: "flag", name, value })
const reasons: readonly Reason[] = [
  { verdict: "only in kubeadm", topic: "flag", names: /^etcd --snapshot-count$/, reason: "memory" },
  { verdict: "different", topic: "flag", names: /--name$/, reason: "a free choice" },
]

const rows = compare(
  [
    flag("etcd --name", "one"),
    flag("etcd --data-dir", "/var"),
    flag("etcd --snapshot-count", "5"),
    flag("etcd --new", "1"),
  ],
  [flag("etcd --name", "two"), flag("etcd --data-dir", "/var"), flag("etcd --mine", "yes")],
  reasons,
)

test("each item is the same, different, or only in one of them", () => {
  expect(rows.map(({ name, verdict, reason }) => [name, verdict, reason])).toEqual([
    ["etcd --name", "different", "a free choice"],
    ["etcd --data-dir", "same", undefined],
    ["etcd --snapshot-count", "only in kubeadm", "memory"],
    ["etcd --new", "only in kubeadm", undefined],
    ["etcd --mine", "only by hand", undefined],
  ])
})

test("of a learner's cluster, only what kubeadm has must be explained", () => {
  expect(unexplained(rows, true).map(({ name }) => name)).toEqual(["etcd --new", "etcd --mine"])
  expect(unexplained(rows, false).map(({ name }) => name)).toEqual(["etcd --new"])
})

test("a reason for something that is missing in one does not explain that it is missing in the other", () => {
  const [row] = compare([], [flag("etcd --snapshot-count", "5")], reasons)
  expect(row).toMatchObject({ verdict: "only by hand", reason: undefined })
})

test("where a file is makes no difference", () => {
  const file = (value: string): Item => ({ topic: "file", name: "etcd --cert-file", value })
  expect(compare([file("/a")], [file("/b")], [])[0]?.verdict).toBe("same")
})
