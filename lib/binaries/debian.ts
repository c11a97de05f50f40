import { execa } from "execa"
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { RemediedError } from "../base/errors.ts"
import { packageRoot, type Settings } from "../base/settings.ts"

/** A Debian package could not be had here: no apt-get, no such package, or its registry did not serve it. */
export class DebianPackageError extends RemediedError {}

/**
 * Downloads Debian packages, without what they depend on, and unpacks them into a folder; nothing is installed.
 * apt-get works on lists of its own in the cache, from the host's sources and with the host's keys, as any user.
 * Several processes may do so at once.
 * @param names packages, for example ["runc"]
 * @param into a folder of the caller's own; made where it is not there
 * @throws DebianPackageError
 */
export async function unpackDebianPackages(names: readonly string[], into: string, settings: Settings): Promise<void> {
  const wanted = names.join(", ")
  for (const tool of ["apt-get", "dpkg-deb", "flock", "setpriv"]) {
    if ((await execa(tool, ["--version"], { reject: false })).failed) {
      throw new DebianPackageError(
        `Debian's ${wanted} cannot be had: there is no ${tool}, so this is not a Debian host.`,
        "Name a folder that has the programs in BYHAND_BIN_DIR.",
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
          "Is the disk full?",
        )
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Downloads into the folder; lists that are missing or too old to find a package with are fetched first. */
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

/** Runs apt-get on the lists under state, one at a time; it ends when this process does. */
function aptGet(args: readonly string[], cwd: string, state: string) {
  const own = {
    "Dir::State": state,
    "Dir::Cache": join(state, "cache"),
    "APT::Sandbox::User": "root", // Whoever runs it stays who they are; the user _apt cannot write into a home folder.
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

/** The first thing that apt-get or dpkg-deb complained about. */
function complaint({ stderr }: { readonly stderr: string }): string {
  return (
    stderr
      .split("\n")
      .map((line) => line.replace(/^[A-Z]: /, "").trim())
      .find((line) => line !== "")
      ?.replace(/\.$/, "") ?? ""
  )
}
