import { createHash } from "node:crypto"
import { mkdir, readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { architecture } from "../binaries/architecture.ts"
import { forget, keep, lookAt } from "../binaries/kept.ts"
import { withLock } from "../binaries/lock.ts"
import type { Binaries } from "../binaries/resolve.ts"
import { problemOf, RemediedError } from "../base/errors.ts"
import type { Progress } from "../base/progress.ts"
import { packageRoot, type Settings } from "../base/settings.ts"
import { assemble } from "./assemble.ts"
import { pull } from "./pull.ts"
import { coredns, nginx, pause, type Recipe } from "./recipes.ts"

/** An image that the lessons use. */
export interface Image {
  /** Its full name, such as docker.io/library/nginx:latest. */
  readonly reference: string
  /** The path of a docker archive (a tar file), which crane can push. */
  readonly archive: string
  /** The source of the image, for people to read. */
  readonly source: string
}

/** The images of the lessons. */
export interface Images {
  /** The image of a Pod's sandbox. */
  readonly pause: Image
  readonly nginx: Image
  /** undefined if no lesson needs it. */
  readonly coredns?: Image
}

/** No source has a required image. */
export class NoImageError extends RemediedError {}

/** The images by their full names. */
export const REFERENCES = {
  pause: "registry.k8s.io/pause:3.10.2", // kubeadm 1.37 and containerd 2.3 use this version.
  nginx: "docker.io/library/nginx:latest",
  coredns: "docker.io/coredns/coredns:1.15.0",
} as const

/** The images in a list. */
export function listed({ pause: ofPause, nginx: ofNginx, coredns: ofCoredns }: Images): Image[] {
  return [ofPause, ofNginx, ...(ofCoredns === undefined ? [] : [ofCoredns])]
}

const platform = `linux/${architecture}`

/**
 * Finds each image of the lessons in the first source that has it: the cache, the official registry or a mirror of it.
 * Otherwise the image is made on this host from Debian packages. Images are kept in the cache.
 * @param binaries must contain crane and catatonit. The image of CoreDNS is among the images if they contain coredns.
 * @throws NoImageError with every source that was tried
 */
export async function resolveImages(binaries: Binaries, settings: Settings, progress: Progress): Promise<Images> {
  const path = (name: "crane" | "catatonit" | "coredns") => {
    const binary = binaries.get(name)
    if (binary === undefined) throw new TypeError(`resolveImages needs the binary ${name}`)
    return binary.path
  }
  const crane = path("crane")
  const [ofPause, ofNginx, ofCoredns] = await Promise.all([
    resolveImage(REFERENCES.pause, pause(path("catatonit")), crane, settings, progress),
    resolveImage(REFERENCES.nginx, nginx(settings), crane, settings, progress),
    binaries.has("coredns")
      ? resolveImage(REFERENCES.coredns, coredns(path("coredns")), crane, settings, progress)
      : undefined,
  ])
  return { pause: ofPause, nginx: ofNginx, ...(ofCoredns === undefined ? {} : { coredns: ofCoredns }) }
}

async function resolveImage(
  reference: string,
  recipe: Recipe,
  crane: string,
  settings: Settings,
  progress: Progress,
): Promise<Image> {
  const archive = join(
    settings.cacheDir,
    "images",
    `${reference.replaceAll(/[/:]/g, "_")}-${architecture}-${await digestOfRecipe(recipe)}.tar`,
  )
  const kept = await fromCache(reference, archive)
  if (kept !== undefined) return kept
  return withLock(
    `${archive}.lock`,
    (taken, owner) =>
      progress.task(
        `Waiting for ${owner === "" ? "another run" : `process ${owner}`}, which fetches ${reference}`,
        () => taken,
      ),
    async () => {
      const meanwhile = await fromCache(reference, archive)
      if (meanwhile !== undefined) return meanwhile
      if ((await lookAt(archive)) === "corrupted") {
        progress.note(`${archive} is corrupted: its digest is not the recorded one. It is replaced.`)
        await forget(archive)
      }
      const work = `${archive}.work`
      await rm(work, { recursive: true, force: true }) // A process that was killed can have left files there.
      await mkdir(work, { recursive: true })
      try {
        const made = join(work, "archive.tar")
        const source = await get(reference, recipe, crane, work, made, settings, progress)
        await keep(made, archive, { source })
        return { reference, archive, source }
      } finally {
        await rm(work, { recursive: true, force: true })
      }
    },
  )
}

async function fromCache(reference: string, archive: string): Promise<Image | undefined> {
  const kept = await lookAt(archive)
  return typeof kept === "string" ? undefined : { reference, archive, source: kept["source"] ?? "" }
}

/** Writes the archive. @returns the source of the image, for people to read */
async function get(
  reference: string,
  recipe: Recipe,
  crane: string,
  work: string,
  archive: string,
  settings: Settings,
  progress: Progress,
): Promise<string> {
  const tried: string[] = []
  try {
    return await progress.task(`Pulling ${reference}`, (report) =>
      pull(crane, reference, platform, archive, settings, report),
    )
  } catch (error) {
    tried.push(problemOf(error))
  }
  try {
    await progress.task(`Making ${reference} from ${recipe.parts}`, () =>
      assemble(recipe, crane, reference, platform, work, archive, settings),
    )
    return `made here from ${recipe.parts}`
  } catch (error) {
    tried.push(problemOf(error))
  }
  throw new NoImageError(
    `No source has the image ${reference}. Tried:${tried.map((why) => `\n  ${why}`).join("")}\n`,
    "Give this host access to the registry, or name a mirror in BYHAND_MIRROR that has the image under its full name.",
  )
}

/** A digest that changes when the recipe or a file of the image changes. */
async function digestOfRecipe(recipe: Recipe): Promise<string> {
  const hash = createHash("sha256").update(recipe.config.join(" "))
  hash.update(await readFile(join(packageRoot, "lib", "images", "assemble.sh")))
  const fixtures = join(packageRoot, "fixtures", "images")
  for (const entry of (await readdir(fixtures, { recursive: true, withFileTypes: true })).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    if (entry.isFile()) hash.update(await readFile(join(entry.parentPath, entry.name)))
  }
  return hash.digest("hex").slice(0, 12)
}
