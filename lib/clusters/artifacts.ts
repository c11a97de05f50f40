import { NoBinaryError, resolveBinaries, type Binaries, type Binary } from "../binaries/resolve.ts"
import { groupOf, type ToolName } from "../binaries/versions.ts"
import { archivePath } from "../components/image-registry.ts"
import { dependenciesOf, featuresOf, type ComponentName } from "../components/registry.ts"
import { listed, resolveImages, type Images } from "../images/resolve.ts"
import type { Progress } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"

/**
 * The programs and images that a machine is given. They are plain data, so that another process can send them as JSON.
 */
export interface Artifacts {
  readonly binds: readonly { readonly source: string; readonly target: string }[]
  readonly images: Images | undefined
}

/** The programs that lessons use beside those of components. */
export const extras = ["porcupine", "kubeadm"] as const satisfies readonly ToolName[]
export type Extra = (typeof extras)[number]

/** What a run needs: components, and further programs, without which it runs too. */
export type Needed = ComponentName | Extra

/** The programs with which the images of every lesson are built. They stay on the host. */
const IMAGE_TOOLS: readonly ToolName[] = ["catatonit"]

/**
 * Finds, downloads or builds the programs and images that the given components, and all that they depend on, need. It
 * prepares nothing else. An extra program that no source has is left out: the outcomes that need it cannot be checked.
 * @throws NoBinaryError, NoImageError or UsageError, each with what was tried and a remedy
 */
export async function prepareArtifacts(
  needed: readonly Needed[],
  settings: Settings,
  progress: Progress,
): Promise<Artifacts> {
  if (process.platform !== "linux")
    return (await import("./artifacts-in-container.ts")).prepareArtifactsInContainer(needed, settings, progress)
  const specs = dependenciesOf(needed.filter((name) => !isExtra(name)))
  const names = specs.map(({ name }) => name)
  const tools = [...new Set(specs.flatMap((spec) => spec.tools))]
  const needsImages = featuresOf(names).includes("images")
  const imageTools = needsImages ? [...IMAGE_TOOLS, ...specs.flatMap((spec) => spec.imageTools ?? [])] : []
  const wanted = needed.filter(isExtra)
  const resolve = (names: readonly ToolName[]) => resolveBinaries(names, settings, progress)
  // Programs of one release are built together: that is much faster than one after another.
  const binaries = await resolve([...tools, ...imageTools, ...wanted]).catch(async (error: unknown) => {
    if (!(error instanceof NoBinaryError) || wanted.length === 0) throw error
    const all = new Map(await resolve([...tools, ...imageTools]))
    for (const extra of wanted) await addTo(all, () => resolve([extra]), progress)
    return all
  })
  const images = needsImages ? await resolveImages(binaries, settings, progress) : undefined
  return {
    binds: [
      ...[...tools, ...wanted].flatMap((tool) => {
        const binary = binaries.get(tool)
        return binary === undefined ? [] : [{ source: binary.path, target: `${folderOf(tool)}/${tool}` }]
      }),
      ...(images === undefined ? [] : listed(images)).map(({ archive, reference }) => ({
        source: archive,
        target: archivePath(reference),
      })),
    ],
    images,
  }
}

function isExtra(name: Needed): name is Extra {
  return extras.some((extra) => extra === name)
}

/** Adds a program to others. If no source has it, the reason is shown. */
async function addTo(all: Map<ToolName, Binary>, resolve: () => Promise<Binaries>, progress: Progress): Promise<void> {
  try {
    for (const [name, binary] of await resolve()) all.set(name, binary)
  } catch (error) {
    if (!(error instanceof NoBinaryError)) throw error
    progress.note(error.message)
  }
}

/** The folder of a program on the machine. CNI plugins have their own folder, which is not on PATH. */
function folderOf(tool: ToolName): string {
  return groupOf(tool) === "cni-plugins" ? "/opt/cni/bin" : "/usr/local/bin"
}
