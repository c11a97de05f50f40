import type { Engine } from "./engine.ts"

/**
 * What root may do in a container that is to hold a machine: what drop-capabilities.sh leaves, but for CAP_SYS_RESOURCE,
 * without which it works, and which engines inside of other machines do not have themselves.
 */
export const CAPABILITIES = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "SETFCAP",
  "NET_BIND_SERVICE",
  "NET_ADMIN",
  "NET_RAW",
  "SYS_CHROOT",
  "SYS_PTRACE",
  "SYS_ADMIN",
  "MKNOD",
  "AUDIT_WRITE",
] as const

/** What is left where the machine is to be in a user namespace: whoever has not got this one may not be root in there (man 7 user_namespaces). */
export const CAPABILITIES_OF_USER = ["SETFCAP"] as const

/**
 * Which of them an engine refuses, such as CAP_SYS_ADMIN; an engine says only that it refuses some, so each is tried.
 * @param image one that it has
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
  if (await grants(CAPABILITIES)) return []
  const refused: string[] = []
  for (const capability of CAPABILITIES) if (!(await grants([capability]))) refused.push(`CAP_${capability}`)
  return refused
}
