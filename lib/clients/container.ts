import { RemediedError } from "../base/errors.ts"
import type { Command } from "./command.ts"

/** The status of a Pod names a container that does not run. */
export class UnknownContainerError extends RemediedError {}

/**
 * The PID of a container in the PID namespace of the machine. The function asks containerd, not kube-apiserver.
 * @throws UnknownContainerError if containerd does not run the container
 */
export async function containerPid({ ctr }: { ctr: Command }, containerId: string): Promise<number> {
  const id = containerId.replace("containerd://", "")
  const row = (await ctr("--namespace k8s.io tasks ls"))
    .split("\n")
    .map((line) => line.split(/\s+/))
    .find(([name]) => name === id)
  if (row === undefined)
    throw new UnknownContainerError(
      `containerd runs no container ${id === "" ? "for the Pod" : id}.`,
      "Compare: ctr --namespace k8s.io tasks ls; kubectl get pods -o yaml",
    )
  return Number(row[1])
}
