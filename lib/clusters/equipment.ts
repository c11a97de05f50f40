import { resolveBinaries } from "../binaries/resolve.ts"
import type { ToolName } from "../binaries/versions.ts"
import { resolveImages, type Images } from "../images/resolve.ts"
import type { Progress } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"

/** What a machine is given so that the lessons can run on it; plain data, so that it can be handed to another process. */
export interface Equipment {
  readonly binds: readonly { readonly source: string; readonly target: string }[]
  readonly images: Images | undefined
}

const CNI_PLUGINS: readonly ToolName[] = ["bridge", "host-local", "loopback", "portmap"]

const TOOLS: readonly { readonly lesson: number; readonly tools: readonly ToolName[] }[] = [
  { lesson: 1, tools: ["etcd", "etcdctl"] },
  { lesson: 2, tools: ["kube-apiserver", "kubectl"] },
  { lesson: 3, tools: ["etcdutl"] },
  { lesson: 4, tools: ["kube-scheduler"] },
  { lesson: 5, tools: ["kubelet", "containerd", "containerd-shim-runc-v2", "ctr", "runc", "crane", ...CNI_PLUGINS] },
]

/** The first lesson that needs containers, and with them images and a privileged machine. */
export const FIRST_LESSON_WITH_CONTAINERS = 5

/** Where an image's archive lies on the machine. */
export function archivePath(reference: string): string {
  return `/opt/images/${reference.replaceAll(/[^\w.-]/g, "_")}.tar`
}

/**
 * Finds, fetches or builds what the lessons up to one need, and nothing more.
 * @throws NoBinaryError, NoImageError or UsageError, each with what was tried and what to do
 */
export async function equip(lesson: number, settings: Settings, progress: Progress): Promise<Equipment> {
  if (process.platform !== "linux")
    return (await import("./equip-in-container.ts")).equipInContainer(lesson, settings, progress)
  const withContainers = lesson >= FIRST_LESSON_WITH_CONTAINERS
  const names = TOOLS.flatMap((row) => (row.lesson <= lesson ? row.tools : []))
  const imageTools: readonly ToolName[] = withContainers ? ["catatonit"] : []
  const binaries = await resolveBinaries([...names, ...imageTools], settings, progress)
  const images = withContainers ? await resolveImages(binaries, settings, progress) : undefined
  return {
    binds: [
      ...names.flatMap((name) => {
        const binary = binaries.get(name)
        return binary === undefined
          ? []
          : [
              {
                source: binary.path,
                target: `${CNI_PLUGINS.includes(name) ? "/opt/cni/bin" : "/usr/local/bin"}/${name}`,
              },
            ]
      }),
      ...(images === undefined ? [] : [images.pause, images.nginx]).map(({ archive, reference }) => ({
        source: archive,
        target: archivePath(reference),
      })),
    ],
    images,
  }
}
