import { execa } from "execa"
import { join } from "node:path"
import { packageRoot } from "../../base/settings.ts"
import type { Workplace } from "./workplace.ts"

/**
 * Runs the command line as a user does, with runs in a workplace's folder.
 * @param cwd the folder in which it runs
 * @param environment more environment variables
 */
export function byhandIn(
  { settings }: Workplace,
  words: readonly string[],
  patience: string,
  cwd = process.cwd(),
  environment: Readonly<Record<string, string>> = {},
) {
  return execa(process.execPath, [join(packageRoot, "dist", "cli", "main.js"), ...words], {
    cwd,
    reject: false,
    stdin: "ignore",
    env: { NO_COLOR: "1", BYHAND_RUNS: settings.runsDir, BYHAND_PATIENCE: patience, ...environment },
  })
}
