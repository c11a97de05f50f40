import { execa } from "execa"
import { constants } from "node:os"
import { doorOf } from "./container/door.ts"
import type { Machine } from "./machine.ts"
import { scriptsFolder } from "./sandbox.ts"
import { join } from "node:path"

/**
 * Runs a command inside of a machine, on this process's own terminal or pipes.
 * @param folder the run's
 * @returns its exit status
 */
export async function enter(machine: Machine, folder: string, command: readonly string[]): Promise<number> {
  const mode = machine.privileged ? "root" : "user"
  const door = doorOf(folder)
  if (door !== undefined) {
    const { execIn } = await import("./container/exec.ts")
    return execIn(door, ["sh", "/byhand/scripts/enter.sh", "/byhand/runs/machine", mode, "/byhand/scripts", ...command])
  }
  const needsSudo = mode === "root" && process.getuid?.() !== 0
  const [file = "", ...args] = [
    ...(needsSudo ? ["sudo", "--preserve-env=TERM"] : []),
    "sh",
    join(scriptsFolder, "enter.sh"),
    folder,
    mode,
    scriptsFolder,
    ...command,
  ]
  const { exitCode, signal } = await execa(file, args, { stdio: "inherit", reject: false })
  return exitCode ?? (signal === undefined ? 1 : 128 + constants.signals[signal])
}
