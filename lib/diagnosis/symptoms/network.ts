import { Document } from "../../base/document.ts"
import { nodeOf, stuck } from "../containers.ts"
import { containerdOf, logPathOf } from "../facts.ts"
import type { Observation } from "../observation.ts"
import {
  complainedOf,
  matched,
  symptom,
  AT_ONCE,
  SOON,
  UNLESS_RESTARTED,
  type Named,
  type Symptom,
} from "../symptom.ts"

/** Milliseconds: the kubelet asks the container runtime every five seconds whether it has a network. */
const STATUS_IS_OLD = 6_000

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
    id: "cni-version",
    component: "containerd",
    lasting: STATUS_IS_OLD,
    sign: (seen) => {
      const shown =
        stuck(NOT_SPOKEN)(seen) ??
        (isWithoutNetwork(seen) === undefined
          ? undefined
          : (matched([isWithoutNetwork(seen)?.evidence ?? ""], NOT_SPOKEN) ??
            complainedOf("containerd", NOT_SPOKEN)(seen)))
      const [newest] = supportedIn(seen).toReversed()
      const config = configs(seen).find(({ version }) => version !== undefined && !supportedIn(seen).includes(version))
      return shown === undefined || config?.version === undefined || newest === undefined
        ? undefined
        : { ...shown, version: config.version, supported: newest, path: config.path }
    },
    cause: ({ path, version, supported }) =>
      `${path} has cniVersion ${version}, and the installed plugins speak versions up to ${supported}`,
    remedy: ({ path, supported }) => `Write "cniVersion": "${supported}" into ${path}.`,
    look: ({ path }, seen) =>
      `grep -n cniVersion ${path}; for one in ${pluginFolderOf(seen)}/*; do echo "$one"; CNI_COMMAND=VERSION "$one" </dev/null; done`,
  }),
  symptom({
    id: "cni-loopback-missing",
    component: "containerd",
    lasting: AT_ONCE,
    sign: (seen) => {
      const shown =
        stuck(/failed to find plugin "(loopback)" in path \[([^\]]*)\]/, "plugin", "folder")(seen) ??
        complainedOf(
          "containerd",
          /failed to find plugin \\?"(loopback)\\?" in path \[([^\]]*)\]/,
          "plugin",
          "folder",
        )(seen)
      return shown
    },
    cause: ({ folder }) =>
      `${folder} has no program loopback: containerd needs that CNI plugin for the interface lo of every Pod, although no configuration names it`,
    remedy: ({ folder }, seen) =>
      `Put the plugin loopback into ${folder}, or name the folder that has it: bin_dirs in ${containerdOf(seen).path}.`,
    look: ({ folder }, seen) => `ls -l ${folder} /opt/cni/bin; grep -n bin_dir ${containerdOf(seen).path}`,
  }),
  symptom({
    id: "cni-first-file",
    component: "containerd",
    lasting: (seen) => (stuck(/failed to find plugin/)(seen) === undefined ? undefined : AT_ONCE),
    sign: (seen) => {
      const all = configs(seen)
      const [used, ...others] = all
      const shown = isWithoutNetwork(seen) ?? stuck(/(?:cni|network|plugin)/i)(seen) ?? unreached(seen)
      return used === undefined || others.length === 0 || shown === undefined || seen.failure === undefined
        ? undefined
        : {
            evidence: `${containerdOf(seen).cniFolder}: ${all.map(({ path }) => path.split("/").at(-1)).join(", ")}; ${shown.evidence}`,
            path: used.path,
            others: others.map(({ path }) => path).join(", "),
          }
    },
    cause: ({ path, others }) =>
      `containerd takes only the CNI configuration whose name sorts first, ${path}, and not ${others}`,
    remedy: ({ path, others }) =>
      `rm ${path}, or give ${others} a name that sorts before it. containerd notices it by itself.`,
    look: (_, seen) => `ls ${containerdOf(seen).cniFolder}; head ${containerdOf(seen).cniFolder}/*`,
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

/** A Pod's address does not answer. */
function unreached({ failure }: Observation): Named<never> | undefined {
  return failure?.kind === "no-answer" ? { evidence: `${failure.url} does not answer` } : undefined
}

/** What containerd and the plugins say where they do not speak the version of the configuration. */
const NOT_SPOKEN =
  /incompatible CNI versions|unsupported CNI (?:result )?version|plugin version does not allow STATUS|unsupported version|version is not supported/

/** The look at the versions that the plugins speak. */
export const CNI_VERSIONS = "CNI_COMMAND=VERSION /opt/cni/bin/bridge </dev/null"

/** The versions of the CNI specification that the plugins speak, the oldest first. */
function supportedIn({ looks }: Observation): readonly string[] {
  return Document.yaml(looks[CNI_VERSIONS]).texts("supportedVersions")
}

/** The CNI configurations in the folder that containerd uses, in its order. */
function configs(seen: Observation): { path: string; version: string | undefined }[] {
  const folder = `${containerdOf(seen).cniFolder}/`
  return Object.keys(seen.files)
    .filter((path) => path.startsWith(folder) && /\.(?:conf|conflist|json)$/.test(path))
    .toSorted()
    .map((path) => ({ path, version: Document.yaml(seen.files[path]).text("cniVersion") }))
}

/** The folder of the CNI plugins that containerd uses. */
function pluginFolderOf(seen: Observation): string {
  return containerdOf(seen).pluginFolders[0] ?? "/opt/cni/bin"
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
