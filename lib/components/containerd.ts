import type { Component, ComponentFile } from "./component.ts"
import { REGISTRY_PORT } from "./image-registry.ts"
import { Document } from "../base/document.ts"
import type { Files } from "./settings/files.ts"
import { absolute, flagOf, type Started } from "./settings/flags.ts"
import type { ComponentSpec, Settings } from "./spec.ts"

export const CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
const CONFIG = "/etc/containerd/config.toml"
const CERTS = "/etc/containerd/certs.d"

export interface ContainerdSettings extends Settings {
  readonly address: undefined
  /** The unix socket on which it listens. */
  readonly socket: string
  readonly root: string
  /** The folder of the CNI network configurations. */
  readonly cniFolder: string
  readonly cniPluginFolders: readonly string[]
  /**
   * The full name of the pause image, whose container holds the namespaces of a Pod; undefined if the default is used.
   */
  readonly pauseImage: string | undefined
  /** The folder that configures registry mirrors (hosts.toml files). */
  readonly mirrorsFolder: string | undefined
}

/**
 * containerd with its CRI plugin and a CNI network for Pods.
 * https://github.com/containerd/containerd/blob/main/docs/cri/config.md
 */
export const containerd: ComponentSpec<"containerd", ContainerdSettings> = {
  name: "containerd",
  program: "containerd",
  scriptWord: "containerd",
  after: [],
  requires: ["containers"],
  startsAhead: true,
  tools: ["containerd", "containerd-shim-runc-v2", "ctr", "runc", "bridge", "host-local", "loopback", "portmap"],
  absence: "no container can be started, inspected or stopped",
  settings,
  probe: ({ socket }) => ({
    by: "command",
    argv: ["ctr", ...(socket === CONTAINERD_SOCKET ? [] : ["--address", socket]), "version"],
  }),
  describe: ({ pauseImage, mayAdjustOomScore }) => ({
    name: "containerd",
    binary: "containerd",
    flags: [{ flag: "--config", value: CONFIG }],
    files: [
      { path: CONFIG, content: config(pauseImage, mayAdjustOomScore) },
      mirror("docker.io", REGISTRY_PORT),
      mirror("registry.k8s.io", REGISTRY_PORT),
      { path: CNI_CONFIG, content: network },
    ],
  }),
}

function config(pauseImage: string, mayAdjustOomScore: boolean): string {
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.cri.v1.runtime"]
  # Without CAP_SYS_RESOURCE this machine must not lower an OOM score, and runc fails if containerd requests that.
  restrict_oom_score_adj = ${!mayAdjustOomScore}
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/opt/cni/bin"]
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${pauseImage}"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "${CERTS}"
`
}

/**
 * Makes containerd pull the images of a public registry from the registry on loopback.
 * https://github.com/containerd/containerd/blob/main/docs/hosts.md
 */
function mirror(host: string, port: number): ComponentFile {
  return {
    path: `${CERTS}/${host}/hosts.toml`,
    content: `[host."http://127.0.0.1:${port}"]\n  capabilities = ["pull", "resolve"]\n`,
  }
}

/**
 * containerd that runs privileged containers, such as those of kubeadm's kube-proxy. By default such a container gets all
 * devices of the host, which a machine of ours does not have.
 */
export function withoutHostDevices(component: Component): Component {
  if (component.name !== "containerd") return component
  const added = "$&\n    privileged_without_host_devices = true # this machine has no devices of the host"
  return {
    ...component,
    files: component.files.map((file) => ({ ...file, content: file.content.replace(/^ *runtime_type = .*$/m, added) })),
  }
}

/** The CNI configuration of our own containerd. */
export const CNI_CONFIG = "/etc/cni/net.d/10-byhand.conflist"
/** The range of Pod addresses in it: the range of the first Node. */
export const FIRST_RANGE = "10.88.0.0/24"

/**
 * A bridge on this Node. The host-local plugin assigns the addresses. https://www.cni.dev/plugins/current/main/bridge/
 */
const network = `{
  "cniVersion": "1.0.0",
  "name": "byhand",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isDefaultGateway": true,
      "ipam": { "type": "host-local", "ranges": [[{ "subnet": "${FIRST_RANGE}" }]], "dataDir": "/run/cni/ipam" }
    }
  ]
}
`

/** https://github.com/containerd/containerd/blob/main/docs/man/containerd-config.toml.5.md */
function settings(started: Started, files: Files): ContainerdSettings {
  const path = absolute(started, flagOf(started, "--config") ?? flagOf(started, "--c")) ?? CONFIG
  const document = withImports(path, files)
  // Version 2 of the configuration has one CRI plugin; version 3 has two.
  const plugin = (name: "images" | "runtime", ...keys: readonly string[]) =>
    document.text("plugins", `io.containerd.cri.v1.${name}`, ...keys)
  const plugin2 = (...keys: readonly string[]) => document.text("plugins", "io.containerd.grpc.v1.cri", ...keys)
  const folders = document.texts("plugins", "io.containerd.cri.v1.runtime", "cni", "bin_dirs")
  return {
    address: undefined,
    socket:
      flagOf(started, "--address") ?? flagOf(started, "--a") ?? document.text("grpc", "address") ?? CONTAINERD_SOCKET,
    root: flagOf(started, "--root") ?? document.text("root") ?? "/var/lib/containerd",
    cniFolder: plugin("runtime", "cni", "conf_dir") ?? plugin2("cni", "conf_dir") ?? "/etc/cni/net.d",
    cniPluginFolders:
      folders.length > 0
        ? folders
        : [plugin("runtime", "cni", "bin_dir") ?? plugin2("cni", "bin_dir") ?? "/opt/cni/bin"],
    pauseImage: plugin("images", "pinned_images", "sandbox") ?? plugin2("sandbox_image"),
    mirrorsFolder: plugin("images", "registry", "config_path") ?? plugin2("registry", "config_path"),
  }
}

/**
 * A configuration file merged with the files that it imports, directly or not, in the order of containerd. An imported
 * file has priority.
 */
function withImports(path: string, files: Files): Document {
  const pending = [path]
  const done = new Set<string>()
  let document = new Document(undefined)
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    if (done.has(next)) continue
    done.add(next)
    const one = Document.toml(files.text(next))
    const folder = next.slice(0, next.lastIndexOf("/"))
    for (const named of one.texts("imports")) {
      const pattern = absolute({ cwd: folder }, named)
      if (pattern === undefined) continue
      pending.push(...(pattern.includes("*") ? files.matching(pattern) : [pattern]))
    }
    document = document.under(one)
  }
  return document
}
