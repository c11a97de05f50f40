import { execa } from "execa"
import { RemediedError } from "../base/errors.ts"
import type { Settings } from "../base/settings.ts"

/** How a machine's first process is started: as root, as root through sudo, or in a user namespace of its own. */
export type Privilege = "root" | "sudo" | "user"

/** The privilege that a setting demands is not to be had. */
export class PrivilegeError extends RemediedError {}

/**
 * The strongest privilege that can be had, or the one that is asked for. Asks for sudo's password at most once, and
 * only where there is a terminal to ask on.
 * @param mayAsk whether it may ask at all
 * @throws PrivilegeError where what is asked for is not to be had
 */
export async function choosePrivilege(wanted: Settings["privilege"], mayAsk = true): Promise<Privilege> {
  const isRoot = process.getuid?.() === 0
  if (wanted === "privileged")
    throw new PrivilegeError(
      "BYHAND_PRIVILEGE=privileged is for containers.",
      "Set BYHAND_MACHINE=container too, or unset it.",
    )
  if (wanted === "user") return "user"
  if (isRoot && wanted !== "sudo") return "root"
  if (wanted === "root")
    throw new PrivilegeError("BYHAND_PRIVILEGE=root, but this is not root.", "Use sudo or user instead, or unset it.")
  if (await maySudo(mayAsk)) return "sudo"
  if (wanted === "sudo")
    throw new PrivilegeError("BYHAND_PRIVILEGE=sudo, but sudo refuses.", "Run sudo -v first, or unset it.")
  return "user"
}

async function maySudo(mayAsk: boolean): Promise<boolean> {
  if ((await execa("sudo", ["-n", "true"], { reject: false })).exitCode === 0) return true
  if (!mayAsk || !process.stdin.isTTY || !process.stderr.isTTY || process.env["CI"] !== undefined) return false
  return (await execa("sudo", ["-v"], { reject: false, stdio: "inherit" })).exitCode === 0
}
