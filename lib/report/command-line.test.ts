import { expect, test } from "vitest"
import { admitFlags, commandLine } from "./command-line.ts"

const tryFlags = (line: string) => () =>
  admitFlags(commandLine(["node", "vitest", "run", ...line.split(" ")]).flags, ["byhand"])

test.each([
  ["--bail=x", "--bail=x is not a whole number."],
  ["--retry=two 01", "--retry=two is not a whole number."],
  ["--shard=x", "--shard=x names no part of the lessons."],
  ["--shard=9/3", "--shard=9/3 names no part of the lessons."],
  ["--shard=0/3", "--shard=0/3 names no part of the lessons."],
  ["--reporter=nosuch", "There is no reporter nosuch. There are byhand, default, "],
  ["--reporter=dot --reporter=junitt", "There is no reporter junitt. Did you mean junit? "],
])("vitest run %s is refused", (line, message) => expect(tryFlags(line)).toThrow(message))

test.each(["01", "--bail=1 --retry=2 --shard=3/3", "--reporter=junit --reporter=byhand", "--reporter=./package.json"])(
  "vitest run %s is accepted",
  (line) => expect(tryFlags(line)).not.toThrow(),
)

test("only vitest's own command line is read", () => {
  expect(commandLine(["node", "/x/vitest.mjs", "run", "01", "--bail=1"])).toMatchObject({
    files: ["01"],
    flags: { bail: 1 },
  })
  expect(commandLine(["node", "/x/main.js", "grade", "01"])).toEqual({ files: [], flags: {} })
})
