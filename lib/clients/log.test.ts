import { expect, test } from "vitest"
import { withoutUsage } from "./log.ts"

test("the usage that a program prints below its error is left out, and nothing else", () => {
  const usage =
    "\nUsage:\n pkill [options] <pattern>\n\nOptions:\n -e, --echo   display\n\nFor more details see pgrep(1).\n"
  expect(
    withoutUsage(`pkill: invalid option -- 'K'\n${usage}next`)
      .split("\n")
      .filter((line) => line !== ""),
  ).toEqual(["pkill: invalid option -- 'K'", "next"])
  const open = "Usage:\n  etcd [flags]\n    Start an etcd server.\n"
  expect(withoutUsage(open)).toBe(open)
})
