import { NoBinaryError, resolveBinaries, type Binary } from "../binaries/resolve.ts"
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

/** The programs that judge what a lesson has recorded. */
export const judges = ["porcupine"] as const satisfies readonly ToolName[]
export type Judge = (typeof judges)[number]

/** What a run needs: components, and judges, without which it runs too. */
export type Needed = ComponentName | Judge

/** The programs with which the images of every lesson are built. They stay on the host. */
const IMAGE_TOOLS: readonly ToolName[] = ["catatonit"]

/**
 * Finds, downloads or builds the programs and images that the given components, and all that they depend on, need. It
 * prepares nothing else. A judge that no source has is left out: the outcome that needs it cannot be checked.
 * @throws NoBinaryError, NoImageError or UsageError, each with what was tried and a remedy
 */
export async function prepareArtifacts(
  needed: readonly Needed[],
  settings: Settings,
  progress: Progress,
): Promise<Artifacts> {
  if (process.platform !== "linux")
    return (await import("./artifacts-in-container.ts")).prepareArtifactsInContainer(needed, settings, progress)
  const specs = dependenciesOf(needed.filter((name) => !isJudge(name)))
  const names = specs.map(({ name }) => name)
  const tools = [...new Set(specs.flatMap((spec) => spec.tools))]
  const needsImages = featuresOf(names).includes("images")
  const imageTools = needsImages ? [...IMAGE_TOOLS, ...specs.flatMap((spec) => spec.imageTools ?? [])] : []
  const binaries = await resolveBinaries([...tools, ...imageTools], settings, progress)
  const images = needsImages ? await resolveImages(binaries, settings, progress) : undefined
  const wanted = needed.filter(isJudge)
  const found = await resolveBinaries(wanted, settings, progress).catch((error: unknown) => {
    if (!(error instanceof NoBinaryError)) throw error
    progress.note(error.message)
    return new Map<ToolName, Binary>()
  })
  return {
    binds: [
      ...[...tools, ...wanted].flatMap((tool) => {
        const binary = binaries.get(tool) ?? found.get(tool)
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

function isJudge(name: Needed): name is Judge {
  return judges.some((judge) => judge === name)
}

/** The folder of a program on the machine. CNI plugins have their own folder, which is not on PATH. */
function folderOf(tool: ToolName): string {
  return groupOf(tool) === "cni-plugins" ? "/opt/cni/bin" : "/usr/local/bin"
}
