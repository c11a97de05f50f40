import type { Command } from "./command.ts"

/** The process of a Pod's first container, as the machine counts; containerd is asked, not the API server. */
export async function containerPid({ ctr }: { ctr: Command }, containerId: string): Promise<number> {
  const id = containerId.replace("containerd://", "")
  const row = (await ctr("--namespace k8s.io tasks ls")).split("\n").map((line) => line.split(/\s+/)).find(([name]) => name === id)
  return Number(row?.[1])
}
