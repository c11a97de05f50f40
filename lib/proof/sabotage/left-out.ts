import { allTests } from "./all-tests.ts"
import type { Sabotage } from "./sabotage.ts"

/** Whether a test does not run for a sabotage, because it comes before the first test that the sabotage can affect. */
export function isLeftOut({ since }: Pick<Sabotage, "since">, test: string): boolean {
  if (since === undefined || test.slice(0, 2) !== since.slice(0, 2)) return false
  const tests = allTests()
  return tests.indexOf(test) < tests.findIndex((one) => one.startsWith(since))
}
