import { describe, expect, test } from "vitest"
import type { ComponentFailure, Failure } from "../../failures/failure.ts"
import { diagnose } from "../diagnose.ts"
import type { Observation, ObservedComponent } from "../observation.ts"
import { nothing } from "../observe.ts"

const FILE = "/root/cluster/01-etcd.sh"

/** What is found first for a failure of etcd, with the text of its script. */
function found(
  failure: Partial<ComponentFailure> & Pick<ComponentFailure, "kind">,
  script = "",
  argv: readonly string[] = ["etcd"],
) {
  const log = { name: "etcd", log: [], logPath: "/var/log/e.log" } as const
  const whole = { ...log, ...failure } as Failure // Each case gives the fields of its kind.
  const etcd: ObservedComponent = {
    name: "etcd",
    state: "absent",
    isMeantToBe: true,
    answer: undefined,
    pid: 0,
    argv,
    log: "log" in whole ? whole.log : [],
    logPath: "/var/log/e.log",
  }
  const seen: Observation = { ...nothing("m", whole), components: [etcd], files: { [FILE]: script } }
  return diagnose(seen)[0]
}

const ended = {
  kind: "script-ended",
  script: "01-etcd.sh",
  exit: { code: 1, signal: null },
  wasRunning: false,
} as const
const exited = { kind: "component-exited", exit: undefined, after: 40 } as const

describe("what bash says", () => {
  test.each([
    ["./01-etcd.sh: line 4: syntax error near unexpected token `fi'", "script-syntax", "line 4"],
    ["./01-etcd.sh: line 9: unexpected EOF while looking for matching `\"'", "script-syntax", "line 9"],
    ["./01-etcd.sh: line 3: etdc: command not found", "program-mistyped", "Write etcd instead of etdc"],
    ["./01-etcd.sh: line 3: exec: etdc: not found", "program-mistyped", "Write etcd instead of etdc"],
    ["./01-etcd.sh: line 3: /usr/bin/etcd: No such file or directory", "program-mistyped", "/usr/bin/etcd"],
    ["./01-etcd.sh: line 5: --data-dir=/x: No such file or directory", "line-not-continued", "line 5"],
  ])("%s", (line, id, part) => {
    const finding = found({ ...ended, bash: [line] })
    expect(finding).toMatchObject({ id, component: "etcd", evidence: line })
    expect(`${finding?.cause} ${finding?.remedy}`).toContain(part)
  })

  test("a quote without an end is looked for from the beginning: bash names a later line", () => {
    const line = "./01-etcd.sh: line 9: unexpected EOF while looking for matching `\"'"
    const script =
      "#!/bin/bash\n# it's a comment\ncat <<EOF\ndon't\nEOF\necho 'a \\' \"b\\\"'\"\netcd --name=\"one'\necho \"x\""
    expect(found({ ...ended, bash: [line] }, script)?.remedy).toContain(`line 7 (etcd --name="one')`)
    expect(found({ ...ended, bash: [line] }, "#!/bin/bash")?.remedy).toContain("Correct line 9")
  })

  test("a syntax error of another program is not one of bash", () => {
    expect(found({ ...ended, bash: ["awk: line 1: syntax error at or near print"] })?.id).toBe("script-ended")
  })

  test("a command that was not found is known also if the script hides what bash says", () => {
    const place = { file: FILE, command: "-keyout a.key 2>/dev/null", line: 7 }
    const exit = { code: 127, signal: null }
    expect(found({ ...ended, exit, place })).toMatchObject({
      id: "line-not-continued",
      evidence: `${FILE}: line 7: -keyout: command not found`,
    })
    expect(found({ ...ended, exit: { code: 1, signal: null }, place })?.id).toBe("script-ended")
  })

  test("a process that its script has missed explains the end of the script, in its own words if they are known", () => {
    const missed = { file: FILE, command: "start etcd", line: 4 }
    const place = { file: FILE, command: "kill -0 $!", line: 9, call: { file: FILE, command: "ready", line: 5 } }
    const over = "./01-etcd.sh: line 9: kill: (77) - No such process"
    const missing = { ...ended, place, missed }
    expect(found({ ...missing, log: ["./01-etcd.sh: line 4: start: oops", over] })).toMatchObject({
      id: "script-ended",
      evidence: "./01-etcd.sh: line 4: start: oops",
      cause: expect.stringContaining("has ended: line 4 (start etcd)") as string,
      remedy: expect.stringContaining(`Correct line 4 of ${FILE}`) as string,
    })
    expect(found({ ...missing, log: ["something else", "", over] })?.evidence).toBe("something else")
    expect(found({ ...missing, log: [over] })?.evidence).toBe("01-etcd.sh exited with 1")
    expect(found({ ...missing, log: ["Error: no such thing", over] })).toMatchObject({
      id: "last-words",
      cause: "etcd gave up: no such thing",
      remedy: "Correct what etcd complains about.",
    })
    expect(found({ ...ended, place, log: ["Error: no such thing", over] })?.id).toBe("script-ended")
  })

  test("a script that has ended well, without any command that could start the component", () => {
    const place = { file: FILE, command: "mkdir -p /x", line: 2 }
    const well = { ...ended, exit: { code: 0, signal: null }, place }
    const remedy = (script: string) => found(well, script)?.remedy
    expect(remedy("#!/bin/bash\nmkdir -p /x\n")).toContain("Write that command below line 2 of 01-etcd.sh")
    expect(remedy("#!/bin/bash\nmkdir -p /x\nexec etcd\n")).toContain("Correct the script")
    expect(remedy("#!/bin/bash\nmkdir -p /x\n./start.sh\n")).toContain("Correct the script")
  })

  test("a command that is missing explains the end of a script only if it was the last one", () => {
    const bash = ["./01-etcd.sh: line 2: jq: command not found"]
    const place = { file: FILE, command: "jq .", line: 2 }
    expect(found({ ...ended, bash, place })?.id).toBe("command-not-found")
    expect(found({ ...ended, bash, place: { ...place, line: 7 } })?.id).toBe("script-ended")
    const swapped = "#!/bin/bash\nned() {\n  pkill $1\n}\nend etcd"
    const call = { bash: ["./01-etcd.sh: line 5: end: command not found"], place: { ...place, line: 5 } }
    const finding = found({ ...ended, ...call }, swapped)
    expect(`${finding?.cause} ${finding?.remedy}`).toMatch(
      /runs end, and there is no such program or function; line 2 defines ned, .*ned in line 2, end in line 5/,
    )
    const exec = { file: FILE, command: "exec program --flag", line: 2 }
    expect(found({ ...ended, exit: { code: 127, signal: null }, place: exec })?.cause).toContain("runs program,")
  })

  test("a log in a folder that does not exist", () => {
    const bash = ["./01-etcd.sh: line 1: /logs/etcd.log: No such file or directory"]
    const place = { file: FILE, line: 1, command: "etcd >/logs/etcd.log" }
    const finding = found({ ...ended, bash, place }, "etcd >/logs/etcd.log 2>&1 &\n")
    expect(finding).toMatchObject({ id: "log-folder-missing" })
    expect(finding?.remedy).toContain("mkdir -p /logs")
  })
})

