import { expect, test } from "vitest"
import type { Observation } from "./observation.ts"
import { fieldIn, onlyLineWith, writerOf } from "./written.ts"

const SCRIPT = `#!/bin/bash
install -D /dev/stdin /etc/a.yaml <<EOF
kind: A
port: $PORT
name: one
EOF
cat >>/etc/b.yaml <<'EOF'
more: true
EOF
`
const seen: Observation = {
  hostname: "host",
  components: [],
  listeners: [],
  connections: [],
  kubeconfigPath: "/root/.kube/config",
  files: {
    "/root/cluster/01-a.sh": SCRIPT,
    "/root/cluster/etc/b.yaml": "kind: B\nport: 1\n",
    "/etc/a.yaml": "kind: A\nport: 7\nname: one\n",
    "/etc/b.yaml": "kind: B\nport: 1\nmore: true\n",
  },
  looks: {},
}

test.each([
  ["/etc/a.yaml", 1, { file: "01-a.sh", line: 3, text: "kind: A" }],
  ["/etc/a.yaml", 2, { file: "01-a.sh", line: 4, text: "port: $PORT" }],
  // The here-document is appended to what another file has.
  ["/etc/b.yaml", 1, undefined],
  ["/etc/c.yaml", 1, undefined],
] as const)("what writes %s, line %d", (path, line, expected) => {
  expect(writerOf(seen, path, line)).toEqual(expected)
})

test("the only line of a learner's files with a text", () => {
  expect(onlyLineWith(seen, "kind: B")).toEqual({ file: "etc/b.yaml", line: 1, text: "kind: B" })
  expect(onlyLineWith(seen, "EOF")).toBeUndefined()
})

test("the line of a field that a component does not accept, as it calls that field", () => {
  const component = { argv: ["program", "--config=/etc/own.yaml"], cwd: "/root" }
  const more = { ...seen, files: { ...seen.files, "/etc/own.yaml": "kind: A\nmaxPods: -1\n  { bindAddress: x }\n" } }
  const line = (words: string) => fieldIn(more, component, words)
  expect(line("maxPods (--max-pods) -1 must not be negative")).toEqual({
    file: "/etc/own.yaml",
    line: 2,
    text: "maxPods: -1",
  })
  expect(line("AConfiguration.BindAddress: Invalid value")?.line).toBe(3)
  expect(line("noSuchField is wrong")).toBeUndefined()
})
