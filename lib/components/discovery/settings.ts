import type { Machine } from "../../machines/machine.ts"
import type { Probe } from "../probe.ts"
import { settingsOf, specOf } from "../registry.ts"
import type { Address } from "../settings/address.ts"
import { seenBy, withFilesOf } from "../settings/files.ts"
import type { Started } from "../settings/flags.ts"
import type { FoundProcess } from "./process.ts"

/** A component's process, as far as its settings are read from it. */
type Process = Started & Pick<FoundProcess, "name">

/**
 * The probe that shows whether a process is ready, and the address on which it listens.
 * @param others the processes that its probe may need
 */
export async function probeOf(
  machine: Machine,
  process: Process,
  others: readonly Process[],
): Promise<{ readonly probe: Probe; readonly address: Address | undefined }> {
  const spec = specOf(process.name)
  const apiserver = others.find(({ name }) => name === "kube-apiserver")
  return withFilesOf(machine, (files) => {
    const settings = spec.settings(process, seenBy(files, process.root))
    const peers = apiserver === undefined ? {} : { apiserver: settingsOf("kube-apiserver", apiserver, files) }
    return { probe: spec.probe(settings, peers), address: settings.address }
  })
}
