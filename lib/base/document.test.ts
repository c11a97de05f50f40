import { expect, test, vi } from "vitest"
import { Document } from "./document.ts"

test("of a key that a YAML file has twice, the last value counts, and the other keys are read", () => {
  const document = Document.yaml(
    "authentication: { x509: { clientCAFile: /ca.crt } }\nmaxPods: 1\nmaxPods: 2\nfailCgroupV1: false\n",
  )
  expect(document.number("maxPods")).toBe(2)
  expect(document.text("authentication", "x509", "clientCAFile")).toBe("/ca.crt")
})

test("a file that cannot be parsed has no values", () => {
  expect(Document.yaml("a: [\nb: 1\n").keys()).toEqual([])
  expect(Document.toml("a = \n").keys()).toEqual([])
})

test("a file that can be anything causes no warning on the terminal", () => {
  const emitWarning = vi.spyOn(process, "emitWarning")
  Document.yaml("%\u0001 rj\u0002HTTP/2.0 200 OK\n---\na: 1\n")
  expect(emitWarning).not.toHaveBeenCalled()
})
