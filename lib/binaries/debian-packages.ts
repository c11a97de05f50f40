import { existsSync } from "node:fs"
import { mkdtemp } from "node:fs/promises"
import { join } from "node:path"
import { messageOf, RemediedError } from "../base/errors.ts"
import { bundle } from "./bundle.ts"
import { unpackDebianPackages } from "./debian.ts"
import { inspect } from "./inspect.ts"
import type { Source } from "./source.ts"
import type { GroupName, ToolName } from "./versions.ts"

interface Package {
  readonly name: string
  /** The folders that can contain its programs. */
  readonly folders: readonly string[]
  /**
   * The packages with the libraries that its programs need. The host may not have them, so they become a part of each
   * program. None by default.
   */
  readonly libraries?: readonly string[]
}

/** The Debian package of a group, if it is new enough. */
const packages: Partial<Record<GroupName, Package>> = {
  runc: { name: "runc", folders: ["usr/sbin", "usr/bin"] },
  catatonit: { name: "catatonit", folders: ["usr/bin"] },
  "cni-plugins": { name: "containernetworking-plugins", folders: ["usr/lib/cni"] },
  nftables: {
    name: "nftables",
    folders: ["usr/sbin"],
    libraries: [
      "libnftables1",
      "libnftnl11",
      "libmnl0",
      "libjansson4",
      "libedit2",
      "libbsd0",
      "libmd0",
      "libgmp10",
      "libtinfo6",
      "libxtables12",
    ],
  },
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
        unpackDebianPackages([wanted.name, ...(wanted.libraries ?? [])], root, order.settings),
      )
    } catch (error) {
      if (!(error instanceof RemediedError)) throw error
      return { found: [], misses: [{ source, why: error.message.replace(/\.$/, "") }] }
    }
    const candidates = new Map<ToolName, string>()
    for (const tool of order.tools) {
      const path = wanted.folders.map((folder) => join(root, folder, tool)).find(existsSync)
      if (path === undefined) continue
      try {
        candidates.set(tool, wanted.libraries === undefined ? path : await bundle(path, root, join(into, tool)))
      } catch (error) {
        return { found: [], misses: [{ source, why: `${tool} cannot be made one file: ${messageOf(error)}` }] }
      }
    }
    return inspect(order, source, candidates, `not in Debian's package ${wanted.name}`)
  },
}
