import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import type { Finding } from "../failures/finding.ts"
import { packageRoot } from "../base/settings.ts"
import { gitHub, gitHubReport } from "./github.ts"
import { lessonResultOf, runResultOf, type Fault, type LessonResult, type OutcomeResult } from "./result.ts"
import { scriptLineOf } from "./script-line.ts"
import { outcomeWith } from "../proof/testing/results.ts"

const scripts = ["01-etcd.sh", "02-apiserver.sh", "04-scheduler.sh", "05-containerd.sh", "05-kubelet.sh"].map(
  (name) => ({ name, text: readFileSync(join(packageRoot, "fixtures", "solution", name), "utf8") }),
)
const lineOf = (script: string, part: string) =>
  (scripts
    .find(({ name }) => name === script)
    ?.text.split("\n")
    .findIndex((line) => line.includes(part)) ?? -2) + 1

/** The lines are found from the text of a card. The failure is not used. */
const FAILURE = { kind: "thrown", name: "Error", message: "it ended", code: undefined } as const

const finding = (given: Partial<Finding>): Finding => ({
  id: "some-finding",
  component: "kube-apiserver",
  cause: "it does",
  remedy: "Do.",
  evidence: "",
  look: "ls",
  ...given,
})
const place = (lesson: string, given: Partial<Finding> | undefined, observed = "") =>
  scriptLineOf(
    lesson,
    { failure: FAILURE, observed, unwell: [], finding: given === undefined ? undefined : finding(given) },
    [],
    scripts,
  )

describe("the script's line", () => {
  test.each([
    ["a flag in the evidence", "02", { evidence: "unknown flag: --etcd-servers" }, "02-apiserver.sh", "--etcd-servers"],
    [
      "a flag in the remedy",
      "03",
      { remedy: "Write TOKEN,USER,UID into it and name it with --token-auth-file." },
      "02-apiserver.sh",
      "--token-auth-file",
    ],
    [
      "a flag whose beginning another has too",
      "02",
      { evidence: "--service-account-key-file is empty" },
      "02-apiserver.sh",
      "--service-account-key-file",
    ],
    [
      "a file in the evidence",
      "02",
      { evidence: "open /etc/kubernetes/pki/sa.key: no such file" },
      "02-apiserver.sh",
      "-out /etc/kubernetes/pki/sa.key",
    ],
    [
      "the script of the component that is not well, instead of the script of the lesson",
      "06",
      { component: "kube-scheduler", remedy: "Check --leader-elect." },
      "04-scheduler.sh",
      "--leader-elect",
    ],
    [
      "the second script of a lesson",
      "05",
      { component: "kubelet", cause: "--config is missing" },
      "05-kubelet.sh",
      "--config",
    ],
  ] as const)("%s", (_, lesson, given, file, part) => {
    expect(place(lesson, given)).toEqual({ script: file, line: lineOf(file, part) })
    expect(lineOf(file, part)).toBeGreaterThan(1)
  })

  test("if no flag or file is named: the first line of the script of that lesson, or of the lesson before", () => {
    expect(place("02", { component: "etcd" })).toEqual({ script: "01-etcd.sh", line: 1 })
    expect(place("02", undefined)).toEqual({ script: "02-apiserver.sh", line: 1 })
    expect(place("03", undefined)).toEqual({ script: "02-apiserver.sh", line: 1 })
    expect(scriptLineOf("03", undefined, [], [])).toBeUndefined()
  })

  test("the line that printed the message", () => {
    const laidOut = [
      { name: "01-etcd.sh", text: readFileSync(join(packageRoot, "fixtures", "scaffold", "01-etcd.sh"), "utf8") },
    ]
    const lines = laidOut[0]?.text.split("\n") ?? []
    const at = lines.findIndex((line) => line.startsWith("echo"))
    const evidence = /"(.*)"/.exec(lines[at] ?? "")?.[1] ?? ""
    const card = { failure: FAILURE, observed: "01-etcd.sh exited with 1, and no etcd runs", unwell: [] }
    expect(scriptLineOf("01", { ...card, finding: finding({ component: "etcd", evidence }) }, [], laidOut)).toEqual({
      script: "01-etcd.sh",
      line: at + 1,
    })
    expect(
      scriptLineOf("01", { ...card, finding: finding({ component: "etcd" }) }, ["something", evidence], laidOut),
    ).toEqual({ script: "01-etcd.sh", line: at + 1 })
  })

  test("the line that bash's error message names", () => {
    expect(place("02", undefined, "01-etcd.sh ended with 127: ./01-etcd.sh: line 7: etdc: command not found")).toEqual({
      script: "01-etcd.sh",
      line: 7,
    })
  })
})

const outcome = (given: Partial<OutcomeResult>): OutcomeResult =>
  outcomeWith({ id: "01-some-outcome", title: "some outcome", see: null, milliseconds: 1, ...given })
const run = (lessons: LessonResult[], faults: Fault[] = []) =>
  runResultOf({ kubernetes: "1.37.2", subject: "/learner", milliseconds: 1 }, lessons, faults)

