import { execa } from "execa"
import { existsSync } from "node:fs"
import { chmod, copyFile, cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { unpackDebianPackages } from "../binaries/debian.ts"
import { RemediedError } from "../base/errors.ts"
import { packageRoot, type Settings } from "../base/settings.ts"

/** How to make a replacement for an official image from programs of this host and Debian packages. */
export interface Recipe {
  /** The sources of the parts, for people to read. */
  readonly parts: string
  /** Writes the files of the image under `root`, a folder that exists. */
  layOut(root: string): Promise<void>
  /** Flags for `crane mutate`, such as the command that the image runs. */
  readonly config: readonly string[]
}

/** A part of an image is missing on this host. */
class ImagePartError extends RemediedError {}

/** The pause image, the first process of a Pod's sandbox: catatonit with -P, which only reaps zombies. */
export function pause(catatonit: string): Recipe {
  return {
    parts: "catatonit",
    layOut: (root) => addProgram(catatonit, root, "catatonit"),
    config: ["--entrypoint", "/catatonit,-P"],
  }
}

/** CoreDNS alone: its program needs no library. */
export function coredns(program: string): Recipe {
  return {
    parts: "coredns",
    layOut: (root) => addProgram(program, root, "coredns"),
    config: ["--entrypoint", "/coredns", "--exposed-ports", "53/udp,53/tcp"],
  }
}

/** Debian's nginx with the libraries of this host that it needs, one page, and busybox for a shell inside. */
export function nginx(settings: Settings): Recipe {
  return {
    parts: "Debian's nginx and busybox-static",
    layOut: async (root) => {
      const packages = await mkdtemp(join(dirname(root), "packages-"))
      try {
        // The program is in one package or the other, depending on the release of Debian or Ubuntu.
        await unpackDebianPackages(["nginx", "nginx-light", "busybox-static"], packages, settings)
        await cp(join(packageRoot, "fixtures", "images", "nginx"), root, { recursive: true })
        for (const folder of ["run", "tmp", "var/lib/nginx", "var/log/nginx"])
          await mkdir(join(root, folder), { recursive: true })
        await addProgram(join(packages, "usr/sbin/nginx"), root, "usr/sbin/nginx")
        const busybox = ["usr/bin/busybox", "bin/busybox"].map((path) => join(packages, path)).find(existsSync)
        if (busybox !== undefined) await addBusybox(busybox, root)
      } finally {
        await rm(packages, { recursive: true, force: true })
      }
    },
    config: [
      "--cmd",
      "nginx,-g,daemon off;",
      "--env",
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
      "--exposed-ports",
      "80/tcp",
    ],
  }
}

/**
 * Copies a program and the libraries that it needs. All libraries go into /lib, which the loader searches on any host.
 */
async function addProgram(program: string, root: string, target: string): Promise<void> {
  await add(program, root, target)
  // For a program that needs no library, ldd prints "not a dynamic executable" and exits with status 1.
  // LD_LIBRARY_PATH is for this process only.
  const { stdout } = await execa("ldd", [program], { reject: false, env: { LC_ALL: "C", LD_LIBRARY_PATH: undefined } })
  const missing = stdout.match(/(\S+) => not found/)
  if (missing) {
    throw new ImagePartError(
      `${basename(program)} needs ${missing[1] ?? ""}, which this host does not have.`,
      "Install that library, or name a mirror of the official images in BYHAND_MIRROR.",
    )
  }
  for (const [, library] of stdout.matchAll(/=> (\/\S+)/g))
    if (library !== undefined) await add(library, root, join("lib", basename(library)))
  for (const [, loader] of stdout.matchAll(/^\s+(\/\S+) \(0x/gm))
    if (loader !== undefined) await add(loader, root, loader)
}

async function addBusybox(busybox: string, root: string): Promise<void> {
  await add(busybox, root, "bin/busybox")
  const { stdout } = await execa(busybox, ["--list"])
  for (const applet of stdout.split("\n")) if (applet !== "busybox") await symlink("busybox", join(root, "bin", applet))
}

async function add(file: string, root: string, target: string): Promise<void> {
  const path = join(root, target)
  await mkdir(dirname(path), { recursive: true })
  await copyFile(file, path)
  await chmod(path, 0o755)
}
