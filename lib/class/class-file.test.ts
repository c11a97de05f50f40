import { Ajv2020 } from "ajv/dist/2020.js"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { parse } from "yaml"
import { UsageError } from "../base/errors.ts"
import { packageRoot } from "../base/settings.ts"
import { readClass } from "./class-file.ts"
import { classJsonSchema, classSchema } from "./class-schema.ts"

let here: string
beforeAll(() => {
  here = mkdtempSync(join(tmpdir(), "byhand-class-"))
  for (const folder of ["one", "two"]) mkdirSync(join(here, folder))
  writeFileSync(join(here, "three.zip"), "")
})
afterAll(() => rmSync(here, { recursive: true }))

function read(yaml: string | undefined, csv?: string) {
  const [file, inventory] = [join(here, "class.yaml"), join(here, "students.csv")]
  if (yaml !== undefined) writeFileSync(file, yaml)
  if (csv !== undefined) writeFileSync(inventory, csv)
  return readClass(yaml === undefined ? undefined : file, csv === undefined ? undefined : inventory)
}

function messageFor(yaml: string | undefined, csv?: string): string {
  try {
    read(yaml, csv)
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return error instanceof UsageError ? error.message.replaceAll(`${here}/`, "") : ""
  }
  return "no error"
}

const WHOLE = `
title: Kubernetes by hand
lessons: [01, 2]
weights: {01: 40 %, "02": 60}
credit: per lesson
values: individual
due: 2026-11-20T23:59+01:00
late: {per day: 10 %}
subjects:
  - id: 0042
    folder: one
    submitted: 2026-11-21 08:00Z
  - {id: Zoë, archive: three.zip, due: 2026-11-27T23:59+01:00}
  - {id: carol@example.org, git: "https://example.org/carol.git", ref: main}
  - {id: dave, git: two}
  - {id: erin, host: "ssh://student@10.0.0.5:2222"}
  - {id: frank, host: local}
`

test("a whole class: zeros stay, paths are relative to the file", () => {
  const { title, rules, isIndividual, students } = read(WHOLE)
  expect(title).toBe("Kubernetes by hand")
  expect(isIndividual).toBe(true)
  expect(rules).toEqual({
    lessons: ["01", "02"],
    isChosen: true,
    weights: new Map([
      ["01", 40],
      ["02", 60],
    ]),
    credit: "per lesson",
    due: Date.UTC(2026, 10, 20, 22, 59),
    late: { perDay: 10, atMost: 100 },
  })
  expect(students).toEqual([
    {
      id: "0042",
      source: { kind: "folder", path: join(here, "one") },
      submitted: Date.UTC(2026, 10, 21, 8),
      due: rules.due,
    },
    {
      id: "Zoë",
      source: { kind: "archive", path: join(here, "three.zip") },
      submitted: undefined,
      due: Date.UTC(2026, 10, 27, 22, 59),
    },
    {
      id: "carol@example.org",
      source: { kind: "git", url: "https://example.org/carol.git", ref: "main" },
      submitted: undefined,
      due: rules.due,
    },
    { id: "dave", source: { kind: "git", url: join(here, "two"), ref: "HEAD" }, submitted: undefined, due: rules.due },
    {
      id: "erin",
      source: { kind: "host", target: "ssh://student@10.0.0.5:2222", sshConfig: undefined },
      submitted: undefined,
      due: rules.due,
    },
    {
      id: "frank",
      source: { kind: "host", target: "local", sshConfig: undefined },
      submitted: undefined,
      due: rules.due,
    },
  ])
})

test("an inventory lists the students, alone or with the rules of class.yaml", () => {
  const csv = 'id,folder,archive,submitted\r\n0042,one,,2026-11-21T08:00Z\r\n\r\n"bob","","three.zip",\r\n'
  const alone = read(undefined, csv)
  expect(alone.students.map(({ id, source }) => [id, source.kind])).toEqual([
    ["0042", "folder"],
    ["bob", "archive"],
  ])
  expect(alone.rules).toMatchObject({ isChosen: false, weights: undefined, credit: "per outcome" })
  expect(alone.rules.lessons).toContain("09")
  expect(read("lessons: [01]", csv).rules.lessons).toEqual(["01"])
})

