import type { ComponentFile } from "./component.ts"
import { REGISTRY_PORT } from "./image-registry.ts"
import type { ComponentSpec } from "./spec.ts"

export const CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
const CONFIG = "/etc/containerd/config.toml"
const CERTS = "/etc/containerd/certs.d"

/** containerd with its CRI plugin, and the CNI network of its Pods. https://github.com/containerd/containerd/blob/main/docs/cri/config.md */
export const containerd: ComponentSpec<"containerd"> = {
  name: "containerd",
  program: "containerd",
  scriptWord: "containerd",
  after: [],
  requires: ["containers"],
  startsAhead: true,
  tools: ["containerd", "containerd-shim-runc-v2", "ctr", "runc", "bridge", "host-local", "loopback", "portmap"],
  absence: "no container can be started, looked at or stopped",
  describe: ({ pauseImage, mayAdjustOomScore }) => ({
    name: "containerd",
    binary: "containerd",
    flags: [{ flag: "--config", value: CONFIG }],
    files: [
      { path: CONFIG, content: config(pauseImage, mayAdjustOomScore) },
      mirror("docker.io", REGISTRY_PORT),
      mirror("registry.k8s.io", REGISTRY_PORT),
      { path: "/etc/cni/net.d/10-byhand.conflist", content: network },
    ],
    ready: { by: "command", argv: ["ctr", "version"] },
  }),
}

function config(pauseImage: string, mayAdjustOomScore: boolean): string {
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.cri.v1.runtime"]
  # runc cannot start where containerd asks for a lower OOM score than this machine may give (CAP_SYS_RESOURCE).
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

/** Images of a public registry come from the one on loopback. https://github.com/containerd/containerd/blob/main/docs/hosts.md */
function mirror(host: string, port: number): ComponentFile {
  return {
    path: `${CERTS}/${host}/hosts.toml`,
    content: `[host."http://127.0.0.1:${port}"]\n  capabilities = ["pull", "resolve"]\n`,
  }
}

/** A bridge on this Node, with addresses handed out by host-local. https://www.cni.dev/plugins/current/main/bridge/ */
const network = `{
  "cniVersion": "1.0.0",
  "name": "byhand",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isGateway": true,
      "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.88.0.0/24" }]], "dataDir": "/run/cni/ipam" }
    }
  ]
}
`
