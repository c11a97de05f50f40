import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, expect, onTestFinished, test } from "vitest"
import { lessonId, lessons } from "../curriculum/lessons.ts"
import { gradeFolder } from "../proof/testing/builds.ts"
import { writeKubeadmFolder } from "../proof/testing/kubeadm-folder.ts"
import { artifacts } from "../proof/testing/workplace.ts"

/** The last lesson that a cluster of one machine passes. */
const LAST = 9

beforeAll(() => artifacts(), 1_800_000)

test("a cluster that kubeadm makes, of static Pods, passes the lessons", { timeout: 900_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "byhand-kubeadm-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeKubeadmFolder(folder)
  const numbers = lessons.filter(({ number }) => number <= LAST).map(lessonId)
  const { outcomes, said } = await gradeFolder(folder, numbers, "120")
  expect(
    outcomes.filter(({ verdict }) => verdict !== "passed"),
    said,
  ).toEqual([])
  expect(new Set(outcomes.map(({ test: outcome }) => outcome.slice(0, 2)))).toEqual(new Set(numbers))
})
