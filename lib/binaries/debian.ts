import { execa } from "execa"
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { RemediedError } from "../base/errors.ts"
import { packageRoot, type Settings } from "../base/settings.ts"

/** A Debian package could not be downloaded or unpacked: no apt-get, no such package, or no answer from the mirror. */
export class DebianPackageError extends RemediedError {}

/**
 * Downloads Debian packages, without their dependencies, and unpacks them into a folder. Nothing is installed.
 * apt-get keeps its package lists in the project's cache. It uses the host's sources and keys, and works for any user.
 * Several processes may do this at the same time.
 * @param names packages, for example ["runc"]
 * @param into the folder to unpack into; it is made if it does not exist
 * @throws DebianPackageError
 */
export async function unpackDebianPackages(names: readonly string[], into: string, settings: Settings): Promise<void> {
  const wanted = names.join(", ")
  for (const tool of ["apt-get", "dpkg-deb", "flock", "setpriv"]) {
    if ((await execa(tool, ["--version"], { reject: false })).failed) {
      throw new DebianPackageError(
        `Debian's ${wanted} cannot be downloaded: there is no ${tool}, so this is not a Debian host.`,
        "Put the programs into a folder and name it in BYHAND_BIN_DIR.",
      )
    }
  }
  await mkdir(into, { recursive: true })
  const folder = await mkdtemp(join(into, ".debs-"))
  try {
    await download(names, folder, join(settings.cacheDir, "apt"))
    for (const file of await readdir(folder)) {
      const unpacked = await execa("dpkg-deb", ["-x", join(folder, file), into], { reject: false })
      if (unpacked.failed)
        throw new DebianPackageError(
          `${file} cannot be unpacked into ${into}: ${complaint(unpacked)}.`,
          "Check that the disk is not full.",
        )
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Downloads packages into the folder. If the package lists are missing or too old, updates them first. */
async function download(names: readonly string[], folder: string, state: string): Promise<void> {
  await mkdir(join(state, "lists", "partial"), { recursive: true })
  await mkdir(join(state, "cache", "archives", "partial"), { recursive: true })
  if (!(await aptGet(["download", ...names], folder, state)).failed) return
  const update = await aptGet(["update"], folder, state)
  const again = await aptGet(["download", ...names], folder, state)
  if (!again.failed) return

  const unknown = again.stderr.match(/Unable to locate package (\S+)|Can't select candidate version from package (\S+)/)
  const why =
    unknown && update.stderr === ""
      ? `there is no package ${unknown[1] ?? unknown[2] ?? ""}`
      : complaint(update) || complaint(again)
  throw new DebianPackageError(
    `Debian's ${names.join(", ")} could not be downloaded: ${why}.`,
    "Check the network and the sources under /etc/apt; apt-get update shows the same.",
  )
}

/** Runs apt-get with the package lists in `state`, one process at a time. It ends when this process ends. */
function aptGet(args: readonly string[], cwd: string, state: string) {
  const own = {
    "Dir::State": state,
    "Dir::Cache": join(state, "cache"),
    "APT::Sandbox::User": "root", // By default, apt-get changes to the user _apt, who cannot write into a home folder.
  }
  return execa(
    "setpriv",
    [
      "--pdeathsig",
      "KILL",
      "flock",
      "--no-fork",
      join(state, "lock"),
      "apt-get",
      "--quiet=2",
      "--config-file",
      join(packageRoot, "fixtures", "binaries", "apt.conf"),
      ...Object.entries(own).flatMap(([name, value]) => ["--option", `${name}=${value}`]),
      ...args,
    ],
    { cwd, reject: false, stdin: "ignore", env: { LC_ALL: "C" } },
  )
}

/** The first error message of apt-get or dpkg-deb. */
function complaint({ stderr }: { readonly stderr: string }): string {
  return (
    stderr
      .split("\n")
      .map((line) => line.replace(/^[A-Z]: /, "").trim())
      .find((line) => line !== "")
      ?.replace(/\.$/, "") ?? ""
  )
}
