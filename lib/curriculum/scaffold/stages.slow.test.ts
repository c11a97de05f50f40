import { execa } from "execa"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { inThisRun } from "../../proof/testing/turns.ts"
import { runResult } from "../../report/result.ts"
import { packageRoot } from "../../base/settings.ts"
import { lessons, scriptsOf } from "../lessons.ts"
import { layOut } from "./scaffold.ts"

const SCRIPTS = lessons.flatMap(scriptsOf)

let place: string
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "byhand-stage-"))
})
afterEach(() => rmSync(place, { recursive: true }))

// Each stage brings up all lessons before it.
test.each(inThisRun(SCRIPTS, 4))(
  "with all scripts before %s complete, its lesson fails with that script's own message",
  { timeout: 300_000 },
  async (next) => {
    const { folder } = await layOut(join(place, "my-cluster"))
    const done = SCRIPTS.slice(0, SCRIPTS.indexOf(next))
    // The learner completes the kubelet's configuration with its script.
    const written = done.includes("05-kubelet.sh") ? [...done, "etc"] : done
    for (const name of written)
      cpSync(join(packageRoot, "fixtures", "solution", name), join(folder, name), { recursive: true })
    const lesson = next.slice(0, 2)
    const file = join(place, "result.json")
    const page = join(place, "summary.md")
    const graded = await execa(
      process.execPath,
      [join(packageRoot, "dist", "cli", "main.js"), "grade", folder, lesson, "--json", file],
      {
        reject: false,
        env: {
          NO_COLOR: "1",
          BYHAND_RUNS: join(place, "runs"),
          GITHUB_ACTIONS: "true",
          GITHUB_WORKSPACE: folder,
          GITHUB_STEP_SUMMARY: page,
        },
      },
    )
    expect(graded.exitCode, graded.stdout.slice(-2_000) + graded.stderr.slice(-2_000)).toBe(1)

    const { lessons } = runResult.parse(JSON.parse(readFileSync(file, "utf8")))
    const [failed] = lessons.flatMap(({ tests }) => tests.filter(({ verdict }) => verdict === "failed"))
    expect(lessons.map(({ id, verdict }) => [id, verdict])).toEqual([[lesson, "failed"]])
    expect(`${failed?.reason ?? ""}\n${failed?.evidence ?? ""}`).toContain(`${next} exited with 1`)

    // In CI, the error is at the line of that script.
    const line =
      readFileSync(join(folder, next), "utf8")
        .split("\n")
        .findIndex((text) => text.startsWith("echo ")) + 1
    expect(graded.stdout).toMatch(
      new RegExp(`^::error file=${next},line=${line},title=${lesson} .*${next} starts nothing yet: `, "m"),
    )
    expect(readFileSync(page, "utf8")).toContain(`${next} starts nothing yet: `)
  },
)
