import { terminalProgress } from "../base/progress-terminal.ts"
import type { Settings } from "../base/settings.ts"
import { extras, prepareArtifacts, type Artifacts } from "../clusters/artifacts.ts"
import { componentNames } from "../components/registry.ts"
import type { MachineProvider } from "../machines/provider.ts"
import { chooseProvider } from "../machines/providers.ts"

/** What every lesson needs, and what can start a machine here. Shows its progress. */
export async function prepared(settings: Settings): Promise<{ provider: MachineProvider; artifacts: Artifacts }> {
  const progress = terminalProgress()
  const provider = await chooseProvider(settings)
  await provider.prepare(progress)
  return { provider, artifacts: await prepareArtifacts([...componentNames, ...extras], settings, progress) }
}
