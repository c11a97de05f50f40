import { nodeOf, stuck } from "../containers.ts"
import { containerdOf, logPathOf } from "../facts.ts"
import type { Observation } from "../observation.ts"
import { symptom, AT_ONCE, SOON, UNLESS_RESTARTED, type Named, type Symptom } from "../symptom.ts"

/** Milliseconds: the kubelet asks the container runtime every five seconds whether it has a network. */
const STATUS_IS_OLD = 8_000

/** Problems between a Pod and its network (CNI), the most specific first. */
export const network: readonly Symptom[] = [
  symptom({
    id: "cni-unparsable",
    component: "containerd",
    lasting: SOON,
    sign: (seen) => (isWithoutNetwork(seen) === undefined ? undefined : unparsable(seen)),
    cause: ({ path, reason }) => `the CNI configuration ${path} is not valid JSON: ${reason}`,
    remedy: ({ path }) => `Correct ${path}.`,
    look: ({ path }) => `cat -n ${path}`,
  }),
  symptom({
    id: "cni-no-config",
    component: "containerd",
    lasting: SOON,
    sign: (seen) => {
      const folder = containerdOf(seen).cniFolder
      const isThere = Object.keys(seen.files).some((path) => path.startsWith(`${folder}/`))
      const shown = isThere ? undefined : isWithoutNetwork(seen)
      return shown && { evidence: shown.evidence, folder }
    },
    cause: ({ folder }) =>
      `there is no CNI configuration in ${folder}, so no Pod can have a network and the Node is not Ready`,
    remedy: ({ folder }) => `Write one into ${folder}, such as a bridge with host-local addresses.`,
    look: ({ folder }, seen) => `ls -l ${folder}; grep cni ${logPathOf(seen, "containerd")} | tail -3`,
  }),
  symptom({
    id: "cni-plugin-missing",
    component: "containerd",
    lasting: AT_ONCE,
    sign: (seen) => stuck(/failed to find plugin "([^"]+)" in path \[([^\]]*)\]/, "plugin", "folder")(seen),
    cause: ({ pod, plugin, folder }) =>
      `the CNI configuration names the plugin "${plugin}", and ${folder} has no such program: Pod ${pod} gets no network`,
    remedy: ({ folder }) => `Put the program into ${folder}, or correct its name ("type") in the configuration.`,
    look: ({ folder }, seen) => `ls ${folder}; grep type ${containerdOf(seen).cniFolder}/*`,
  }),
  symptom({
    id: "cni-subnet-used-up",
    component: "containerd",
    lasting: UNLESS_RESTARTED,
    sign: (seen) =>
      stuck(/failed to allocate for range \d+: no IP addresses available in range set: ([\d.]+-[\d.]+)/, "range")(seen),
    cause: ({ pod, range }) => `no address is left for Pod ${pod}: every address of ${range} is in use`,
    remedy:
      'Give the network a larger subnet ("ranges" in the CNI configuration), or delete Pods. Addresses that were never released are files in its dataDir.',
    look: (_, seen) => `grep subnet ${containerdOf(seen).cniFolder}/*; ls /run/cni/ipam/*`,
  }),
  symptom({
    id: "cni-bridge-of-another-subnet",
    component: "containerd",
    lasting: AT_ONCE,
    sign: (seen) =>
      stuck(
        /failed to set bridge addr: "?\\?"?(\w+)\\?"? already has an IP address different from ([\d./]+)/,
        "bridge",
        "subnet",
      )(seen),
    cause: ({ bridge, subnet }) =>
      `the bridge ${bridge} has an address of another subnet than ${subnet}, which the CNI configuration names: the configuration was changed after the bridge was made`,
    remedy: ({ bridge }) =>
      `Delete the bridge: ip link delete ${bridge}. The next Pod makes a new one; existing Pods must be deleted and created again.`,
    look: ({ bridge }, seen) => `ip -brief address show ${bridge}; grep subnet ${containerdOf(seen).cniFolder}/*`,
  }),
  symptom({
    id: "cni-not-ready",
    component: "containerd",
    lasting: STATUS_IS_OLD,
    sign: isWithoutNetwork,
    cause: ({ reason }) => `containerd has no network for Pods: ${reason}`,
    remedy: (_, seen) =>
      `Find in ${logPathOf(seen, "containerd")} why containerd could not load the CNI configuration, and correct that.`,
    look: (_, seen) => `grep cni ${logPathOf(seen, "containerd")} | tail -3; ls -l ${containerdOf(seen).cniFolder}`,
  }),
  symptom({
    id: "route-to-nowhere",
    component: undefined,
    lasting: isOnTheWay,
    sign: (seen) => {
      const route = /^(unreachable|blackhole|prohibit) ([\d.]+).*$/m.exec(seen.looks["ip route"] ?? "")
      return seen.failure === undefined || route === null
        ? undefined
        : { evidence: `ip route: ${route[0].trim()}`, kind: route[1] ?? "", address: route[2] ?? "" }
    },
    cause: ({ address }) => `a route of this machine blocks all packets to ${address}`,
    remedy: ({ kind, address }) => `ip route del ${kind} ${address}`,
    look: ({ address }) => `ip route; ip route get ${address}`,
  }),
]

/** The Node, or a Pod, says that there is no network yet. */
function isWithoutNetwork(seen: Observation): Named<"reason"> | undefined {
  for (const object of seen.api?.nodes ?? []) {
    const { ready } = nodeOf(object)
    if (
      object.metadata.name === seen.hostname &&
      ready?.status !== "True" &&
      ready?.message.includes("NetworkPluginNotReady") === true
    )
      return { evidence: ready.message, reason: ready.message }
  }
  return stuck(/^NetworkNotReady: (.*)/, "reason")(seen)
}

/** A file of the CNI configuration that is not JSON. */
function unparsable(seen: Observation): Named<"path" | "reason"> | undefined {
  const folder = `${containerdOf(seen).cniFolder}/`
  for (const [path, text] of Object.entries(seen.files)) {
    if (!path.startsWith(folder) || !/\.(?:conf|conflist|json)$/.test(path)) continue
    try {
      JSON.parse(text)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return { evidence: `${path}: ${reason}`, path, reason }
    }
  }
  return undefined
}

/** Lasting: certain if what does not answer has the address of such a route. */
function isOnTheWay({ failure, looks }: Observation): number | undefined {
  const address = /^(?:unreachable|blackhole|prohibit) ([\d.]+)/m.exec(looks["ip route"] ?? "")?.[1]
  return failure?.kind === "no-answer" && address !== undefined && failure.url.includes(`/${address}:`)
    ? AT_ONCE
    : undefined
}
