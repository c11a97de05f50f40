/**
 * What may be done to a subject; each level includes those before it.
 * observe: read only. restart: stop and start components, create and delete objects. destroy: replace etcd's data.
 */
export type Permission = "observe" | "restart" | "destroy"

const LEVELS: readonly Permission[] = ["observe", "restart", "destroy"]

/** Whether a subject with the given permit allows what needs another. */
export function allows(given: Permission, needed: Permission): boolean {
  return LEVELS.indexOf(needed) <= LEVELS.indexOf(given)
}
