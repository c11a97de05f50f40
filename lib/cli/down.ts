import { readFile } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import { isAlive } from "../machines/identity.ts"
import { nameOf, settingsOf, type CommonOptions, type Outcome } from "./options.ts"
import { relayOf, theRun } from "./runs.ts"

/** Ends a cluster; returns when nothing of it is left. @throws UsageError where there is none of that name */
export async function down(options: CommonOptions): Promise<Outcome> {
  const name = nameOf(options)
  const { machine, folder } = await theRun(settingsOf(options), name)
  const relay = await readFile(relayOf(folder), "utf8").catch(() => undefined) // An empty machine has none.
  await machine.close()
  while (relay !== undefined && isAlive(relay)) await sleep(10)
  return { text: `${name} is down; nothing of it is left.\n`, data: { name, down: true } }
}
