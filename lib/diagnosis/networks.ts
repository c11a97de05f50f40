import { BlockList, isIPv4 } from "node:net"
import type { Observation } from "./observation.ts"

/** The first network that a CNI configuration hands out addresses of. */
export function podNetwork({ files }: Observation): { subnet: string; path: string } | undefined {
  for (const [path, text] of [...files].toSorted(([one], [other]) => one.localeCompare(other))) {
    const subnet = path.startsWith("/etc/cni/net.d/") ? /"subnet": *"([^"]+)"/.exec(text)?.[1] : undefined
    if (subnet !== undefined) return { subnet, path }
  }
  return undefined
}

/** Whether two ranges such as 10.0.0.0/24 share an address. */
export function overlap(one: string, other: string): boolean {
  return within(one, other) || within(other, one)
}

/** Whether an address, or the first one of a range, is in a range. */
export function within(address: string, range: string): boolean {
  const [first = ""] = address.split("/")
  const [network = "", prefix = ""] = range.split("/")
  const kind = isIPv4(network) ? "ipv4" : "ipv6"
  if (isIPv4(first) !== (kind === "ipv4")) return false
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), kind)
  return list.check(first, kind)
}
