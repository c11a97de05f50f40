import { RemediedError } from "../base/errors.ts"
import type { Command } from "./command.ts"

/** A Pod's status names a container that does not run. */
export class UnknownContainerError extends RemediedError {}

/**
 * The process of a Pod's first container, as the machine counts; containerd is asked, not the API server.
 * @throws UnknownContainerError where containerd runs no such container
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
