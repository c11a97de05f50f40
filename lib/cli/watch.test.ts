import { execa } from "execa"
import { appendFileSync, cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
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
    const before = await place.census()
    let said = ""
    const watching = execa(process.execPath, [join(packageRoot, "dist", "cli", "main.js"), "watch", folder], {
      reject: false,
      all: true,
      buffer: false,
      stdin: "ignore",
      env: { NO_COLOR: "1", BYHAND_RUNS: place.settings.runsDir },
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

    await isSaid(/^01 .* failed .*01-etcd\.sh exited with 1[^]*^Lesson 01 does not pass/m)
    save(() => cpSync(join(SOLUTION, "01-etcd.sh"), join(folder, "01-etcd.sh")))
    await isSaid(/^01 .* passed [^]*^02 .* failed [^]*^Lesson 02 does not pass/m)
    save(() => {
      for (const script of readdirSync(SOLUTION))
        cpSync(join(SOLUTION, script), join(folder, script), { recursive: true })
    })
    await isSaid(/^02 .* passed [^]*^07 .* passed [^]*^Every lesson passes/m)
    save(() => {
      appendFileSync(join(folder, "05-kubelet.sh"), "# another\n")
    })
    await isSaid(/^05 .* passed [^]*^Every lesson passes/m)

    watching.kill("SIGINT")
    expect((await watching).exitCode).toBe(130)
    expect(await place.censusLike(before)).toEqual(before)
  },
)
