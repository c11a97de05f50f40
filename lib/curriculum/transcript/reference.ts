import type { Component } from "../../components/component.ts"
import { specs, type ComponentName } from "../../components/registry.ts"
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
export const reference = Object.fromEntries(specs.map((spec) => [spec.name, spec.describe(facts)])) as Readonly<
  Record<ComponentName, Component>
> // The specs are all components.
