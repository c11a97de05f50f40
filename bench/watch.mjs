// Measures how long a learner waits for feedback: the time from saving a start script to the verdict of its lesson, on
// a cluster on which every lesson passes.
// usage: node bench/watch.mjs [--rounds N] [--json]      (as root; needs the build in dist)
// For comparison, the same lesson is graded on a new machine right after that, as `npx byhand grade` does. The ratio
// shows how much time it saves to keep the machine.
import { execa } from "execa"
import { appendFile, cp, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { packageRoot } from "../dist/base/settings.js"

/** The aim: the time to a verdict if only the component of that script is restarted (seconds). */
const AIM = 3
/** The timeout for one verdict (milliseconds). */
const HANGING = 300_000
const SCRIPTS = ["01-etcd.sh", "02-apiserver.sh", "04-scheduler.sh", "05-containerd.sh", "05-kubelet.sh"]

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, json: { type: "boolean" } },
})
const rounds = Number(flags.rounds)
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error("--rounds must be an integer of at least 1.")
  process.exit(2)
}

const folder = await mkdtemp(join(tmpdir(), "byhand-bench-"))
const subject = join(folder, "cluster")
const cli = join(packageRoot, "dist", "cli", "main.js")
const environment = { BYHAND_RUNS: join(folder, "runs"), NO_COLOR: "1" }
const rows = SCRIPTS.map((script) => ({ script, watch: [], fresh: [] }))
let said = ""

await cp(join(packageRoot, "fixtures", "solution"), subject, { recursive: true })
const watching = execa(process.execPath, [cli, "watch", subject], {
  env: environment,
  reject: false,
  all: true,
  buffer: false,
})
watching.all.on("data", (chunk) => {
  said += chunk
})
try {
  await until(/Every lesson passes/)
  for (let round = 1; round <= rounds; round++) {
    if (process.stderr.isTTY) process.stderr.write(`round ${round} of ${rounds}\n`)
    for (const row of rows) {
      const lesson = row.script.slice(0, 2)
      said = ""
      const saved = performance.now()
      await appendFile(join(subject, row.script), `# saved ${round}\n`)
      const [line] = await until(new RegExp(`^${lesson}  .*$`, "m"))
      row.watch.push((performance.now() - saved) / 1000)
      if (!line.includes("passed")) throw new Error(`${row.script}: ${line}`)
      await until(/Every lesson passes/)
      const started = performance.now()
      await execa(process.execPath, [cli, "grade", subject, lesson], { env: environment })
      row.fresh.push((performance.now() - started) / 1000)
    }
  }
} finally {
  watching.kill("SIGINT")
  await watching
  await rm(folder, { recursive: true, force: true })
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const table = rows.map(({ script, watch, fresh }) => ({
  script,
  watch: median(watch),
  fresh: median(fresh),
  ratio: median(watch) / median(fresh),
}))
if (flags.json) console.log(JSON.stringify({ rounds, aim: AIM, rows: table, measured: rows }, undefined, 2))
else {
  const line = (title, ...cells) =>
    console.log(`${title.padEnd(18)}${cells.map((cell) => cell.padStart(12)).join("")}`.trimEnd())
  line(`median of ${rounds}`, "watch", "from nothing", "ratio", "aim")
  for (const { script, watch, fresh, ratio } of table)
    line(
      script,
      `${watch.toFixed(2)} s`,
      `${fresh.toFixed(2)} s`,
      ratio.toFixed(2),
      `${watch <= AIM ? "ok" : "MISSED"} ${AIM} s`,
    )
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
