import { apiserver } from "../../components/apiserver.ts"
import { containerd } from "../../components/containerd.ts"
import { etcd } from "../../components/etcd.ts"
import { imageRegistry } from "../../components/image-registry.ts"
import { kubelet } from "../../components/kubelet.ts"
import { scheduler } from "../../components/scheduler.ts"
import type { ClusterFacts } from "../../components/spec.ts"
import { REFERENCES } from "../../images/resolve.ts"

/** Shell variables stand for what only the machine knows. */
const facts: ClusterFacts = {
  token: "$TOKEN",
  nodeIp: "$NODE_IP",
  pauseImage: REFERENCES.pause,
  images: [REFERENCES.pause, REFERENCES.nginx],
  mayAdjustOomScore: false, // Right on every machine; without CAP_SYS_RESOURCE containerd must be told so.
}

/** Every component as the lessons start it. */
export const reference = {
  etcd: etcd.describe(facts),
  apiserver: apiserver.describe(facts),
  scheduler: scheduler.describe(facts),
  registry: imageRegistry.describe(facts),
  containerd: containerd.describe(facts),
  kubelet: kubelet.describe(facts),
} as const
