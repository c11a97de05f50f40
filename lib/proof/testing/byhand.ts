import { execa } from "execa"
import { join } from "node:path"
import { packageRoot } from "../../base/settings.ts"
import type { Workplace } from "./workplace.ts"

/** Runs the command line as a user does, with runs in a workplace's folder. @param cwd the folder in which it runs */
export function byhandIn({ settings }: Workplace, words: readonly string[], patience: string, cwd = process.cwd()) {
  return execa(process.execPath, [join(packageRoot, "dist", "cli", "main.js"), ...words], {
    cwd,
    reject: false,
    stdin: "ignore",
    env: { NO_COLOR: "1", BYHAND_RUNS: settings.runsDir, BYHAND_PATIENCE: patience },
  })
}
