// Measures how long a learner waits for feedback: the time from saving a start script to the verdict on the component
// that it starts, with `npx byhand watch`, and to the end of its lesson.
// usage: node bench/watch.mjs [--rounds N] [--json]      (as root; needs the build in dist)
// It goes the way of a learner: from a new folder, one script after another is completed and saved again, until its lesson
// passes and the next one does not. For comparison, the lesson is graded once on a new machine, as `npx byhand grade` does.
// It prints each measurement at once, and starts none after four minutes.
import { execa } from "execa"
import { appendFile, cp, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { packageRoot } from "../dist/base/settings.js"

/** The aim: the time to the verdict on the component of that script (seconds). */
const AIM = 3
/** The timeout for one verdict, and the time after which no measurement starts (milliseconds). */
const HANGING = 120_000
const ENOUGH = 240_000
/** Each script, those that its lesson needs besides, and the outcome that is the verdict on its component. */
const SCRIPTS = [
  { script: "01-etcd.sh", outcome: "01 etcd starts" },
  { script: "02-apiserver.sh", outcome: "02 kube-apiserver starts" },
  { script: "04-scheduler.sh", outcome: "04 once a scheduler runs" },
  { script: "05-containerd.sh", beside: ["05-kubelet.sh", "etc"], outcome: "05 the kubelet registers" },
  { script: "05-kubelet.sh", outcome: "05 the kubelet registers" },
]

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "2" }, json: { type: "boolean" } },
})
const rounds = Number(flags.rounds)
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error("--rounds must be an integer of at least 1.")
  process.exit(2)
}

const began = performance.now()
const folder = await mkdtemp(join(tmpdir(), "byhand-bench-"))
const subject = join(folder, "cluster")
const solution = join(packageRoot, "fixtures", "solution")
const cli = join(packageRoot, "dist", "cli", "main.js")
const environment = { BYHAND_RUNS: join(folder, "runs"), NO_COLOR: "1" }
const rows = SCRIPTS.map((row) => ({ ...row, verdicts: [], lessons: [], fresh: [] }))
/** The scripts in the learner's folder that are no longer as `byhand new` writes them. */
const complete = new Set()
let said = ""

await cp(join(packageRoot, "fixtures", "scaffold"), subject, { recursive: true })
const watching = execa(process.execPath, [cli, "watch", subject], {
  env: environment,
  reject: false,
  all: true,
  buffer: false,
})
watching.all.on("data", (chunk) => {
  said += chunk
})
/** What is printed when a lesson does not pass, or all pass. */
const ENDED = /^(Every lesson passes|Lesson \d\d does not pass)/m
try {
  note("waiting for the first verdict")
  await until(ENDED)
  for (const row of rows) {
    const { script, beside = [], outcome } = row
    const lesson = script.slice(0, 2)
    said = ""
    for (const file of beside) await cp(join(solution, file), join(subject, file), { recursive: true })
    for (const file of beside) complete.add(file)
    if (beside.length > 0) await until(ENDED)
    for (let round = 0; round < rounds && performance.now() - began < ENOUGH; round++) {
      await new Promise((resolve) => setTimeout(resolve, 3_000)) // A person needs longer than that to change a line.
      said = ""
      const saved = performance.now()
      if (!complete.has(script)) await cp(join(solution, script), join(subject, script))
      else await appendFile(join(subject, script), `# saved ${round}\n`)
      const [line] = await until(new RegExp(`^ . ${outcome}.*$`, "m"))
      complete.add(script)
      row.verdicts.push((performance.now() - saved) / 1000)
      if (!line.startsWith(" ✓")) throw new Error(`${script}: ${line}`)
      await until(new RegExp(`^ . (?!${lesson}\\b)\\d\\d .*$|${ENDED.source}`, "m"))
      row.lessons.push((performance.now() - saved) / 1000)
      note(
        `${script}: verdict after ${row.verdicts.at(-1).toFixed(2)} s, lesson after ${row.lessons.at(-1).toFixed(2)} s`,
      )
      await until(ENDED)
    }
    if (performance.now() - began < ENOUGH) {
      const started = performance.now()
      await execa(process.execPath, [cli, "grade", subject, lesson], { env: environment })
      row.fresh.push((performance.now() - started) / 1000)
      note(`${script}: lesson on a new machine after ${row.fresh.at(-1).toFixed(2)} s`)
    }
  }
} finally {
  watching.kill("SIGINT")
  await watching
  await rm(folder, { recursive: true, force: true })
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const table = rows.map(({ script, verdicts, lessons, fresh }) => ({
  script,
  verdict: median(verdicts),
  lesson: median(lessons),
  fresh: median(fresh),
}))
if (flags.json) console.log(JSON.stringify({ rounds, aim: AIM, rows: table, measured: rows }, undefined, 2))
else {
  const line = (title, ...cells) =>
    console.log(`${title.padEnd(18)}${cells.map((cell) => cell.padStart(14)).join("")}`.trimEnd())
  const seconds = (value) => (value === undefined ? "not measured" : `${value.toFixed(2)} s`)
  line(`median of ${rounds}`, "verdict", "lesson", "from nothing", "aim")
  for (const { script, verdict, lesson, fresh } of table)
    line(
      script,
      seconds(verdict),
      seconds(lesson),
      seconds(fresh),
      verdict === undefined ? "" : `${verdict <= AIM ? "ok" : "MISSED"} ${AIM} s`,
    )
}

function note(text) {
  console.error(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`)
}

/** Waits until `byhand watch` has printed a text that matches the pattern, since the last save. */
async function until(words) {
  for (const deadline = performance.now() + HANGING; ;) {
    if (performance.now() > deadline)
      throw new Error(`byhand watch did not print ${words} within ${HANGING / 1000} s: ${said.slice(-2_000)}`)
    const found = words.exec(said)
    if (found !== null) return found
    if (watching.exitCode !== null && watching.exitCode !== undefined) throw new Error(`byhand watch ended: ${said}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
