// A learner's inner loop: seconds from the moment a start script is saved to its lesson's verdict, on a cluster on which every lesson passes.
// usage: node bench/watch.mjs [--rounds N] [--json]      (root; needs the build in dist)
// Beside it, in the same minutes, the same lesson graded from nothing, as `npx byhand grade` does: the ratio is what keeping the machine saves.
import { execa } from "execa"
import { appendFile, cp, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { packageRoot } from "../dist/base/settings.js"

/** Seconds in which a verdict should be there, where only that step's component is started again. */
const AIM = 3
/** Milliseconds. */
const HANGING = 300_000
const SCRIPTS = ["01-etcd.sh", "02-apiserver.sh", "04-scheduler.sh", "05-containerd.sh", "05-kubelet.sh"]

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, json: { type: "boolean" } },
})
const rounds = Number(flags.rounds)
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error("--rounds must be a whole number from 1 on.")
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

/** Waits until the watch has said something since the last save. */
async function until(words) {
  for (const deadline = performance.now() + HANGING; ;) {
    if (performance.now() > deadline)
      throw new Error(`byhand watch has not come to ${words} within ${HANGING / 1000} s: ${said.slice(-2_000)}`)
    const found = words.exec(said)
    if (found !== null) return found
    if (watching.exitCode !== null && watching.exitCode !== undefined) throw new Error(`byhand watch ended: ${said}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
