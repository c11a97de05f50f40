import { mkdir, rename } from "node:fs/promises"
import { join } from "node:path"
import { dependentCommand } from "../base/dependent-command.ts"
import { RemediedError } from "../base/errors.ts"
import { choosePrivilege } from "../base/privilege.ts"
import { packageRoot, type Settings } from "../base/settings.ts"
import type { Recipe } from "./recipes.ts"

/** An image could not be made here. */
class AssembleError extends RemediedError {}

/** The beginning of a command that runs in its own namespaces, for each privilege. */
const isolate = {
  root: ["unshare"],
  sudo: ["sudo", "-n", "unshare"],
  user: ["unshare", "--user", "--map-root-user"],
}

/**
 * Makes an image from its recipe and writes it as a docker archive. The same parts make the same image, byte by byte.
 * @param work an empty folder; the caller removes it
 * @throws AssembleError, ImagePartError, DebianPackageError
 */
export async function assemble(
  recipe: Recipe,
  crane: string,
  reference: string,
  platform: string,
  work: string,
  archive: string,
  settings: Settings,
): Promise<void> {
  const root = join(work, "root")
  await mkdir(root)
  await recipe.layOut(root)
  const made = await dependentCommand(
    [
      ...isolate[await choosePrivilege(settings.privilege)],
      "--net",
      "--pid",
      "--fork",
      "--kill-child",
      "sh",
      join(packageRoot, "lib", "images", "assemble.sh"),
      crane,
      reference,
      platform,
      root,
      work,
      ...recipe.config,
    ],
    { reject: false },
  )
  if (made.failed) {
    throw new AssembleError(
      `${reference} could not be made from ${recipe.parts}: ${made.stderr.trim().split("\n").at(-1) ?? ""}.`,
      "This needs root, sudo or user namespaces: npx byhand doctor says what this host allows.",
    )
  }
  await rename(join(work, "image.tar"), archive)
}
