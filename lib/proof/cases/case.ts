import { execa } from "execa"
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { z } from "zod"
import { packageRoot } from "../../base/settings.ts"
import type { Finding } from "../../failures/finding.ts"

/** The folder of the cases: one folder for each, with its fault as a diff and with what must be found. */
export const CASES = join(packageRoot, "fixtures", "cases")
const SOLUTION = join(packageRoot, "fixtures", "solution")

const expectation = z.strictObject({
  fails: z
    .string()
    .regex(/^\d\d$/)
    .describe("the number of the first lesson that must fail"),
  orFails: z
    .array(z.string())
    .default([])
    .describe("lessons that may fail first instead, where the speed of the machine decides"),
  finding: z.string().describe("id of the finding that the first failed outcome must get"),
  symptom: z.string().describe("how people saw it"),
  cause: z.string().describe("what is wrong"),
  kind: z.string().describe("what it stands for"),
  must: z.array(z.string()).describe("regular expressions that cause, evidence and remedy together must match"),
  mustNot: z.array(z.string()).describe("regular expressions that they must not match"),
})

/** A fault of a learner's folder, from public reports, and what the diagnosis must say about it. */
export interface Case extends z.infer<typeof expectation> {
  readonly name: string
}

/** All cases, by name. @throws ZodError for an expect.json that lacks a field */
export function readCases(): Case[] {
  return readdirSync(CASES)
    .toSorted()
    .map((name) => ({
      name,
      ...expectation.parse(JSON.parse(readFileSync(join(CASES, name, "expect.json"), "utf8"))),
    }))
}

/** The file with the recorded observation of a case. It does not exist for every case. */
export function recordingOfCase({ name }: Pick<Case, "name">): string {
  return join(CASES, name, "observation.json")
}

/**
 * Makes a folder that is the shipped solution with the fault of a case.
 * @param folder is created; it must not be inside a git repository
 * @throws ExecaError if the diff no longer fits the solution
 */
export async function layOutCase({ name }: Pick<Case, "name">, folder: string): Promise<void> {
  cpSync(SOLUTION, folder, { recursive: true })
  await execa("git", ["apply", "--whitespace=nowarn", join(CASES, name, "fault.diff")], { cwd: folder })
}

/** What a finding says that differs from what a case expects; empty if nothing differs. */
export function differences(one: Case, finding: Finding | undefined): string[] {
  if (finding === undefined) return [`no known cause, not ${one.finding}`]
  const { id, cause, evidence, remedy } = finding
  const text = [cause, evidence, remedy].join("\n")
  return [
    ...(id === one.finding ? [] : [`finding ${id}, not ${one.finding}`]),
    ...one.must.filter((pattern) => !new RegExp(pattern).test(text)).map((pattern) => `does not say /${pattern}/`),
    ...one.mustNot.filter((pattern) => new RegExp(pattern).test(text)).map((pattern) => `says /${pattern}/`),
  ]
}

/** Whether the observation of a case was recorded. */
export function isRecorded(one: Pick<Case, "name">): boolean {
  return existsSync(recordingOfCase(one))
}
