import { execa } from "execa"
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { packageRoot } from "../base/settings.ts"
import { digestOf } from "./digest.ts"

/**
 * Makes one file of a program, the libraries that it needs, and their loader, so that it runs on a host that does not
 * have them. The file is a shell script with an archive behind its last line.
 * @param program the path of the program
 * @param root the folder that contains the libraries, in their usual places. Those of the host take the place of others
 * @returns `target`
 * @throws Error if a library is missing
 */
export async function bundle(program: string, root: string, target: string): Promise<string> {
  const folders = await libraryFolders(root)
  const { stdout } = await execa("ldd", [program], { env: { LC_ALL: "C", LD_LIBRARY_PATH: folders.join(":") } })
  const missing = /(\S+) => not found/.exec(stdout)
  if (missing !== null) throw new Error(`${basename(program)} needs ${missing[1] ?? ""}, which this host does not have`)
  const work = await mkdtemp(`${target}-`)
  try {
    const parts = join(work, "parts")
    await mkdir(parts)
    await copyFile(program, join(parts, "program"))
    for (const [, library = ""] of stdout.matchAll(/=> (\/\S+)/g))
      await copyFile(library, join(parts, basename(library)))
    const [, loader = ""] = /^\s+(\/\S+) \(0x/m.exec(stdout) ?? []
    await copyFile(loader, join(parts, "loader"))
    const archive = join(work, "parts.tar.gz")
    const stable = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]
    await execa("tar", ["-czf", archive, ...stable, "--mode=u=rwx,go=rx", "-C", parts, "."])
    const script = (await readFile(join(packageRoot, "lib", "binaries", "bundle.sh"), "utf8"))
      .replaceAll("PROGRAM", basename(program))
      .replaceAll("DIGEST", (await digestOf(archive)).slice(0, 12))
    await writeFile(target, Buffer.concat([Buffer.from(script), await readFile(archive)]), { mode: 0o755 })
    return target
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** The folders below a root that contain libraries. */
async function libraryFolders(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return [...new Set(entries.filter(({ name }) => /\.so\.\d/.test(name)).map(({ parentPath }) => parentPath))]
}
