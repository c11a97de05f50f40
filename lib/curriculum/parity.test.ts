import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, join, relative } from "node:path"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { packageRoot } from "../base/settings.ts"
import { specs, type Spec } from "../components/registry.ts"
import { catalogue } from "../diagnosis/diagnose.ts"
import { readCases } from "../proof/cases/case.ts"
import { failingBuilds } from "../proof/failing-builds.ts"
import { sabotages } from "../proof/sabotage/all.ts"
import type { LessonSpec } from "./lesson-spec.ts"
import { lessonId, lessons, scriptsOf, testFileOf, titlesOf } from "./lessons.ts"

/** Everything that this test compares. */
interface Parts {
  readonly lessons: readonly LessonSpec[]
  /** The files of lessons in lib/curriculum/lessons. */
  readonly lessonFiles: readonly string[]
  /** The titles of the tests in a lesson's test file, in order, by the lesson's number. */
  readonly tests: ReadonlyMap<number, readonly string[]>
  readonly hints: readonly string[]
  /** Start scripts in fixtures/scaffold and in fixtures/solution. */
  readonly scaffold: readonly string[]
  readonly solution: readonly string[]
  readonly sabotages: readonly { readonly id: string; readonly fails: readonly string[]; readonly finding: string }[]
  /** Files in fixtures/observations. */
  readonly recordings: readonly string[]
  /** Findings that a build in fixtures/subjects/fail must get. */
  readonly findingsOfBuilds: readonly string[]
  /** Findings that a case in fixtures/cases must get. */
  readonly findingsOfCases: readonly string[]
  readonly findings: readonly { readonly id: string; readonly component: string | undefined }[]
  readonly specs: readonly Spec[]
  readonly readme: string
}

/** What is missing. Each line names the file to add or to complete. */
function gaps(parts: Parts): string[] {
  const { lessons: all } = parts
  const scripts = all.flatMap(scriptsOf)
  return [
    ...all.flatMap((lesson, at) => gapsOfLesson(lesson, at, parts)),
    ...parts.lessonFiles
      .filter((file) => !all.some((lesson) => fileOf(lesson) === file))
      .map((file) => `Add lib/curriculum/lessons/${file} to lib/curriculum/lessons/all.ts.`),
    ...parts.scaffold
      .filter((file) => !scripts.includes(file))
      .map((file) => `fixtures/scaffold/${file}: add the script to a part of a lesson in lib/curriculum/lessons.`),
    ...parts.sabotages
      .filter(({ id }) => !parts.recordings.includes(`${id}.json`))
      .map(({ id }) => `Add fixtures/observations/${id}.json with "npm run sabotage -- --record ${id}".`),
    ...parts.findings
      .map(({ id }) => id)
      .filter((id) => !parts.sabotages.some(({ finding }) => finding === id))
      .filter((id) => !parts.findingsOfBuilds.includes(id) && !parts.findingsOfCases.includes(id))
      .map(
        (id) =>
          `Add a sabotage with the finding ${id} to lib/proof/sabotage, a case to fixtures/cases, or a build to fixtures/subjects/fail.`,
      ),
    ...parts.specs.flatMap((spec) => gapsOfComponent(spec, parts)),
  ]
}

