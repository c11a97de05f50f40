import type { RemovedByName } from "./removed.ts"

/** Admission plugins that kube-apiserver no longer has. */
export const removedAdmissionPlugins: RemovedByName = {
  PodSecurityPolicy: {
    since: "1.25",
    instead: "Leave it out: the plugin PodSecurity is on by default, and labels of a namespace configure it.",
  },
  PersistentVolumeLabel: { since: "1.31", instead: "Leave it out: a cloud's own controller-manager does that work." },
  SecurityContextDeny: {
    since: "1.30",
    instead: "Leave it out, and use Pod Security Standards: the plugin PodSecurity.",
  },
  DenyEscalatingExec: {
    since: "1.21",
    instead: "Leave it out, and use Pod Security Standards: the plugin PodSecurity.",
  },
  DenyExecOnPrivileged: {
    since: "1.21",
    instead: "Leave it out, and use Pod Security Standards: the plugin PodSecurity.",
  },
  PodPreset: { since: "1.20", instead: "Leave it out: a webhook can do the same." },
  Initializers: { since: "1.14", instead: "Use an admission webhook: MutatingAdmissionWebhook." },
  InitialResources: { since: "1.10", instead: "Leave it out." },
}
