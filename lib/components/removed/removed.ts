/** Something that earlier versions had, and the current one refuses. */
export interface Removed {
  /** The first version without it: "Kubernetes 1.24", "etcd 3.6". */
  readonly since: string
  /** What to do instead, as a sentence. */
  readonly instead: string
}

/** Removed things by name. The facts are from the changelogs of the projects. */
export type RemovedByName = Readonly<Record<string, Removed>>

/** A configuration file of a component, by its kind. */
export interface ConfigVersion {
  /** The apiVersion that the current version reads. */
  readonly current: string
  /** For each removed apiVersion, the first release of Kubernetes without it. */
  readonly removed?: Readonly<Record<string, string>>
}

/** The same entry for several names. */
export function each(names: readonly string[], removed: Removed): RemovedByName {
  return Object.fromEntries(names.map((name) => [name, removed]))
}

/** Flags of the logging library klog, which every component of Kubernetes had. */
export const klogFlags = each(
  [
    "--add-dir-header",
    "--alsologtostderr",
    "--log-backtrace-at",
    "--log-dir",
    "--log-file",
    "--log-file-max-size",
    "--logtostderr",
    "--one-output",
    "--skip-headers",
    "--skip-log-headers",
    "--stderrthreshold",
  ],
  {
    since: "Kubernetes 1.26",
    instead: "Leave it out: logs go to standard error. To keep them in a file, redirect it: 2>FILE",
  },
)

/** Flags for serving without TLS. */
export const insecureFlags = (names: readonly string[]): RemovedByName =>
  each(names, {
    since: "Kubernetes 1.24",
    instead: "It serves only over TLS now: use --secure-port and --bind-address.",
  })