function gapsOfLesson(lesson: LessonSpec, at: number, parts: Parts): string[] {
  const id = lessonId(lesson)
  const file = `lib/curriculum/lessons/${fileOf(lesson)}`
  const testFile = relative(packageRoot, testFileOf(lesson))
  const tests = parts.tests.get(lesson.number)
  const titles = titlesOf(lesson)
  const untested = titles.filter((title) => tests?.includes(title) === false)
  const scripts = scriptsOf(lesson)
  const keys = lesson.parts.map(({ script }) => script ?? id)
  const unbroken = titles.filter(
    (title) => !parts.sabotages.some(({ fails }) => fails.some((start) => `${id} ${title}`.startsWith(start))),
  )
  return [
    ...(lesson.number === at + 1 ? [] : [`${file}: its number must be ${at + 1}.`]),
    ...(parts.lessonFiles.includes(fileOf(lesson)) ? [] : [`Add ${file}: the lesson is not in a file of that name.`]),
    ...(tests === undefined ? [`Add ${testFile}.`] : []),
    ...untested.map((title) => `${testFile}: add a test "${title}".`),
    ...(tests !== undefined && untested.length === 0 && tests.join("\n") !== titles.join("\n")
      ? [`${testFile}: its tests must be in the order of the outcomes in ${file}.`]
      : []),
    ...(lesson.parts.length === 0 ? [`${file}: add what a person types in it (parts).`] : []),
    ...keys.filter((key) => !parts.hints.includes(key)).map((key) => `fixtures/hints/hints.json: add ${key}.`),
    ...scripts.filter((name) => !parts.scaffold.includes(name)).map((name) => `Add fixtures/scaffold/${name}.`),
    ...scripts.filter((name) => !parts.solution.includes(name)).map((name) => `Add fixtures/solution/${name}.`),
    ...unbroken.map((title) => `lib/proof/sabotage/outcomes-${id}.ts: add a sabotage that fails "${id} ${title}".`),
    ...(parts.readme.split("\n").includes(rowOf(lesson)) ? [] : [`README.md: add the row ${rowOf(lesson)}`]),
  ]
}

function gapsOfComponent({ name, absence, scriptWord, tools, isProvided = false }: Spec, parts: Parts): string[] {
  const isStarted = parts.lessons.some((lesson) => lesson.parts.some(({ starts }) => starts === name))
  return [
    ...(absence === "" ? [`lib/components: the spec of ${name} must say what its absence means.`] : []),
    ...(scriptWord === "" ? [`lib/components: the spec of ${name} needs a scriptWord.`] : []),
    ...(tools.length === 0 ? [`lib/components: the spec of ${name} names no tools.`] : []),
    ...(isProvided || isStarted ? [] : [`lib/curriculum/lessons: no part of a lesson starts ${name}.`]),
    ...(parts.findings.some(({ component }) => component === name)
      ? []
      : [`Add lib/diagnosis/symptoms/${name}.ts: no finding is about ${name}.`]),
  ]
}

function fileOf(lesson: LessonSpec): string {
  return `${lessonId(lesson)}-${lesson.slug}.ts`
}

function rowOf(lesson: LessonSpec): string {
  return `| ${lessonId(lesson)} | ${lesson.row.topic} | ${lesson.row.proves} |`
}

const scriptsIn = (folder: string) =>
  readdirSync(join(packageRoot, "fixtures", folder)).filter((file) => file.endsWith(".sh"))

/**
 * The titles of the tests of each lesson that has a test file. The files are loaded with a replacement of `lesson` that
 * only records the titles.
 */
async function titlesOfTests(): Promise<Map<number, string[]>> {
  const tests = new Map<number, string[]>()
  vi.doMock("../lesson.ts", async (original) => ({
    ...(await original<object>()),
    lesson: ({ number }: LessonSpec, define: (tools: { test: (title: string) => void }) => void) => {
      const titles: string[] = []
      tests.set(number, titles)
      define({ test: (title) => titles.push(title) })
    },
  }))
  for (const file of lessons.map(testFileOf)) if (existsSync(file)) await import(file)
  return tests
}

let found: Parts
beforeAll(async () => {
  found = {
    lessons,
    tests: await titlesOfTests(),
    lessonFiles: readdirSync(join(packageRoot, "lib", "curriculum", "lessons")).filter((file) => /^\d/.test(file)),
    hints: Object.keys(
      JSON.parse(readFileSync(join(packageRoot, "fixtures", "hints", "hints.json"), "utf8")) as object,
    ),
    scaffold: scriptsIn("scaffold"),
    solution: scriptsIn("solution"),
    sabotages,
    recordings: readdirSync(join(packageRoot, "fixtures", "observations")),
    findingsOfBuilds: Object.values(failingBuilds).flatMap((outcomes) => outcomes.map(([, finding]) => finding)),
    findingsOfCases: readCases().map(({ finding }) => finding),
    findings: catalogue,
    specs,
    readme: readFileSync(join(packageRoot, "README.md"), "utf8"),
  }
})

test("every lesson, finding and component has all its parts", () => {
  expect(gaps(found)).toEqual([])
})

