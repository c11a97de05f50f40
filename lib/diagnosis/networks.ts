import { BlockList, isIPv4 } from "node:net"
import { Document } from "../base/document.ts"
import { containerdOf } from "./facts.ts"
import type { Observation } from "./observation.ts"

/** The first range of addresses that a CNI configuration gives to Pods. */
export function podNetwork(seen: Observation): { subnet: string; path: string } | undefined {
  const folder = `${containerdOf(seen).cniFolder}/`
  for (const path of Object.keys(seen.files).toSorted()) {
    const subnet = path.startsWith(folder) ? subnetIn(Document.yaml(seen.files[path]).at()) : undefined
    if (subnet !== undefined) return { subnet, path }
  }
  return undefined
}

/** The first field `subnet` of a tree. */
function subnetIn(tree: unknown): string | undefined {
  if (typeof tree !== "object" || tree === null) return undefined
  if ("subnet" in tree && typeof tree.subnet === "string") return tree.subnet
  for (const branch of Object.values(tree)) {
    const found = subnetIn(branch)
    if (found !== undefined) return found
  }
  return undefined
}

/** Whether two ranges such as 10.0.0.0/24 share an address. */
export function overlap(one: string, other: string): boolean {
  return within(one, other) || within(other, one)
}

/** Whether an address, or the first address of a range, is in a range. */
function within(address: string, range: string): boolean {
  const [start = ""] = address.split("/")
  const [network = "", prefix = ""] = range.split("/")
  const kind = isIPv4(network) ? "ipv4" : "ipv6"
  if (isIPv4(start) !== (kind === "ipv4")) return false
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), kind)
  return list.check(start, kind)
}
