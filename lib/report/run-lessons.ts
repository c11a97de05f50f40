import { join } from "node:path"
import { startVitest, type Vitest } from "vitest/node"
import { packageRoot } from "../base/settings.ts"
import { BYHAND, type ByhandOptions } from "./vitest-plugin.ts"

/**
 * Runs lessons once with vitest in this process. The environment passes the settings to the lessons.
 * @param files the test files of the lessons; an empty list means all
 * @param options where the events of the run go
 * @param bail the number of outcomes that may fail before the run ends; 0 stands for any number
 * @returns vitest, after the run
 */
export function runLessons(files: string[], options: ByhandOptions, bail = 0): Promise<Vitest> {
  return startVitest("test", files, {
    root: packageRoot,
    config: join(packageRoot, "vitest.config.ts"),
    watch: false,
    run: true,
    bail,
    configLoader: "runner",
    reporters: [[BYHAND, options]],
  })
}
