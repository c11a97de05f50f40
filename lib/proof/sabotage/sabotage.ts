import type { Component, ComponentName } from "../../components/component.ts"

/** One thing that is broken on purpose, and what must come of it. A row of the matrix. */
export interface Sabotage {
  /** In kebab case. */
  readonly id: string
  /** What is broken, as a clause: "another program holds etcd's port". */
  readonly breaks: string
  /** Changes to a component as it is described, from its first start on. */
  readonly component?: { readonly [name in ComponentName]?: (component: Component) => Component }
  /** A program of a Debian package, unpacked, that comes before our own of its name. */
  readonly brings?: { readonly package: string; readonly program: string }
  /** Lines for the machine's shell (sh -e, as root). Put `&` behind what has to go on; its output must go to a file. */
  readonly script?: string
  /** The test just before whose body the script runs, its components being up: "03 a ConfigMap that". As soon as the machine is there by default. */
  readonly before?: string
  /** The tests that must fail, each named as above by the lesson's number and the beginning of its title. */
  readonly fails: readonly string[]
  /** Whatever else must not pass: from this lesson's number on, and after the first test that fails, "blocked" is right, or "failed" with the same finding. None by default. */
  readonly blocks?: number
  /** The last lesson that is tried; all by default. What stands upon this one would only fail in the same way, and slowly. */
  readonly until?: number
  /**
   * Lines for the machine's shell that undo the script, for a sabotage that the doctor must find. With it, the cluster can
   * be used for another sabotage: if the doctor still finds something afterwards, a new cluster is started instead.
   */
  readonly undo?: string
  /** Id of the finding that each failed test's card must show, or that `byhand doctor` must show where nothing fails. "none": it must say honestly that nothing known fits. */
  readonly finding: string
}

/** A component with other flags: null takes a flag away, "" gives it no value. */
export function flags(changes: Readonly<Record<string, string | null>>): (component: Component) => Component {
  return (component) => ({
    ...component,
    flags: [
      ...component.flags.filter(({ flag }) => !(flag in changes)),
      ...Object.entries(changes).flatMap(([flag, value]) =>
        value === null ? [] : [value === "" ? { flag } : { flag, value }],
      ),
    ],
  })
}

/** A component with one of its files changed. */
export function file(path: string, change: (content: string) => string): (component: Component) => Component {
  return (component) => ({
    ...component,
    files: component.files.map((one) => (one.path === path ? { ...one, content: change(one.content) } : one)),
  })
}

/** A script that listens on a port of loopback, and answers nobody. */
export function listen(port: number, host = "127.0.0.1"): string {
  return `/run/byhand/node -e 'require("net").createServer().listen(${port}, "${host}")' >/dev/null 2>&1 &
until ss -Htln sport = :${port} | grep -q .; do sleep 0.05; done`
}

/** Removes the objects named web and the events about them. */
export const REMOVE_WEB = `kubectl delete pod,deployment,replicaset,service web --ignore-not-found --grace-period=1
kubectl delete events --all`
