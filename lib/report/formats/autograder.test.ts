import { execa } from "execa"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { packageRoot } from "../../base/settings.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "byhand-classroom50-"))
  mkdirSync(join(folder, "bin"))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** Runs the autograder with an npm that installs a byhand which exits with a status. */
async function autograde(status: number, npm = 0) {
  const byhand = join(folder, "node_modules", ".bin", "byhand")
  writeFileSync(
    join(folder, "bin", "npm"),
    `#!/bin/sh
[ "$*" = "install --no-audit --no-fund --prefix ${folder} byhand" ] || { echo "npm $*" >&2; exit 9; }
mkdir -p ${folder}/node_modules/.bin
printf '#!/bin/sh\\necho "$PWD $BYHAND_STRICT $*"\\nexit ${status}\\n' >${byhand}
chmod +x ${byhand}
exit ${npm}
`,
  )
  chmodSync(join(folder, "bin", "npm"), 0o755)
  mkdirSync(join(folder, "checkout"), { recursive: true })
  return execa("python3", [join(packageRoot, "fixtures", "classroom50", "autograder.py")], {
    cwd: join(folder, "checkout"),
    env: {
      PATH: `${join(folder, "bin")}${delimiter}${process.env["PATH"] ?? ""}`,
      CLASSROOM50_BUNDLE_DIR: folder,
    },
    reject: false,
  })
}

test("Classroom 50's autograder grades the checkout with the suite that the teacher names, and passes the status on", async () => {
  const graded = await autograde(0)
  expect([graded.exitCode, graded.stdout]).toEqual([0, `${folder}/checkout 1 grade . --format classroom50=result.json`])
  expect((await autograde(1)).exitCode).toBe(1)
})

test("if the suite cannot be installed, that is an error of the platform, not a grade", async () => {
  const { exitCode, stderr } = await autograde(0, 3)
  expect(exitCode).toBe(1)
  expect(stderr).toContain("::error::byhand could not grade this submission: ")
})