describe("a missing part is named with the file to add", () => {
  const without = <T>(list: readonly T[], one: T) => list.filter((item) => item !== one)
  const last = () => lessons.at(-1) as LessonSpec // The list is not empty.
  const added = (): LessonSpec => ({
    ...last(),
    number: 99,
    slug: "pki",
    title: "PKI",
    row: { topic: "PKI", proves: "keys" },
  })

  test.each<[string, () => Partial<Parts>, string[]]>([
    [
      "a lesson without anything",
      () => ({
        lessons: [
          ...lessons,
          {
            ...added(),
            parts: [{ script: "99-pki", write: "keys", lines: () => [] }],
            outcomes: { "it signs": { see: "", permits: "observe" } },
          },
        ],
      }),
      [
        "Add lib/curriculum/lessons/99-pki.ts: the lesson is not in a file of that name.",
        "Add tests/99-pki.test.ts.",
        "fixtures/hints/hints.json: add 99-pki.",
        "Add fixtures/scaffold/99-pki.sh.",
        "Add fixtures/solution/99-pki.sh.",
        'lib/proof/sabotage/outcomes-99.ts: add a sabotage that fails "99 it signs".',
        "README.md: add the row | 99 | PKI | keys |",
      ],
    ],
    [
      "a lesson without parts",
      () => ({ lessons: lessons.map((lesson) => (lesson.number === 7 ? { ...lesson, parts: [] } : lesson)) }),
      ["lib/curriculum/lessons/07-resilience.ts: add what a person types in it (parts)."],
    ],
    [
      "a number that is used twice",
      () => ({ lessons: lessons.map((lesson) => (lesson.number === 7 ? { ...lesson, number: 6 } : lesson)) }),
      ["lib/curriculum/lessons/06-resilience.ts: its number must be 7."],
    ],
    [
      "a lesson that is not in the list",
      () => ({ lessonFiles: [...found.lessonFiles, "99-pki.ts"] }),
      ["Add lib/curriculum/lessons/99-pki.ts to lib/curriculum/lessons/all.ts."],
    ],
    [
      "an outcome without a test",
      () => ({ tests: new Map([...found.tests, [1, without(found.tests.get(1) ?? [], "a watch sees a put")]]) }),
      ['tests/01-etcd.test.ts: add a test "a watch sees a put".'],
    ],
    [
      "tests in another order",
      () => ({ tests: new Map([...found.tests, [1, found.tests.get(1)?.toReversed() ?? []]]) }),
      ["tests/01-etcd.test.ts: its tests must be in the order of the outcomes in lib/curriculum/lessons/01-etcd.ts."],
    ],
    [
      "a script of no lesson",
      () => ({ scaffold: [...found.scaffold, "98-extra.sh"] }),
      ["fixtures/scaffold/98-extra.sh: add the script to a part of a lesson in lib/curriculum/lessons."],
    ],
    [
      "a finding without a proof",
      () => ({ findings: [...found.findings, { id: "new-trouble", component: "etcd" }] }),
      [
        "Add a sabotage with the finding new-trouble to lib/proof/sabotage, a case to fixtures/cases, or a build to fixtures/subjects/fail.",
      ],
    ],
    [
      "a sabotage without a recording",
      () => ({ sabotages: [...sabotages, { id: "new-fault", fails: [], finding: "etcd-disk-full" }] }),
      ['Add fixtures/observations/new-fault.json with "npm run sabotage -- --record new-fault".'],
    ],
    [
      "a component with an empty spec",
      () => ({
        specs: [
          ...specs,
          { ...(specs[0] as Spec), name: "kube-router" as never, absence: "", scriptWord: "", tools: [] },
        ],
      }),
      [
        "lib/components: the spec of kube-router must say what its absence means.",
        "lib/components: the spec of kube-router needs a scriptWord.",
        "lib/components: the spec of kube-router names no tools.",
        "lib/curriculum/lessons: no part of a lesson starts kube-router.",
        "Add lib/diagnosis/symptoms/kube-router.ts: no finding is about kube-router.",
      ],
    ],
  ])("%s", (_, change, expected) => {
    expect(gaps({ ...found, ...change() })).toEqual(expect.arrayContaining(expected))
  })
})

test("every script of the scaffold says which lesson it belongs to", () => {
  for (const lesson of lessons)
    for (const { script } of lesson.parts)
      if (script !== undefined) expect(basename(script).slice(0, 2)).toBe(lessonId(lesson))
})
