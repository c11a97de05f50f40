import { literal } from "../base/literal.ts"
import type { Machine } from "../machines/machine.ts"

/**
 * The endpoints to which the kernel of a machine forwards connections to a port of a Service, ADDRESS:PORT, sorted.
 * They are read from the rules, not from kube-proxy.
 * @param mode what kube-proxy writes: nftables or iptables
 * @param service NAMESPACE/NAME, and the name of the port if it has one: NAMESPACE/NAME:PORT
 */
export async function ruledEndpoints(machine: Machine, mode: string, service: string): Promise<string[]> {
  return mode === "nftables" ? inNftables(machine, service) : inIptables(machine, service)
}

async function inNftables(machine: Machine, service: string): Promise<string[]> {
  const { stdout } = await machine.run(["nft", "list", "table", "ip", "kube-proxy"])
  const [name = "", port = ""] = service.split(":")
  const chains = [...stdout.matchAll(/^\tchain (\S+) \{\n(.*?)^\t\}/gms)].map(([, of = "", rules = ""]) => ({
    of,
    rules,
  }))
  // service-HASH-NAMESPACE/NAME/PROTOCOL/PORT
  const own = chains.filter(({ of }) => new RegExp(`^service-\\w+-${name}/\\w+/${port}$`).test(of))
  const rules = own.flatMap((chain) => [
    chain.rules,
    ...chains.filter(({ of }) => of.startsWith("endpoint-") && chain.rules.includes(of)).map((one) => one.rules),
  ])
  // "dnat to 10.88.0.2:80", or "dnat ip to numgen random mod 2 map { 0 : 10.88.0.2 . 80, 1 : 10.88.0.3 . 80 }"
  const targets = rules.join("\n").matchAll(/(?:dnat to |\d+ : )([\d.]+)(?::| \. )(\d+)/g)
  return [...new Set([...targets].map(([, address, to]) => `${address}:${to}`))].toSorted()
}

async function inIptables(machine: Machine, service: string): Promise<string[]> {
  const { stdout } = await machine.run(["iptables-save", "-t", "nat"])
  // -A KUBE-SVC-… -m comment --comment "NAMESPACE/NAME -> ADDRESS:PORT" … -j KUBE-SEP-…
  const targets = stdout.matchAll(
    new RegExp(`^-A KUBE-SVC-\\w+ .*--comment "${literal(service)} -> ([\\d.]+:\\d+)"`, "gm"),
  )
  return [...new Set([...targets].map(([, endpoint = ""]) => endpoint))].toSorted()
}
