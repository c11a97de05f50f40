import type { Machine } from "../machines/machine.ts"
import { JOURNAL } from "./host-clients.ts"
import { fileOf } from "./sightings.ts"

/** What has started a process, and where it logs to. */
export interface Origin {
  /** Such as "the unit etcd.service", "a static Pod" or "by hand". */
  readonly title: string
  /** The path of its log, or the command that prints it. undefined if it is not known. */
  readonly log: string | undefined
}

/** Finds out how a process of a host was started, from its cgroup, and where its standard error leads to. */
export async function howStarted(machine: Machine, pid: number): Promise<Origin> {
  const [cgroup, { stdout: target }] = await Promise.all([
    machine.read(`/proc/${pid}/cgroup`).then(
      (text) => text.toString(),
      () => "",
    ),
    machine.run(["readlink", `/proc/${pid}/fd/2`]),
  ])
  const file = fileOf(target.trim())
  const [, pod] = /\/(?:kubepods[^\n]*)?pod([\da-f]{8}[\da-f_-]+|[\da-f]{32})/.exec(cgroup) ?? []
  if (pod !== undefined) return { title: "a Pod", log: await podLog(machine, pod.replaceAll("_", "-")) }
  // A login also has a cgroup: session-3.scope, or user@1000.service of its systemd.
  const [, unit] = /\/system\.slice\/(?:[^\n]*\/)?([^/\n]+\.service)(?:\/|$)/m.exec(cgroup) ?? []
  if (unit !== undefined && !/^(ssh|sshd|user@\d+)(@[^/]*)?\.service$/.test(unit))
    return { title: `the unit ${unit}`, log: file ?? `${JOURNAL}${unit}` }
  return { title: "by hand", log: file }
}

/**
 * The newest log of a Pod's container, as the kubelet keeps it.
 * @param uid of the Pod, or the digest of its manifest
 */
async function podLog(machine: Machine, uid: string): Promise<string | undefined> {
  const { stdout } = await machine.run(["sh", "-c", `ls -t /var/log/pods/*_${uid}/*/*.log 2>/dev/null`])
  return stdout.split("\n")[0] || undefined
}
