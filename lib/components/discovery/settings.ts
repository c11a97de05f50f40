import type { Machine } from "../../machines/machine.ts"
import type { Probe } from "../probe.ts"
import { settingsOf, specOf } from "../registry.ts"
import type { Address } from "../settings/address.ts"
import { withFilesOf } from "../settings/files.ts"
import type { FoundProcess } from "./process.ts"

/** The probe that shows whether a found process is ready, and the address on which it listens. */
export async function probeOf(
  machine: Machine,
  process: FoundProcess,
  others: readonly FoundProcess[],
): Promise<{ readonly probe: Probe; readonly address: Address | undefined }> {
  const spec = specOf(process.name)
  const apiserver = others.find(({ name }) => name === "kube-apiserver")
  return withFilesOf(machine, (files) => {
    const settings = spec.settings(process, files)
    const peers = apiserver === undefined ? {} : { apiserver: settingsOf("kube-apiserver", apiserver, files) }
    return { probe: spec.probe(settings, peers), address: settings.address }
  })
}
