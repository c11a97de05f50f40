import { access, constants, realpath, stat } from "node:fs/promises"
import { basename, delimiter, isAbsolute, join } from "node:path"
import { inspect } from "./inspect.ts"
import type { Source } from "./source.ts"
import type { ToolName } from "./versions.ts"

/** Programs that are installed on this host: on PATH, and CNI plugins in /opt/cni/bin. */
export const searchPath: Source = {
  async find(order) {
    if (order.settings.ignoresPath === true) return { found: [], misses: [] }
    // CNI plugins are not searched for on PATH, because iproute2 has another program with the name bridge.
    const isCni = order.group === "cni-plugins"
    const folders = isCni ? ["/opt/cni/bin"] : (process.env["PATH"] ?? "").split(delimiter).filter(isAbsolute)
    const candidates = new Map<ToolName, string>()
    await Promise.all(
      order.tools.map(async (tool) => {
        const path = await locate(tool, folders)
        if (path !== undefined) candidates.set(tool, path)
      }),
    )
    return inspect(order, isCni ? "/opt/cni/bin" : "PATH", candidates, "not found")
  },
}

/** The first program with this name in the folders. */
async function locate(tool: ToolName, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, tool)
    try {
      await access(path, constants.X_OK)
      // A link to a program of another name (snap, a version manager) needs files of the host that a machine does not
      // have.
      if ((await stat(path)).isFile() && basename(await realpath(path)).startsWith(tool)) return path
    } catch {
      continue // The program is not in this folder.
    }
  }
  return undefined
}
