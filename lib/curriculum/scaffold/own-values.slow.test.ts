import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, expect, onTestFinished, test } from "vitest"
import { packageRoot } from "../../base/settings.ts"
import { gradeFolder } from "../../proof/testing/builds.ts"
import { artifacts } from "../../proof/testing/workplace.ts"
import { ownValues } from "../../subjects/own-values.ts"
import { layOut } from "./scaffold.ts"

const SOLUTION = join(packageRoot, "fixtures", "solution")

const KUBELET = "etc/kubernetes/kubelet.yaml"

/** The lessons in which the values matter, and those whose scripts end components and start them in another way. */
const LESSONS = ["01", "02", "08", "10", "11"]

beforeAll(() => artifacts(), 1_800_000)

/** A folder that `byhand new --for` has made, with the scripts of the solution, as the student would write them. */
async function written(student: string): Promise<string> {
  const place = mkdtempSync(join(tmpdir(), "byhand-own-"))
  onTestFinished(() => rmSync(place, { recursive: true, force: true }))
  const { folder } = await layOut(join(place, "cluster"), undefined, student)
  const [name = "", port = "", range = ""] = ownValues(student).values.map(({ value }) => value)
  cpSync(join(SOLUTION, KUBELET), join(folder, KUBELET)) // In a new folder, it is not complete.
  for (const script of readdirSync(SOLUTION).filter((file) => file.endsWith(".sh"))) {
    cpSync(join(SOLUTION, script), join(folder, script))
    const text = readFileSync(join(SOLUTION, script), "utf8")
      .replaceAll("6443", port)
      .replaceAll("10.0.0.", range.replace(/0\/24$/, ""))
      .replaceAll(/\betcd-1\b|(?<=--initial-cluster=)default\b/g, name)
    const named = text.includes("--name=")
      ? text
      : text.replace(/^ *--data-dir=\/var\/lib\/etcd \\\n/m, `  --name=${name} \\\n$&`)
    writeFileSync(join(folder, script), named)
  }
  return folder
}

test(
  "a cluster with the values of its student passes, and not with those of another one",
  { timeout: 900_000 },
  async () => {
    const folder = await written("ann")
    const { outcomes, said } = await gradeFolder(folder, LESSONS, "120")
    expect(
      outcomes.filter(({ verdict }) => verdict !== "passed"),
      said,
    ).toEqual([])
    expect(outcomes.length).toBeGreaterThan(50)

    process.env["BYHAND_FOR"] = "bob"
    onTestFinished(() => void delete process.env["BYHAND_FOR"])
    const [first, ...rest] = (await gradeFolder(folder, ["01"], "60")).outcomes
    expect(first).toMatchObject({ verdict: "failed", finding: "value-of-another" })
    expect(rest.filter(({ verdict }) => verdict !== "blocked")).toEqual([])
  },
)
