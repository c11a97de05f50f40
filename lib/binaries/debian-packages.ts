import { existsSync } from "node:fs"
import { mkdtemp } from "node:fs/promises"
import { join } from "node:path"
import { RemediedError } from "../base/errors.ts"
import { unpackDebianPackages } from "./debian.ts"
import { inspect } from "./inspect.ts"
import type { Source } from "./source.ts"
import type { GroupName, ToolName } from "./versions.ts"

/** The Debian package of a group, if it is new enough, and the folders that can contain its programs. */
const packages: Partial<Record<GroupName, { readonly name: string; readonly folders: readonly string[] }>> = {
  runc: { name: "runc", folders: ["usr/sbin", "usr/bin"] },
  catatonit: { name: "catatonit", folders: ["usr/bin"] },
  "cni-plugins": { name: "containernetworking-plugins", folders: ["usr/lib/cni"] },
}

const source = "Debian packages"

/** The last source: Debian packages. They are unpacked, not installed. */
export const debianPackages: Source = {
  async find(order, into) {
    const wanted = packages[order.group]
    if (wanted === undefined)
      return { found: [], misses: [{ source, why: `Debian has no package of ${order.group} that is new enough` }] }
    const root = await mkdtemp(join(into, "debian-"))
    try {
      await order.progress.task(`Fetching Debian's package ${wanted.name}`, () =>
        unpackDebianPackages([wanted.name], root, order.settings),
      )
    } catch (error) {
      if (!(error instanceof RemediedError)) throw error
      return { found: [], misses: [{ source, why: error.message.replace(/\.$/, "") }] }
    }
    const candidates = new Map<ToolName, string>()
    for (const tool of order.tools) {
      const path = wanted.folders.map((folder) => join(root, folder, tool)).find(existsSync)
      if (path !== undefined) candidates.set(tool, path)
    }
    return inspect(order, source, candidates, `not in Debian's package ${wanted.name}`)
  },
}
