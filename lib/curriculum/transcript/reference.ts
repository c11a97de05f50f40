import type { Component } from "../../components/component.ts"
import { specs, type ComponentName } from "../../components/registry.ts"
import type { ClusterFacts } from "../../components/spec.ts"
import { REFERENCES } from "../../images/resolve.ts"

/** Shell variables stand for values that are known only on the machine. */
export const facts: ClusterFacts = {
  token: "$TOKEN",
  encryptionKey: "$ENCRYPTION_KEY",
  bootstrapToken: "$BOOTSTRAP_TOKEN",
  node: "$NODE",
  nodeIp: "$NODE_IP",
  pauseImage: REFERENCES.pause,
  images: [REFERENCES.pause, REFERENCES.nginx, REFERENCES.coredns],
  mayAdjustOomScore: false, // This works on every machine. A machine without CAP_SYS_RESOURCE requires it.
}

/** Every component as the lessons start it. */
export const reference = Object.fromEntries(specs.map((spec) => [spec.name, spec.describe(facts)])) as Readonly<
  Record<ComponentName, Component>
> // There is a spec for every component.
