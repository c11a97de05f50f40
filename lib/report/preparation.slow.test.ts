import { execa } from "execa"
import { copyFileSync, cpSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { architecture } from "../binaries/architecture.ts"
import { withLock } from "../binaries/lock.ts"
import { releaseFor } from "../binaries/versions.ts"
import { packageRoot, readSettings } from "../base/settings.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"

let place: Workplace
beforeEach(async () => {
  place = await workplace()
})
afterEach(() => place[Symbol.asyncDispose]())

test.each([undefined, join(packageRoot, "fixtures", "solution")])(
  "the first lesson runs while the programs of the second are prepared by another process: subject %s",
  async (subject) => {
    await artifacts(["kube-apiserver"])
    const before = await place.census()
    const { cacheDir, kubernetes } = readSettings()
    const bin = (group: string, version: string) => join("bin", `${group}-v${version}-${architecture}`)
    const release = releaseFor(kubernetes)
    const late = bin("kubernetes", release.kubernetes)
    const others =
      subject === undefined ? [] : readdirSync(join(cacheDir, "bin")).filter((name) => !name.endsWith(".lock"))
    for (const folder of [
      bin("etcd", release.etcd),
      ...others.map((name) => join("bin", name)).filter((one) => one !== late),
    ])
      cpSync(join(cacheDir, folder), join(place.settings.cacheDir, folder), { recursive: true })
    if (subject !== undefined)
      cpSync(join(cacheDir, "images"), join(place.settings.cacheDir, "images"), { recursive: true })
    mkdirSync(join(place.settings.cacheDir, late), { recursive: true })

    let said = ""
    let run: ReturnType<typeof start> | undefined
    const start = () =>
      execa("npx", ["vitest", "run", "tests/01-etcd.test.ts", "tests/02-apiserver.test.ts"], {
        cwd: packageRoot,
        reject: false,
        all: true,
        buffer: false,
        stdin: "ignore",
        env: {
          NO_COLOR: "1",
          BYHAND_CACHE: place.settings.cacheDir,
          BYHAND_RUNS: place.settings.runsDir,
          ...(subject === undefined ? {} : { BYHAND_SUBJECT: subject }),
        },
      })
    await withLock(
      join(place.settings.cacheDir, `${late}.lock`),
      (taken) => taken,
      async () => {
        run = start()
        run.all.on("data", (chunk: Buffer) => {
          said += chunk.toString()
        })
        await expect.poll(() => said, { timeout: 120_000 }).toContain("✓ 01 the key outlives a restart of etcd")
        expect(said).not.toMatch(/ 02 /)
        for (const file of readdirSync(join(cacheDir, late)).filter((name) => name !== ".work"))
          copyFileSync(join(cacheDir, late, file), join(place.settings.cacheDir, late, file))
      },
    )
    expect((await run)?.exitCode, said).toBe(0)
    expect(said).toMatch(/ ✓ 02 kube-apiserver starts on top of etcd[^]*\n18 passed, 0 failed, 0 skipped\n/)
    expect(await place.censusLike(before)).toEqual(before)
  },
)
