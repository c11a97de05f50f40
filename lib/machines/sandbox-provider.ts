import { execa } from "execa"
import { readFile } from "node:fs/promises"
import { constants } from "node:os"
import { join } from "node:path"
import { choosePrivilege } from "../base/privilege.ts"
import type { Settings } from "../base/settings.ts"
import { attachTo } from "./attach.ts"
import { publishedPortOf } from "./container/published-port.ts"
import { triedWithin } from "./namespaces.ts"
import type { Attached, Availability, MachineProvider } from "./provider.ts"
import { NEEDS_ROOT, reachOf, scriptsFolder, startSandbox } from "./sandbox.ts"

/** Makes machines from Linux namespaces (man 7 namespaces). */
export function sandboxProvider(settings: Settings): MachineProvider {
  let availability: Promise<Availability> | undefined
  return {
    kind: "sandbox",
    available: () => (availability ??= available(settings)),
    prepare: () => Promise.resolve(),
    start: (options) => startSandbox({ ...options, settings }),
    attach: (id) => attach(join(settings.runsDir, id)),
  }
}

async function available({ privilege: wanted }: Settings): Promise<Availability> {
  if (process.platform !== "linux") return { isAvailable: false, reason: "this host is not Linux" }
  const privilege = await choosePrivilege(wanted)
  const { ok, found } = await triedWithin(privilege, "mount -t tmpfs tmpfs /tmp")
  if (!ok) return { isAvailable: false, reason: `namespaces cannot be made: ${found}` }
  return { isAvailable: true, lacks: privilege === "user" ? NEEDS_ROOT : undefined }
}

async function attach(folder: string): Promise<Attached | undefined> {
  if (publishedPortOf(folder) !== undefined) return undefined // A container.
  const mode = (await readFile(join(folder, "mode"), "utf8").catch(() => "")).trim()
  if (mode === "") return undefined
  return attachTo(folder, reachOf(folder, mode === "root" ? "root" : "user"), (command, on) =>
    enter(on === undefined ? folder : join(folder, "machines", on), mode, command),
  )
}

/** @param place the folder with the files of the machine */
async function enter(place: string, mode: string, command: readonly string[]): Promise<number> {
  const needsSudo = mode === "root" && process.getuid?.() !== 0
  const [file = "", ...args] = [
    ...(needsSudo ? ["sudo", "--preserve-env=TERM"] : []),
    "sh",
    join(scriptsFolder, "enter.sh"),
    place,
    ...command,
  ]
  const { exitCode, signal } = await execa(file, args, { stdio: "inherit", reject: false })
  return exitCode ?? (signal === undefined ? 1 : 128 + constants.signals[signal])
}