test("a blank after a backslash is found in the command that starts the component, and in no other", () => {
  const place = { file: FILE, line: 2, command: "etcd" }
  expect(found({ ...exited, place }, "#!/bin/bash\netcd \\\n  --name=a \\ \n  --b\n")).toMatchObject({
    id: "blank-after-backslash",
    cause: expect.stringContaining("line 3") as string,
  })
  expect(found({ ...exited, place }, "#!/bin/bash\netcd \\\n  --name=a\necho \\ \n")).toBeUndefined()
})

describe("a component's own last words", () => {
  const klog = (level: string, words: string) => `${level}1126 08:21:59.1 12 main.go:1] ${words}`
  test.each([
    [[klog("F", "no such thing")], "last-words", "no such thing"],
    [["Error: unknown shorthand flag: 'x' in -x", "usage", "usage"], "last-words", "unknown shorthand flag"],
    [['{"level":"fatal","msg":"discovery failed","error":"no room"}'], "last-words", "no room"],
    [[klog("E", '"command failed" err="what"')], "last-words", "what"],
    [[klog("E", "cannot go on"), "bye"], "last-words", "cannot go on"],
    [[klog("E", "harmless"), "a", "b"], undefined, ""],
  ] as const)("%j", (log, id, words) => {
    const finding = found({ ...exited, log })
    expect(finding?.id).toBe(id)
    expect(finding?.cause ?? "").toContain(words)
  })

  test("a value in them is named by its flag, the longest one if there are several", () => {
    const log = ['{"level":"fatal","msg":"open /pki/ca.crt /pki/ca.crt: no such file or directory"}']
    const argv = ["etcd", "--data-dir=/pki", "--trusted-ca-file=/pki/ca.crt /pki/ca.crt", "--name=default"]
    expect(found({ ...exited, log }, "", argv)?.remedy).toContain("the value of --trusted-ca-file.")
    expect(found({ ...exited, log }, "", ["etcd", "--name=default"])?.remedy).not.toContain("--")
  })

  test("what it complained about while it was ready does not explain its end", () => {
    const finding = found({ ...exited, wasReady: true, log: [klog("E", "harmless")] })
    expect(finding).toMatchObject({ id: "ended-by-itself" })
  })
})
