import type Docker from "dockerode"
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { mkdir, readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { unpackDebianPackages } from "../../binaries/debian.ts"
import { forget, keep, lookAt } from "../../binaries/kept.ts"
import { dependentCommand } from "../../base/dependent-command.ts"
import { withLock } from "../../binaries/lock.ts"
import { messageOf, RemediedError } from "../../base/errors.ts"
import { load } from "../../base/load.ts"
import type { Progress } from "../../base/progress.ts"
import { packageRoot, type Settings } from "../../base/settings.ts"
import { choosePrivilege } from "../../base/privilege.ts"
import type { Engine } from "./engine.ts"

/** The engine does not have the image of a machine, and it cannot be made or pulled. */
export class MachineImageError extends RemediedError {}

/** The files from which the project's own image is made. */
const recipe = join(packageRoot, "lib", "machines", "container", "image")
const RECIPE_FILES = ["Dockerfile", "packages", "root.sh"] as const

/**
 * Labels of the project's own images: the digest of the recipe, and whether the image was built from a registry's
 * image.
 */
const RECIPE_LABEL = "byhand.recipe"
const REGISTRY_LABEL = "byhand.registry"

/**
 * Makes sure that the engine has the image of a machine: the image that the settings name, or the project's own image.
 * The project's own image is made again when its recipe changes: from the Dockerfile if a registry can be reached,
 * otherwise from Debian packages.
 * @returns the name of the image
 * @throws MachineImageError with the reason why each way failed
 */
export async function ensureImage(engine: Engine, settings: Settings, progress: Progress): Promise<string> {
  const name = await imageOf(settings)
  if (await has(engine, name)) return name
  if (settings.image !== undefined) return pulled(name, progress)
  const digest = await digestOfRecipe()
  return withLock(
    join(settings.cacheDir, "container", "image.lock"),
    (taken) => progress.task("Waiting for another run, which is making the image of the machine", () => taken),
    async () => {
      if (await has(engine, name)) return name // Another run has made it in the meantime.
      const tried: string[] = []
      for (const make of [build, imported]) {
        try {
          await make(engine, name, digest, settings, progress)
          await removeOthers(engine, digest)
          return name
        } catch (error) {
          tried.push(messageOf(error))
        }
      }
      throw new MachineImageError(
        `The image of the machine cannot be made here. Tried:${tried.map((why) => `\n  ${why}`).join("")}\n`,
        "Give the engine access to a registry that has debian:trixie-slim, or name an image of your own in BYHAND_IMAGE.",
      )
    },
  )
}

/**
 * The name of the image that a machine needs: the image in the settings, or the project's own image with the digest of
 * its recipe.
 */
export async function imageOf({ image }: Settings): Promise<string> {
  return image ?? `byhand-machine:${await digestOfRecipe()}`
}

/** Whether an engine has an image. */
export async function has({ docker }: Engine, name: string): Promise<boolean> {
  return docker
    .getImage(name)
    .inspect()
    .then(
      () => true,
      (error: unknown) => {
        if (error instanceof Error && "statusCode" in error && error.statusCode === 404) return false
        throw error
      },
    )
}

type Testcontainers = typeof import("testcontainers")

/** Pulls the image that the settings name. @throws MachineImageError */
async function pulled(name: string, progress: Progress): Promise<string> {
  const { getContainerRuntimeClient, ImageName } = load("testcontainers") as Testcontainers
  await progress
    .task(`Pulling ${name}`, async () => (await getContainerRuntimeClient()).image.pull(ImageName.fromString(name)))
    .catch((error: unknown) => {
      throw new MachineImageError(
        `The engine does not have BYHAND_IMAGE=${name} and cannot pull it: ${oneLine(error)}.`,
        "Correct the name, or load the image: docker load, docker pull.",
      )
    })
  return name
}

/** Builds the image from the Dockerfile. Does not use testcontainers, because it does not say why a build failed. */
async function build({ docker }: Engine, name: string, digest: string, _: Settings, progress: Progress): Promise<void> {
  try {
    await progress.task("Building the image of the machine from debian:trixie-slim", async () => {
      const output = await docker.buildImage(
        { context: recipe, src: [...RECIPE_FILES] },
        { t: name, labels: { [RECIPE_LABEL]: digest, [REGISTRY_LABEL]: "yes" }, rm: true, forcerm: true },
      )
      await finished(docker, output)
    })
  } catch (error) {
    // A build that fails leaves images without a name.
    await docker.pruneImages({ filters: { dangling: ["true"], label: ["byhand.machine"] } }).catch(() => undefined)
    throw new Error(`from the Dockerfile: ${oneLine(error)}`, { cause: error })
  }
}

/** Makes the image from Debian packages and imports it. The file system is kept in the cache for other engines. */
async function imported(
  { docker }: Engine,
  name: string,
  digest: string,
  settings: Settings,
  progress: Progress,
): Promise<void> {
  try {
    const archive = join(settings.cacheDir, "container", `root-${digest}.tar`)
    const kept = await lookAt(archive)
    if (typeof kept === "string") {
      if (kept === "corrupted") await forget(archive)
      await progress.task("Making the image of the machine from Debian packages", () => makeRoot(archive, settings))
    }
    await progress.task("Importing the image of the machine", async () => {
      const output = await docker.importImage(createReadStream(archive), { changes: `LABEL ${RECIPE_LABEL}=${digest}` })
      const [repo = "", tag = ""] = name.split(":")
      // The tag is set in a second step, because Podman's import accepts no tag.
      await docker.getImage(await finished(docker, output)).tag({ repo, tag })
    })
  } catch (error) {
    throw new Error(`from Debian packages: ${oneLine(error)}`, { cause: error })
  }
}

const Events = z.array(z.object({ error: z.string().optional(), status: z.string().optional() }))

/**
 * Waits until an engine has finished an operation. Its progress events can contain an error.
 * @returns the last status: after an import, the id of the image
 */
async function finished({ modem }: Docker, output: NodeJS.ReadableStream): Promise<string> {
  const events = await new Promise<unknown>((done, fail) =>
    modem.followProgress(output, (error, all) => {
      if (error === null) done(all)
      else fail(error)
    }),
  )
  const said = Events.parse(events)
  const wrong = said.find(({ error }) => error !== undefined)?.error
  if (wrong !== undefined) throw new Error(wrong)
  return said.at(-1)?.status ?? ""
}

async function makeRoot(archive: string, settings: Settings): Promise<void> {
  const privilege = await choosePrivilege(settings.privilege === "sudo" ? "sudo" : "auto")
  if (privilege === "user") throw new RemediedError("this needs root or sudo: it makes files that belong to root.", "")
  const work = `${archive}.work`
  const sudo = privilege === "sudo" ? ["sudo", "-n"] : []
  const remove = () => dependentCommand([...sudo, "rm", "-rf", work], { reject: false })
  await remove() // A process that was killed can have left this folder.
  await mkdir(work, { recursive: true })
  try {
    const tools = join(work, "tools")
    await unpackDebianPackages(["debootstrap", "debian-archive-keyring"], tools, settings)
    const made = await dependentCommand(
      [
        ...sudo,
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        join(recipe, "root.sh"),
        tools,
        work,
      ],
      { reject: false },
    )
    if (made.failed) throw new Error(`debootstrap failed: ${made.stderr.trim().split("\n").at(-1) ?? ""}`)
    for (const old of await readdir(join(settings.cacheDir, "container")))
      if (/^root-\w+\.tar$/.test(old)) await forget(join(settings.cacheDir, "container", old))
    await keep(join(work, "root.tar"), archive, { source: "debootstrap" })
  } finally {
    await remove()
  }
}

/** Whether an image was made from a registry's image. If it was, the engine can reach a registry. */
export async function isFromRegistry(docker: Docker, name: string): Promise<boolean> {
  const {
    Config: { Labels: labels },
  } = await docker.getImage(name).inspect()
  return labels?.[REGISTRY_LABEL] !== undefined
}

/** Removes the images of earlier recipes, except images in use. */
async function removeOthers({ docker }: Engine, digest: string): Promise<void> {
  const images = await docker.listImages({ filters: { label: [RECIPE_LABEL] } })
  for (const { Id, Labels } of images)
    if (Labels[RECIPE_LABEL] !== digest)
      await docker
        .getImage(Id)
        .remove()
        .catch(() => undefined)
}

async function digestOfRecipe(): Promise<string> {
  const hash = createHash("sha256")
  for (const file of RECIPE_FILES) hash.update(await readFile(join(recipe, file)))
  return hash.digest("hex").slice(0, 12)
}

/** The message of an error in one line, without its full stop, for use inside a sentence. */
export function oneLine(error: unknown): string {
  return messageOf(error)
    .trim()
    .replaceAll(/\s*\n\s*/g, " ")
    .replace(/\.$/, "")
}
