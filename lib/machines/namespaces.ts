import { execa } from "execa"
import type { Privilege } from "../base/privilege.ts"

/** Whether a command succeeded. If it did not, `found` is the last line of its error output. */
export interface Trial {
  readonly ok: boolean
  readonly found: string
}

/** Runs a command to see whether it succeeds. */
export async function tried(argv: readonly string[]): Promise<Trial> {
  const [file = "", ...args] = argv
  const result = await execa(file, args, { reject: false, stdin: "ignore" })
  if (!result.failed) return { ok: true, found: "" }
  return {
    ok: false,
    found: result.code === "ENOENT" ? `${file} is not found` : (result.stderr.trim().split("\n").at(-1) ?? ""),
  }
}

/**
 * Tries a script in namespaces like those of a machine. When the script ends, the namespaces and everything in them end
 * too.
 */
export function triedWithin(privilege: Privilege, script: string): Promise<Trial> {
  return tried([
    ...(privilege === "sudo" ? ["sudo", "-n"] : []),
    "unshare",
    ...(privilege === "user" ? ["--user", "--map-root-user"] : []),
    "--pid",
    "--fork",
    "--kill-child",
    "--mount",
    "--net",
    "--uts",
    "--ipc",
    "sh",
    "-c",
    script,
  ])
}
