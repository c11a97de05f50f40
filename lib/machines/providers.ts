import type { Settings } from "../base/settings.ts"
import { containerProvider } from "./container/provider.ts"
import type { Attached, Kind, MachineProvider } from "./provider.ts"
import { MachineStartError } from "./run-folder.ts"
import { sandboxProvider } from "./sandbox-provider.ts"

/** One provider for each kind of machine. `auto` tries them in this order. */
const PROVIDERS: Readonly<Record<Kind, (settings: Settings) => MachineProvider>> = {
  sandbox: sandboxProvider,
  container: containerProvider,
}

/** The provider of one kind of machine. Does not check whether this host can make such machines. */
export function providerOf(kind: Kind, settings: Settings): MachineProvider {
  return PROVIDERS[kind](settings)
}

/**
 * Chooses the provider that the settings name. If the settings name none, chooses the first one that is available on
 * this host.
 * @throws MachineStartError if none is available, with the reason for each
 */
export async function chooseProvider(settings: Settings): Promise<MachineProvider> {
  if (settings.machine !== "auto") return providerOf(settings.machine, settings)
  // Only containers have these settings.
  if (settings.privilege === "privileged" || settings.image !== undefined) return containerProvider(settings)
  const reasons: string[] = []
  for (const provider of all(settings)) {
    const availability = await provider.available()
    if (availability.isAvailable) return provider
    reasons.push(`${provider.kind}: ${availability.reason.replace(/\.$/, "")}.`)
  }
  throw new MachineStartError(
    `This host cannot make a machine of any kind. ${reasons.join(" ")}`,
    "npx byhand doctor says more.",
  )
}

/** The running machine of any kind in a run's folder. Undefined if there is none. */
export async function attachMachine(settings: Settings, id: string): Promise<Attached | undefined> {
  for (const provider of all(settings)) {
    const attached = await provider.attach(id)
    if (attached !== undefined) return attached
  }
  return undefined
}

function all(settings: Settings): MachineProvider[] {
  return Object.values(PROVIDERS).map((provider) => provider(settings))
}
