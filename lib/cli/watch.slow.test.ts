import { execa } from "execa"
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { layOut } from "../curriculum/scaffold/scaffold.ts"
import { packageRoot } from "../base/settings.ts"
import { workplace, type Workplace } from "../proof/testing/workplace.ts"

const SOLUTION = join(packageRoot, "fixtures", "solution")

let place: Workplace
let learner: string
beforeEach(async () => {
  place = await workplace()
  learner = mkdtempSync(join(tmpdir(), "byhand-learner-"))
})
afterEach(async () => {
  await place[Symbol.asyncDispose]()
  rmSync(learner, { recursive: true })
})

test(
  "watch grades the current lesson each time a script is saved, continues with the next when it passes, and leaves nothing behind",
  { timeout: 600_000 },
  async () => {
    const { folder } = await layOut(join(learner, "my-cluster"))
    const left = (name: string) => /^(?:0[89]|1\d)/.test(name)
    const before = await place.census()
    let said = ""
    const program = join(packageRoot, "dist", "cli", "main.js")
    const env = { NO_COLOR: "1", BYHAND_RUNS: place.settings.runsDir }
    const watching = execa(process.execPath, [program, "watch", folder], {
      reject: false,
      all: true,
      buffer: false,
      stdin: "ignore",
      env,
    })
    watching.all.on("data", (chunk: Buffer) => {
      said += chunk.toString()
    })
    const isSaid = (words: RegExp) =>
      vi.waitFor(
        () => {
          expect(said).toMatch(words)
        },
        { timeout: 240_000, interval: 50 },
      )
    const save = (change: () => void) => {
      said = ""
      change()
    }

    await isSaid(/^01 .* failed [^]*^Lesson 01 does not pass/m)
    save(() => cpSync(join(SOLUTION, "01-etcd.sh"), join(folder, "01-etcd.sh")))
    await isSaid(/^01 .* passed [^]*^02 .* failed [^]*^Lesson 02 does not pass/m)
    save(() => {
      for (const script of readdirSync(SOLUTION).filter((name) => !left(name)))
        cpSync(join(SOLUTION, script), join(folder, script), { recursive: true })
    })
    // What earlier scripts have started runs on, although later ones with the same words in their names never ran.
    await isSaid(/^02 .* passed [^]*^07 .* passed [^]*^08 .* failed [^]*^Lesson 08 does not pass/m)
    expect(said).not.toMatch(/^ . 01 /m)
    // Without scripts, the lessons that can be left out are not started, and the run is short.
    save(() => {
      for (const script of readdirSync(folder).filter(left)) rmSync(join(folder, script))
    })
    await isSaid(/^Every lesson passes/m)
    save(() => {
      appendFileSync(join(folder, "05-containerd.sh"), "# another\n")
    })
    // The kubelet of the same lesson starts anew too, with another Node.
    await isSaid(/^Saved: 05-containerd\.sh\n[^]*^05 .* passed [^]*^Every lesson passes/m)
    expect(said).not.toMatch(/^ . 0[1-4] /m) // Earlier lessons are not graded again.

    // A script that waits for ever does not hold up the next save: that save cancels the attempt.
    const good = readFileSync(join(folder, "04-scheduler.sh"), "utf8")
    save(() => writeFileSync(join(folder, "04-scheduler.sh"), good.replace("exec ", "sleep 1d; exec ")))
    await isSaid(/^Saved: 04-scheduler\.sh/m)
    const inside = (line: string) =>
      execa(process.execPath, [program, "shell", "--last", "sh", "-c", line], { env, reject: false })
    await expect.poll(async () => (await inside("pgrep -f '^sleep 1d'")).exitCode, { timeout: 60_000 }).toBe(0)
    save(() => writeFileSync(join(folder, "04-scheduler.sh"), good))
    await isSaid(/^ ✓ 04 once a scheduler runs/m)
    expect((await inside("pgrep -f '^bash ./04'")).exitCode).toBe(1) // The script that waited has ended.

    watching.kill("SIGINT")
    expect((await watching).exitCode).toBe(130)
    expect(await place.censusLike(before)).toEqual(before)
  },
)
