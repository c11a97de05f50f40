import { execa } from "execa"
import { expect, test } from "vitest"
import { quote, words } from "./shell.ts"

const awkward = [
  "plain",
  "--flag=a,b:c",
  "two words",
  "it's",
  '"quoted"',
  "$HOME",
  "`id`",
  "back\\slash",
  "",
  "new\nline",
  "*",
  "~",
  "a;b",
  "ümlaut",
  "#no comment",
]

test("a real shell reads quoted words unchanged", async () => {
  const { stdout } = await execa("sh", ["-c", `printf '%s\\0' ${quote(awkward)}`])
  expect(stdout.split("\0").slice(0, -1)).toEqual(awkward)
})

test("words that need no quotes get none", () => {
  expect(quote(["kubectl", "run", "hello", "--image=nginx"])).toBe("kubectl run hello --image=nginx")
})

test("a line is split as a shell splits it", async () => {
  const line = `put /hello 'two words' "a \\"b\\" $" c\\ d e''f "" --x='it'"'"'s'`
  expect(words(line)).toEqual((await execa("sh", ["-c", `printf '%s\\0' ${line}`])).stdout.split("\0").slice(0, -1))
})

test("splitting reverses quoting", () => {
  expect(words(quote(awkward))).toEqual(awkward)
})
