import { cardText, faultTitle, reasonOf } from "../failure-text.ts"
import { isOwnFailure } from "../points.ts"
import type { LessonResult, OutcomeResult } from "../result.ts"
import { escaped } from "../xml-text.ts"
import type { Format, GradedRun } from "./format.ts"

/** JUnit's XML, in the form that Jenkins and GitLab read. fixtures/schemas/junit.xsd describes what we use of it. */
export const junit: Format = {
  name: "junit",
  description: "JUnit XML: Jenkins, GitLab, Azure and most other CI systems",
  render: junitXml,
}

/** An element; its content is text or elements. */
interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string | number>>
  readonly content: string | readonly Element[]
}

function junitXml({ result, startedAt }: GradedRun): string {
  const properties = { kubernetes: result.kubernetes, subject: result.subject ?? "the project's own cluster" }
  const suites = result.lessons
    .map((lesson) => lessonSuite(lesson, startedAt, properties))
    .filter(({ count }) => count > 0)
  const errors = result.faults.map(({ file, message, stack }) =>
    element("testcase", { name: faultTitle(file), classname: "byhand", time: "0.000" }, [
      element("error", { message: firstLine(message), type: "fault" }, stack ?? message),
    ]),
  )
  const own = element(
    "testsuite",
    {
      name: "outside of the tests",
      tests: errors.length,
      failures: 0,
      errors: errors.length,
      skipped: 0,
      time: "0.000",
    },
    errors,
  )
  const root = element(
    "testsuites",
    {
      name: "byhand",
      tests: suites.reduce((sum, { count }) => sum + count, errors.length),
      failures: suites.reduce((sum, { failures }) => sum + failures, 0),
      errors: errors.length,
      time: seconds(result.milliseconds),
    },
    [...suites.map(({ suite }) => suite), ...(errors.length === 0 ? [] : [own])],
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n${written(root, "")}`
}

/** A lesson as a suite. Outcomes that were not chosen are left out. */
function lessonSuite(
  { id, title, tests: all }: LessonResult,
  startedAt: number,
  properties: Readonly<Record<string, string>>,
): { suite: Element; count: number; failures: number } {
  const tests = all.filter(({ verdict }) => verdict !== "not chosen")
  const failures = tests.filter(isOwnFailure).length
  const suite = element(
    "testsuite",
    {
      name: `${id} ${title}`,
      tests: tests.length,
      failures,
      errors: 0,
      skipped: tests.filter((test) => !isOwnFailure(test) && test.verdict !== "passed").length,
      time: seconds(tests.reduce((sum, { milliseconds }) => sum + milliseconds, 0)),
      timestamp: new Date(startedAt).toISOString().slice(0, 19),
    },
    [
      element(
        "properties",
        {},
        Object.entries(properties).map(([name, value]) => element("property", { name, value }, [])),
      ),
      ...tests.map((test) => testCase(id, test)),
    ],
  )
  return { suite, count: tests.length, failures }
}

function testCase(lesson: string, test: OutcomeResult): Element {
  const { title, verdict, milliseconds, evidence } = test
  const said = verdict === "passed" && evidence !== null ? [element("system-out", {}, evidence)] : []
  const result = isOwnFailure(test)
    ? [element("failure", { message: reasonOf(test), type: test.finding ?? verdict }, cardText(lesson, test))]
    : verdict === "passed"
      ? []
      : [element("skipped", { message: reasonOf(test) }, [])]
  return element("testcase", { name: title, classname: `byhand.${lesson}`, time: seconds(milliseconds) }, [
    ...result,
    ...said,
  ])
}

function element(name: string, attributes: Element["attributes"], content: Element["content"]): Element {
  return { name, attributes, content }
}

function written({ name, attributes, content }: Element, indent: string): string {
  const listed = Object.entries(attributes).map(([key, value]) => ` ${key}="${quoted(String(value))}"`)
  const start = `${indent}<${name}${listed.join("")}`
  if (content.length === 0) return `${start}/>\n`
  if (typeof content === "string") return `${start}>${escaped(content)}</${name}>\n`
  return `${start}>\n${content.map((each) => written(each, `${indent}  `)).join("")}${indent}</${name}>\n`
}

/** The value of an attribute. A reader would replace line breaks that are not escaped by spaces. */
function quoted(text: string): string {
  return escaped(text).replaceAll(/[\t\n]/g, (character) => `&#${character.charCodeAt(0)};`)
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3)
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? ""
}
