import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Artifacts } from "../../clusters/artifacts.ts"
import type { Machine } from "../../machines/machine.ts"
import type { Network } from "../../machines/network.ts"
import { startSandbox } from "../../machines/sandbox.ts"
import { readFolder } from "../../subjects/folder.ts"
import { ScriptCluster, type ScriptClusterOptions } from "../../subjects/script-cluster.ts"
import type { Workplace } from "./workplace.ts"

/** A learner's cluster on a new machine, which ends with it. */
export interface OpenedScripts extends AsyncDisposable {
  readonly machine: Machine
  readonly network: Network
  readonly cluster: ScriptCluster
}

/**
 * Starts a machine with a folder of scripts. No script has run yet, and no failure is explained.
 * @param files the text of each file by its name
 * @param used the machine of an earlier attempt, which is used again instead of a new one
 */
export async function openScripts(
  { folder, name, settings }: Workplace,
  given: Artifacts,
  files: Readonly<Record<string, string>>,
  options: Pick<ScriptClusterOptions, "scriptNumberOf"> &
    Partial<Pick<ScriptClusterOptions, "patience" | "changeNumbers">>,
  used?: Pick<OpenedScripts, "machine" | "network">,
): Promise<OpenedScripts> {
  const path = join(folder, `scripts-${++opened}`)
  mkdirSync(path)
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text)
  const { machine, network } = used ?? (await startSandbox({ name, binds: given.binds, settings }))
  const cluster = await ScriptCluster.open({
    machine,
    network,
    folder: await readFolder(path),
    artifacts: { ...given, images: undefined },
    patience: 60_000,
    explain: () => Promise.resolve(undefined),
    ...options,
  })
  return { machine, network, cluster, [Symbol.asyncDispose]: () => machine.close() }
}

let opened = 0
