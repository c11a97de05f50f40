import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { catalogue, diagnose } from "../../diagnosis/diagnose.ts"
import type { Observation } from "../../diagnosis/observation.ts"
import { secretsOf } from "../../diagnosis/secrets.ts"
import { differences, isRecorded, layOutCase, readCases, recordingOfCase } from "./case.ts"

const cases = readCases()
/** A text with a fact that is missing. */
const GAP = /undefined|\[object|\$\d|\(\)|\s,|: *$|^$/

// `git apply` fails if the diff does not fit.
test.each(cases)("the fault of $name fits the shipped solution", async (one) => {
  const place = mkdtempSync(join(tmpdir(), "byhand-case-"))
  try {
    await expect(layOutCase(one, join(place, one.name))).resolves.toBeUndefined()
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
})

test.each(cases)("the finding of $name is in the catalogue", ({ finding }) => {
  expect(catalogue.map(({ id }) => id)).toContain(finding)
})

describe("recorded observations", () => {
  const recorded = cases
    .filter(isRecorded)
    .map((one) => ({ ...one, observation: JSON.parse(readFileSync(recordingOfCase(one), "utf8")) as Observation })) // Written by record.ts.

  test.each(recorded)("$name is named", ({ observation, ...one }) => {
    const [finding] = diagnose(observation)
    expect(differences(one, finding)).toEqual([])
    for (const text of [finding?.cause, finding?.remedy, finding?.look]) expect(text).not.toMatch(GAP)
  })

  test.each(recorded)("$name holds no secret", ({ observation }) => {
    for (const secret of secretsOf(observation)) expect(secret).toMatch(/^(?:secret-number-\d+|0123456789abcdef)$/)
    expect(JSON.stringify(observation)).not.toContain("PRIVATE KEY")
  })
})
