import { allTests } from "./all-tests.ts"
import type { Sabotage } from "./sabotage.ts"

/**
 * Whether a test does not run for a sabotage, because it comes before the first test that the sabotage can affect, or
 * after the last one that shows it.
 */
export function isLeftOut({ since, thru }: Pick<Sabotage, "since" | "thru">, test: string): boolean {
  const lesson = test.slice(0, 2)
  const tests = allTests()
  const at = (start: string) => tests.findIndex((one) => one.startsWith(start))
  const isEarly = since?.slice(0, 2) === lesson && tests.indexOf(test) < at(since)
  const isLate = thru?.slice(0, 2) === lesson && tests.indexOf(test) > at(thru)
  return isEarly || isLate
}
