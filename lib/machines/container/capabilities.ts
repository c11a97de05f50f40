import { CAPABILITIES } from "../capabilities.ts"
import type { Engine } from "./engine.ts"

/**
 * The capabilities of root in a container that contains a machine: those of root on a machine, without
 * CAP_SYS_RESOURCE. A machine works without CAP_SYS_RESOURCE, and an engine that runs inside another machine often does
 * not have it.
 */
export const CAPABILITIES_OF_ROOT = CAPABILITIES.filter((capability) => capability !== "SYS_RESOURCE")

/**
 * The capabilities of a container whose machine is in a user namespace. Without SETFCAP, no process can be root there
 * (man 7 user_namespaces).
 */
export const CAPABILITIES_OF_USER = ["SETFCAP"] as const

/**
 * Finds out which of root's capabilities an engine refuses, such as CAP_SYS_ADMIN. An engine says only that it refuses
 * some of them, so each one is tried alone.
 * @param image an image that the engine has
 */
export async function refusedBy(
  { docker }: Engine,
  image: string,
  labels: Readonly<Record<string, string>>,
): Promise<string[]> {
  const grants = async (capabilities: readonly string[]) => {
    try {
      const container = await docker.createContainer({
        Image: image,
        Entrypoint: ["true"],
        Labels: { ...labels },
        HostConfig: { CapDrop: ["ALL"], CapAdd: [...capabilities], NetworkMode: "none" },
      })
      await container.start().finally(() => container.remove({ force: true }))
      return true
    } catch {
      return false
    }
  }
  if (await grants(CAPABILITIES_OF_ROOT)) return []
  const refused: string[] = []
  for (const capability of CAPABILITIES_OF_ROOT) if (!(await grants([capability]))) refused.push(`CAP_${capability}`)
  return refused
}