const graded = run([
  lessonResultOf({ id: "01", title: "etcd: the brain" }, [
    outcome({ title: "put says OK", evidence: "a | b <img src=x>" }),
  ]),
  lessonResultOf({ id: "02", title: "the door" }, [
    outcome({
      title: "starts, and holds port: 6443",
      verdict: "failed",
      reason: "it ended",
      message: "it ended\n    goodbye\n",
      card: {
        failure: FAILURE,
        observed: "100% refused\n::notice title=something::{}",
        unwell: [],
        finding: finding({ evidence: "unknown flag: --etcd-servers\n```" }),
      },
    }),
    outcome({ title: "another", verdict: "not chosen" }),
  ]),
  lessonResultOf({ id: "03", title: "keys" }, [
    outcome({ title: "is a key", verdict: "blocked", reason: "blocked by lesson 02" }),
  ]),
])

test("a failed outcome gives an error at the script's line, and a blocked one gives none", () => {
  const { commands } = gitHubReport(graded, scripts, "")
  expect(commands).toEqual([
    `::error file=02-apiserver.sh,line=${lineOf("02-apiserver.sh", "--etcd-servers")},title=02 starts%2C and holds port%3A 6443::` +
      "100%25 refused%0A::notice title=something::{}%0AWhy: it does (some-finding)%0AEvidence: unknown flag: --etcd-servers%0A```%0ADo: Do.%0A%0Alast lines:%0Agoodbye%0AHint: npx byhand hint 02",
  ])
  expect(gitHubReport(graded, scripts, "learners/one").commands[0]).toMatch(
    /^::error file=learners\/one\/02-apiserver\.sh,/,
  )
})

test("a lesson's file that cannot be loaded is an error without a script, and colours are removed", () => {
  const { commands, summary } = gitHubReport(
    run([], [{ file: "tests/01-etcd.test.ts", message: "\u001b[31mno such module", stack: null }]),
    scripts,
    "",
  )
  expect(commands).toEqual(["::error title=01-etcd.test.ts::no such module"])
  expect(summary).toContain("### ✗ 01-etcd.test.ts\n\n```text\nno such module\n```")
})

test("the summary has a table of lessons and a card for each failure, and escapes what scripts print", () => {
  const { summary } = gitHubReport(graded, scripts, "")
  expect(summary).toContain("## 1 of 3 points\n")
  expect(summary).toContain(
    "| ✓ 01 | etcd: the brain | passed | 1/1 | a &#124; b &#60;img src=x&#62; |\n| ✗ 02 | the door | failed | 0/1 | 1 failed, 1 not chosen |\n| · 03 | keys | blocked | 0/1 | blocked by lesson 02 |",
  )
  expect(summary).toContain(
    `Look at \`02-apiserver.sh\`, line ${lineOf("02-apiserver.sh", "--etcd-servers")}.\n\n\`\`\`\`text\nobserved`,
  )
})

test("our components in place of the learner's are a warning, and are marked in the table and on the cards", () => {
  const standIns = [{ component: "etcd", reason: "etcd exited with 2" }]
  const { commands, summary } = gitHubReport(
    run([
      lessonResultOf({ id: "02", title: "the door" }, [
        outcome({ standIns }),
        outcome({
          verdict: "failed",
          standIns,
          card: { failure: FAILURE, observed: "refused", unwell: [], standIns: ["etcd"] },
        }),
      ]),
      lessonResultOf({ id: "03", title: "keys" }, [outcome({ standIns })]),
    ]),
    scripts,
    "",
  )
  expect(commands[0]).toContain("refused%0Awith our etcd in place of yours%0A")
  expect(commands[1]).toBe("::warning title=our etcd in place of yours::etcd exited with 2")
  expect(summary).toContain("| ✗ 02 | the door | failed with our etcd | 1/2 |")
  expect(summary).toContain("| ✓ 03 | keys | passed with our etcd | 1/1 |")
  expect(summary).toContain("**Our etcd** ran in place of yours: etcd exited with 2\n")
  expect(summary).toContain("\nwith       our etcd in place of yours\n")
})

test("the reader exists only for a learner's folder in a job of GitHub Actions", () => {
  const subject = join(packageRoot, "fixtures", "solution")
  expect(gitHub({ subject }, {})).toBeUndefined()
  expect(gitHub({ subject: undefined }, { GITHUB_ACTIONS: "true" })).toBeUndefined()
  expect(gitHub({ subject }, { GITHUB_ACTIONS: "true" })).toBeTypeOf("function")
})

test("GitHub obeys no command that a script prints: its commands are off from the start of the run to its end", () => {
  let printed = ""
  const reader = gitHub({ subject: join(packageRoot, "fixtures", "solution") }, { GITHUB_ACTIONS: "true" }, (text) => {
    printed += text
  })
  reader?.({ type: "run started", runner: "4", folder: "/suite", kubernetes: "1.37.2", subject: "/learner", at: 0 })
  const [, token = ""] = /^::stop-commands::([0-9a-f]{32})\n$/.exec(printed) ?? []
  expect(token).not.toBe("")
  reader?.({ type: "run ended", result: graded })
  expect(printed).toContain(`::stop-commands::${token}\n\n::${token}::\n::error `)
})
