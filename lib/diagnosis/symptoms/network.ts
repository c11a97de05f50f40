import { nodeOf, stuck } from "../containers.ts"
import type { Observation } from "../observation.ts"
import type { Shown, Symptom } from "../symptom.ts"
import { containerdConfig } from "./containerd.ts"

/** What goes wrong between a Pod and its network (CNI), most specific first. */
export const network: readonly Symptom[] = [
  {
    id: "cni-unparsable",
    component: "containerd",
    sign: (seen) => (isWithoutNetwork(seen) === undefined ? undefined : unparsable(seen)),
    cause: "the CNI configuration $1 cannot be read: $2",
    remedy: "Mend it: it is JSON.",
    look: "cat -n $1",
  },
  {
    id: "cni-no-config",
    component: "containerd",
    sign: (seen) => {
      const folder = /conf_dir = "([^"]+)"/.exec(containerdConfig(seen).text)?.[1] ?? "/etc/cni/net.d"
      const isThere = [...seen.files.keys()].some((path) => path.startsWith(`${folder}/`))
      const shown = isThere ? undefined : isWithoutNetwork(seen)
      return shown === undefined ? undefined : { evidence: shown.evidence, names: [folder] }
    },
    cause: "there is no CNI configuration in $1, so no Pod can have a network, and the Node is not Ready",
    remedy: "Write one, such as a bridge with host-local addresses, into $1.",
    look: "ls -l $1; grep cni /var/log/byhand/containerd.log | tail -3",
  },
  {
    id: "cni-plugin-missing",
    component: "containerd",
    sign: stuck(/failed to find plugin "([^"]+)" in path \[([^\]]*)\]/),
    cause: 'the CNI configuration names the plugin "$2", and there is no such program in $3: Pod $1 gets no network',
    remedy: 'Put the program there, or correct its name ("type") in the configuration.',
    look: "ls $3; grep type /etc/cni/net.d/*",
  },
  {
    id: "cni-subnet-used-up",
    component: "containerd",
    sign: stuck(/failed to allocate for range \d+: no IP addresses available in range set: ([\d.]+-[\d.]+)/),
    cause: "no address is left for Pod $1: all of $2 are given out",
    remedy:
      'Give the network a larger subnet ("ranges" in the CNI configuration), or delete Pods. Addresses that were never given back are files in its dataDir.',
    look: "grep subnet /etc/cni/net.d/*; ls /run/cni/ipam/*",
  },
  {
    id: "cni-bridge-of-another-subnet",
    component: "containerd",
    sign: stuck(/failed to set bridge addr: "?\\?"?(\w+)\\?"? already has an IP address different from ([\d./]+)/),
    cause:
      "the bridge $2 has an address of another subnet than $3, which the CNI configuration asks for: it was changed while the bridge was there",
    remedy:
      "Delete the bridge, it is made anew with the next Pod: ip link delete $2. Pods that are there have to be made again.",
    look: "ip -brief address show $2; grep subnet /etc/cni/net.d/*",
  },
  {
    id: "cni-not-ready",
    component: "containerd",
    sign: isWithoutNetwork,
    cause: "containerd has no network for Pods: $1",
    remedy: "See why it could not load the CNI configuration: its log tells.",
    look: "grep cni /var/log/byhand/containerd.log | tail -3; ls -l /etc/cni/net.d",
  },
  {
    id: "route-to-nowhere",
    component: "kubelet",
    sign: (seen) => {
      const route = /^(?:unreachable|blackhole|prohibit) ([\d.]+).*$/m.exec(seen.looks.get("ip route") ?? "")
      return seen.complaint === "" || route === null
        ? undefined
        : { evidence: `ip route: ${route[0].trim()}`, names: [route[1]] }
    },
    cause: "this machine has a route that lets nothing through to $1",
    remedy: "Delete it: ip route del unreachable $1",
    look: "ip route; ip route get $1",
  },
]

/** The Node, or a Pod, says that there is no network yet. */
function isWithoutNetwork(seen: Observation): Shown | undefined {
  for (const object of seen.api?.nodes ?? []) {
    const { ready } = nodeOf(object)
    if (
      object.metadata.name === seen.hostname &&
      ready?.status !== "True" &&
      ready?.message.includes("NetworkPluginNotReady") === true
    )
      return { evidence: ready.message, names: [ready.message] }
  }
  const shown = stuck(/^NetworkNotReady: (.*)/)(seen)
  return shown === undefined ? undefined : { evidence: shown.evidence, names: [shown.names?.[1]] }
}

function unparsable({ files }: Observation): Shown | undefined {
  for (const [path, text] of files) {
    if (!/\/cni\/net\.d\/.*\.(?:conf|conflist|json)$/.test(path)) continue
    try {
      JSON.parse(text)
    } catch (error) {
      return {
        evidence: `${path}: ${String(error)}`,
        names: [path, error instanceof Error ? error.message : String(error)],
      }
    }
  }
  return undefined
}
