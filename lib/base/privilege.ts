import { execa } from "execa"
import { RemediedError } from "./errors.ts"
import type { Settings } from "./settings.ts"

/** How a command that needs root is started: as root, as root through sudo, or as root of its own user namespace. */
export type Privilege = "root" | "sudo" | "user"

/** The privilege that a setting requires is not available. */
export class PrivilegeError extends RemediedError {}

/**
 * Chooses the required privilege. If the setting is "auto", chooses the strongest available one. Asks for sudo's
 * password at most once, and only on a terminal.
 * @param mayAsk whether it may ask for the password
 * @throws PrivilegeError if the required privilege is not available
 */
export async function choosePrivilege(wanted: Settings["privilege"], mayAsk = true): Promise<Privilege> {
  const isRoot = process.getuid?.() === 0
  if (wanted === "privileged")
    throw new PrivilegeError(
      "BYHAND_PRIVILEGE=privileged works with containers only.",
      "Set BYHAND_MACHINE=container too, or unset BYHAND_PRIVILEGE.",
    )
  if (wanted === "user") return "user"
  if (isRoot && wanted !== "sudo") return "root"
  if (wanted === "root")
    throw new PrivilegeError(
      "BYHAND_PRIVILEGE=root, but this user is not root.",
      "Set BYHAND_PRIVILEGE to sudo or user, or unset it.",
    )
  if (await maySudo(mayAsk)) return "sudo"
  if (wanted === "sudo")
    throw new PrivilegeError(
      "BYHAND_PRIVILEGE=sudo, but sudo refuses.",
      "Run sudo -v first, or unset BYHAND_PRIVILEGE.",
    )
  return "user"
}

async function maySudo(mayAsk: boolean): Promise<boolean> {
  if ((await execa("sudo", ["-n", "true"], { reject: false })).exitCode === 0) return true
  if (!mayAsk || !process.stdin.isTTY || !process.stderr.isTTY || process.env["CI"] !== undefined) return false
  return (await execa("sudo", ["-v"], { reject: false, stdio: "inherit" })).exitCode === 0
}