const STUDENT = "subjects:\n- {id: a, folder: one}\n"

test.each([
  ["", "class.yaml, line 1: it must be keys with values. "],
  ["title: x", "class.yaml, line 1: it has no students. Add subjects: "],
  ["subject:\n- id: a", "class.yaml, line 1: subject is not known. Did you mean subjects? There are title, "],
  ["subjects: []", "class.yaml, line 1: subjects is empty. "],
  ["subjects: a", "class.yaml, line 1: subjects must be a list. "],
  ["subjects:\n- id: a\n  foldr: one", "class.yaml, line 3: subjects[0].foldr is not known. Did you mean folder? "],
  ["subjects:\n- id: a\n  host: h", "class.yaml, line 3: subjects[0].host must be local, or ssh://USER@HOST:PORT, "],
  ["subjects:\n- {id: a, host: ssh://-oProxyCommand=x}", "subjects[0].host must be local, or ssh://"],
  ["subjects:\n- {id: a, host: ssh://h:65536}", "subjects[0].host must be local, or ssh://"],
  ["subjects:\n- {id: a, host: local, folder: one}", "subjects[0] a has both folder and host. Give exactly one of "],
  ["subjects:\n- folder: one", "class.yaml, line 2: subjects[0].id is missing. "],
  ["subjects:\n- id: ../a\n  folder: one", "class.yaml, line 2: subjects[0].id must have up to 50 letters, "],
  [`${STUDENT}- id: a\n  folder: two`, "class.yaml, line 3: subjects[1].id a is given twice. "],
  [`${STUDENT}- {id: A, folder: two}`, "class.yaml, line 3: subjects[1].id A and a are the same name. "],
  ["subjects:\n- id: a", "class.yaml, line 2: subjects[0] a does not say what to grade. Give exactly one of "],
  [
    "subjects:\n- {id: a, folder: one, git: two}",
    "class.yaml, line 2: subjects[0] a has both folder and git. Give exactly one of ",
  ],
  ["subjects:\n- {id: a, folder: one, ref: x}", "class.yaml, line 2: subjects[0].ref belongs to git. "],
  ["subjects:\n- id: a\n  folder: none", "class.yaml, line 3: subjects[0].folder is not a folder: none. "],
  ["subjects:\n- {id: a, folder: three.zip}", "class.yaml, line 2: subjects[0].folder is not a folder: three.zip. "],
  ["subjects:\n- {id: a, git: none}", "class.yaml, line 2: subjects[0].git is not a folder: none. "],
  ["subjects:\n- {id: a, git: --upload-pack=x}", "class.yaml, line 2: subjects[0].git must not begin with a hyphen"],
  ["subjects:\n- {id: a, archive: one}", "class.yaml, line 2: subjects[0].archive has an unknown ending: one. "],
  ["subjects:\n- {id: a, archive: x.zip}", "class.yaml, line 2: subjects[0].archive is not a file: x.zip. "],
  [`${STUDENT}weights: {01: 50 %, 02: 40 %}`, "class.yaml, line 3: weights has the sum 90 %. Change the weights "],
  [`${STUDENT}weights: {01: 50 %, 1: 50 %}`, "class.yaml, line 3: weights has a lesson twice. "],
  [`${STUDENT}weights:\n  77: 1 %`, "class.yaml, line 4: weights.77 is not the number of a lesson. There are 01, "],
  [`${STUDENT}weights:\n  01: 120 %`, "class.yaml, line 4: weights.01 must be a percentage from 0 to 100, "],
  [
    `${STUDENT}lessons: [01, 02]\nweights: {01: 100 %}`,
    "class.yaml, line 4: weights has no weight for lesson 02. Add one, such as 02: 0 %.",
  ],
  [
    `${STUDENT}lessons: [01]\nweights: {01: 60 %, 03: 40 %}`,
    "class.yaml, line 4: weights has lesson 03, which is not one of lessons. ",
  ],
  [`${STUDENT}lessons: [01, 1]`, "class.yaml, line 3: lessons[1] names a lesson for the second time. "],
  [`${STUDENT}credit: none`, "class.yaml, line 3: credit must be per outcome or per lesson. "],
  [`${STUDENT}due: tomorrow`, "class.yaml, line 3: due must be a date with time and time zone, "],
  [`${STUDENT}due: 2026-13-01T00:00Z`, "class.yaml, line 3: due is no date of the calendar. "],
  [`${STUDENT}late: {per day: 10 %}`, "class.yaml, line 3: late needs a time from which on students are late. "],
  [`${STUDENT}late:\n  at most: 10 %`, "class.yaml, line 4: late.per day is missing. "],
  [`${STUDENT}late: {per dya: 10 %}`, "class.yaml, line 3: late.per day is missing. "],
  [`${STUDENT}${STUDENT}`, "class.yaml, line 3: this is not YAML: Map keys must be unique. "],
  ["subjects:\n\t- id: a", "class.yaml, line 2: this is not YAML: Tabs are not allowed as indentation. "],
  ["subjects: *a", "class.yaml, line 1: it cannot be read: Unresolved alias"],
])("a mistake in class.yaml is one error with its line: %j", (yaml, message) => {
  expect(messageFor(yaml)).toContain(message)
})

