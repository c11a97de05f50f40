import type { ToolName } from "../binaries/versions.ts"

export type ComponentName = "etcd" | "kube-apiserver" | "kube-scheduler" | "registry" | "containerd" | "kubelet"

/** One flag of a command line; `why` for each that the workshop does not type but today's versions, or this course, need. */
export interface Flag {
  readonly flag: string
  readonly value?: string
  readonly why?: string
}

/** A file that must be there before the process starts. */
export interface ComponentFile {
  readonly path: string
  readonly content: string
  /** 0600 for whatever holds a secret. */
  readonly mode?: number
}

/** How to know that a component is ready: the address answers 200, or the command succeeds. */
export type Readiness =
  | { readonly by: "http"; readonly port: number; readonly path: string; readonly tls: boolean }
  | { readonly by: "command"; readonly argv: readonly string[] }

/** A component as data: what to write, what to start, how to know that it is ready. It can be printed; nothing runs. */
export interface Component {
  readonly name: ComponentName
  readonly binary: ToolName
  /** Words between the binary and its flags. */
  readonly subcommand?: readonly string[]
  readonly flags: readonly Flag[]
  readonly files: readonly ComponentFile[]
  /** The port that must be held by this very process; none where it is reached through a unix socket. */
  readonly port?: number
  readonly ready: Readiness
  /** The lesson that brings it up, and that blocks the later ones where it does not come up. */
  readonly lesson: number
}

/** The command line as words. */
export function argvOf(component: Component): string[] {
  return [
    component.binary,
    ...(component.subcommand ?? []),
    ...component.flags.map(({ flag, value }) => (value === undefined ? flag : `${flag}=${value}`)),
  ]
}

/** Where a component's output goes on its machine. */
export function logOf(name: ComponentName): string {
  return `/var/log/byhand/${name}.log`
}
