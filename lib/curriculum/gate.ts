import { readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Settings } from "../base/settings.ts"

/** Milliseconds between two looks at a closed gate. */
const POLL_INTERVAL = 20

/**
 * Holds back a test process that was started before it is needed, so that a saved script does not have to wait until
 * vitest is loaded. The gate is a file in the folder of the machine's run. vitest's own process opens it; the process
 * that runs the tests waits for that.
 */
export interface Gate {
  /** Lets the tests begin with this lesson. */
  readonly open: (firstLesson: number) => Promise<void>
}

/** Makes a closed gate. It must be made before vitest starts the process that runs the tests. */
export async function closedGate(settings: Pick<Settings, "runsDir"> & { readonly run: string }): Promise<Gate> {
  const path = pathOf(settings, process.pid)
  await writeFile(path, "")
  return {
    open: async (firstLesson) => {
      await writeFile(`${path}.new`, String(firstLesson))
      await rename(`${path}.new`, path)
    },
  }
}

/**
 * Waits until the gate of this test process is open. Without a gate it does not wait.
 * @returns the number of the first lesson that must run; 0 without a gate
 */
export async function passGate({ runsDir, run }: Pick<Settings, "runsDir" | "run">): Promise<number> {
  if (run === undefined) return 0
  const path = pathOf({ runsDir, run }, process.ppid)
  for (;;) {
    const text = await readFile(path, "utf8").catch(() => "0")
    if (text !== "") return Number(text)
    await sleep(POLL_INTERVAL)
  }
}

function pathOf({ runsDir, run }: { readonly runsDir: string; readonly run: string }, vitest: number): string {
  return join(runsDir, run, `gate-${vitest}`)
}