test.each([
  ["id,foldr\na,one\n", "students.csv, line 1: there is no column foldr. Did you mean folder? The columns are id, "],
  ["id,id\na,one\n", "students.csv, line 1: there is a second column id. "],
  ["id,folder\na\n", "students.csv, line 2: it has 1 cells, and the first line has 2. "],
  ["id,folder\na,one\na,two\n", "students.csv, line 3: id a is given twice. "],
  ["id,folder\na,one\n\nb,none\n", "students.csv, line 4: folder is not a folder: none. "],
  ['id,folder\na,"one\n', "students.csv, line 2: this is no CSV: "],
])("a mistake in an inventory is one error with its line: %j", (csv, message) => {
  expect(messageFor(undefined, csv)).toContain(message)
})

test("two lists of students are refused", () => {
  expect(messageFor(STUDENT, "id,folder\nb,two\n")).toContain(
    "class.yaml, line 1: subjects has students, and so has --inventory. ",
  )
})

const PUBLISHED = join(packageRoot, "docs", "class.schema.json")

describe("the published schema", () => {
  const published = JSON.parse(readFileSync(PUBLISHED, "utf8")) as object // Ours.
  const isValid = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false }).compile(published)

  test("it is the one that the command uses; vitest writes it anew with -u", () =>
    expect(`${JSON.stringify(classJsonSchema(), undefined, 2)}\n`).toMatchFileSnapshot(PUBLISHED))

  // Editors read YAML with its types, and the command without.
  test.each([
    [true, WHOLE],
    [true, STUDENT],
    [false, "subject: []"],
    [false, "subjects: []"],
    [false, "subjects:\n- {id: a, foldr: one}"],
    [false, "subjects:\n- {id: ../a, folder: one}"],
    [false, "subjects:\n- {id: a, host: h}"],
    [false, `${STUDENT}lessons: [100]`],
    [false, `${STUDENT}weights: {01: 120 %}`],
    [false, `${STUDENT}late: {per dya: 10 %}`],
    [false, `${STUDENT}due: tomorrow`],
    [false, `${STUDENT}credit: none`],
  ])("both agree: %s for %j", (expected, yaml) => {
    expect(isValid(parse(yaml))).toBe(expected)
    expect(classSchema.safeParse(parse(yaml, { schema: "failsafe" })).success).toBe(expected)
  })

  test("the README's example is right", () => {
    const readme = readFileSync(join(packageRoot, "README.md"), "utf8")
    const example = /```yaml\n(# class\.yaml\n[^]*?)```/.exec(readme)?.[1] ?? ""
    expect(isValid(parse(example)), JSON.stringify(isValid.errors)).toBe(true)
    expect(classSchema.safeParse(parse(example, { schema: "failsafe" })).error).toBeUndefined()
  })

  test.each(["{id: a}", "{id: a, folder: one, git: two}", "{id: a, folder: one, ref: main}"])(
    "it also refuses %s",
    (student) => {
      expect(isValid(parse(`subjects: [${student}]`))).toBe(false)
      expect(messageFor(`subjects: [${student}]`)).not.toBe("no error")
    },
  )
})
